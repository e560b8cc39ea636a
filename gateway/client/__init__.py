"""A client of the API, in Python: one method an endpoint, made of the values that the API itself gives and takes.

    async with Client("https://gateway.example") as gateway:
        await gateway.sign_in(schemas.SignIn(username="tek", password="…"))
        device = await gateway.register_device(schemas.DeviceRequest(site="stavanger", address="fall-7", kind="fall_alarm"))
        async for alert in gateway.all_alerts(schemas.AlertQuery(track="technical")):
            print(alert.title, alert.zone)

Rules
    A method is called as its operation is in ``/openapi.json``. What it cannot do is raised:

        ClientError
        ├── ProblemError     the gateway said no: ``status``, ``reason``, ``detail``, how to ``mend`` it
        └── Unreachable      there was no answer; whether it was done is not known

    An answer and a command have an Idempotency-Key. The client makes one for each call; give your own to try again after
    :class:`Unreachable` without doing it twice. Lists come page by page, or one by one with ``all_…``. Nothing is retried
    here, and nothing waits longer than ``timeout`` seconds; changes stream for as long as the session is in force.
    It needs httpx and pydantic, and no part of the server.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx

from gateway.client.alerts import AlertCalls
from gateway.client.calls import ClientError, ProblemError, Unreachable
from gateway.client.devices import DeviceCalls
from gateway.client.homes import HomeCalls
from gateway.client.policies import PolicyCalls
from gateway.client.rosters import RosterCalls
from gateway.client.rules import RuleCalls
from gateway.client.sessions import SessionCalls
from gateway.client.statistics import StatisticsCalls
from gateway.client.technical import TechnicalCalls

__all__ = ["Client", "ClientError", "ProblemError", "Unreachable"]


class Client(
    SessionCalls,
    AlertCalls,
    HomeCalls,
    DeviceCalls,
    RuleCalls,
    PolicyCalls,
    RosterCalls,
    StatisticsCalls,
    TechnicalCalls,
):
    """The API of one gateway, for whoever signs in or has a ``token``. ``transport``: how requests are made, for tests."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 30,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, transport=transport)
        if token is not None:
            self._carry(token)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connections. The session goes on until ``sign_out`` or its end."""
        await self._http.aclose()
