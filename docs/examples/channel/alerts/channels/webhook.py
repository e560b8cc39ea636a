"""Webhook: a page as JSON to a server of the municipality's own, which carries it on (an SMS gateway, a call centre).

The server's answer decides: 2xx is handed over, 410 says that the address is no more, all else is tried again.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from alerts.channels import TIME_OUT, Outgoing
from alerts.delivery import Failed, HandedOver, SendResult

GONE = 410
"""The HTTP status (RFC 9110) that says: there is no such address any more."""


class Webhook:
    """One POST a page."""

    class Config(BaseModel):
        """``token``: sent as a Bearer token. ``time_out_seconds`` for the whole conversation."""

        model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

        host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]+$")] = "localhost"
        port: Annotated[int, Field(ge=1, le=65535)] = 443
        path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/._~-]*$")] = "/"
        tls: bool = True
        token: SecretStr | None = None
        time_out_seconds: Annotated[float, Field(gt=0, le=60)] = TIME_OUT

    def __init__(self, config: Config) -> None:
        self.config = config

    def check_address(self, address: str) -> str:
        if not address.strip().isprintable() or not address.strip():
            raise ValueError("must be a name, on one line")
        return address.strip()

    async def send(self, outgoing: Outgoing) -> SendResult:
        try:
            async with asyncio.timeout(self.config.time_out_seconds):
                answer = await self._post(outgoing)
        except TimeoutError:
            return Failed(f"the server did not answer within {self.config.time_out_seconds:g} s")
        except (httpx.HTTPError, ValueError) as error:
            return Failed(f"{type(error).__name__}: {error}")
        if answer.is_success:
            return HandedOver(f"accepted with {answer.status_code}")
        gone = answer.status_code == GONE
        return Failed(f"the server answered {answer.status_code}", permanent=gone, contact_broken=gone)

    async def _post(self, outgoing: Outgoing) -> httpx.Response:
        token = self.config.token
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        body = {
            "id": outgoing.page_id,
            "to": outgoing.address,
            "subject": outgoing.subject,
            "text": outgoing.text,
            "severity": int(outgoing.severity),
        }
        async with httpx.AsyncClient(trust_env=False, timeout=self.config.time_out_seconds) as client:
            return await client.post(self._url, json=body, headers=headers)

    @property
    def _url(self) -> str:
        return f"{'https' if self.config.tls else 'http'}://{self.config.host}:{self.config.port}{self.config.path}"


CHANNEL = Webhook
