"""Web Push: a page to a browser's own push service, encrypted so that only this one browser can read it (RFC 8030, 8291, 8292).

Rules
    The service is told nothing but sizes and times: what is sent has no person in it, and is encrypted besides.
    It waits for a phone that is away (``ttl_seconds``), wakes one that sleeps (``Urgency``), and what it still holds of a
    page is replaced by what comes later of the same (``Topic``): a try by the next one, a page by its recall.
    Whom a phone makes us call is in :mod:`alerts.channels._push_service`.
    404 and 410 say that the subscription is gone (RFC 8030, section 7.3), 401 and 403 that it was made for another key than ours
    (RFC 8292, section 4.2): a broken contact, until the phone has subscribed anew. Any other 4xx will not be otherwise next
    time, but for those that say "later". All else is tried again, after ``Retry-After`` where that is said.
    ``time_out_seconds`` holds for the whole conversation.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from alerts.channels import TIME_OUT, Outgoing
from alerts.channels._http import AGAIN_LATER
from alerts.delivery import Failed, HandedOver, SendResult
from alerts.model import Severity
from alerts.subscription import Subscription, check
from alerts.vapid import base64url, check_key

if TYPE_CHECKING:
    from alerts.channels._push_service import PushService

Kind = Literal["page", "recall", "test"]

GONE = frozenset({404, 410})
LONGEST_TITLE, LONGEST_BODY, LONGEST_URL = 300, 900, 300
"""Bytes. All together stays below 3 KB; a push service need not take more than 4 (RFC 8030, section 7.2)."""
NOT_OURS = (401, 403)


def _private_key(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        check_key(value.get_secret_value())
    return value


def _who_we_are(value: str) -> str:
    if not value.isascii() or not value.isprintable() or not value.startswith(("mailto:", "https://")):
        raise ValueError("must be an address of whoever runs the gateway, as mailto:drift@example.org or https://…")
    return value


class WebPush:
    """One POST a push, to wherever the browser's maker runs its push service."""

    class Config(BaseModel):
        """``private_key``: ours (VAPID), as 32 bytes in base64url. ``subject``: whom a push service can turn to. ``ttl_seconds``: how
        long it keeps a page for a phone that is away. ``private_endpoints``: hosts of this network, and http, are called, too.
        """

        model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

        private_key: Annotated[SecretStr | None, AfterValidator(_private_key)] = None
        subject: Annotated[str, AfterValidator(_who_we_are)] = "mailto:hjemmevakt@localhost"
        ttl_seconds: Annotated[int, Field(ge=60, le=24 * 3600)] = 3600
        private_endpoints: bool = False
        time_out_seconds: Annotated[float, Field(gt=0, le=60)] = TIME_OUT

    def __init__(self, config: Config) -> None:
        self.config = config
        self._pushing: PushService | None = None

    def check_address(self, address: str) -> str:
        raise ValueError("must be registered by the phone itself")

    async def send(self, outgoing: Outgoing) -> SendResult:
        return await self._push(outgoing, "page")

    async def recall(self, outgoing: Outgoing) -> SendResult:
        """What the phone shows of the page is taken away; what it has not got yet, it does not get."""
        return await self._push(outgoing, "recall")

    async def test(self, outgoing: Outgoing) -> SendResult:
        """A push that says that pushes come."""
        return await self._push(outgoing, "test")

    async def _push(self, outgoing: Outgoing, kind: Kind) -> SendResult:
        try:
            subscription = Subscription.of(outgoing.address)
            check(subscription, private=self.config.private_endpoints)
        except ValueError as error:
            return Failed(str(error), permanent=True, contact_broken=True)
        if self.config.private_key is None:
            return Failed("there is no key to sign pushes with")
        try:
            async with asyncio.timeout(self.config.time_out_seconds):
                service = await asyncio.to_thread(self._service, self.config.private_key)
                answered = await service.post(subscription, payload(outgoing, kind), self._headers(outgoing))
        except TimeoutError:
            return Failed(f"the push service did not answer within {self.config.time_out_seconds:g} s")
        return answered if isinstance(answered, Failed) else said(answered.status, answered.after)

    def _service(self, key: SecretStr) -> PushService:
        """Blocks at first, so that whoever waits has to wait in a thread."""
        if self._pushing is None:
            from alerts.channels._push_service import PushService  # noqa: PLC0415 - many sites never push

            config = self.config
            self._pushing = PushService(
                key.get_secret_value(), config.subject, config.time_out_seconds, private=config.private_endpoints
            )
        return self._pushing

    def _headers(self, outgoing: Outgoing) -> dict[str, str]:
        return {
            "TTL": str(self.config.ttl_seconds),
            "Urgency": "high" if outgoing.severity >= Severity.MODERATE else "normal",
            "Topic": topic(outgoing.page_id),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Accept-Encoding": "identity",
        }


def payload(outgoing: Outgoing, kind: Kind) -> bytes:
    """What the phone gets: JSON. ``page``: the key to say with that it was received, shown or taken; ``url``: a path of ours."""
    alert = urlsplit(outgoing.url).path if outgoing.url else "/alerts"
    told = {
        "kind": kind,
        "page": outgoing.page_key,
        "title": _short(outgoing.subject, LONGEST_TITLE),
        "body": _short(body(outgoing), LONGEST_BODY),
        "url": _short(alert, LONGEST_URL),
        "severity": int(outgoing.severity),
        "language": outgoing.language,
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def body(outgoing: Outgoing) -> str:
    """The text without what the title says already, and without the link: the whole notification is one."""
    lines = (line.strip() for line in outgoing.text.splitlines())
    said_twice = (outgoing.subject, f"{outgoing.subject}.")
    kept = " ".join(line for line in lines if line and line not in said_twice and "://" not in line)
    return f"{kept[:-1]}." if kept.endswith(":") else kept


def topic(page_id: str) -> str:
    """The same for all that is sent about a page: at most 32 letters of base64url (RFC 8030, section 5.4)."""
    return base64url(sha256(page_id.encode("utf-8", "replace")).digest()[:18])


def said(status: int, after: timedelta | None = None) -> SendResult:
    """What the service's answer means."""
    if 200 <= status < 300:
        return HandedOver(f"accepted by the push service with {status}")
    if status in GONE:
        return Failed(f"the phone has no such subscription any more ({status})", permanent=True, contact_broken=True)
    if status in NOT_OURS:
        return Failed(
            f"the push service does not take our key ({status}): the phone has to open the app",
            permanent=True,
            contact_broken=True,
        )
    if 400 <= status < 500 and status not in AGAIN_LATER:
        return Failed(f"the push service answered {status}", permanent=True)
    return Failed(f"the push service answered {status}", after=after)


def _short(text: str, most: int) -> str:
    """On one line, at most so many bytes."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


CHANNEL = WebPush
