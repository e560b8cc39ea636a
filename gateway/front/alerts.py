"""Alerts as people see them, and what they answer."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from gateway import answering, asking, reading
from gateway.access import ANYBODY, Who
from gateway.api import schemas
from gateway.errors import Invalid
from gateway.front.calls import MOST_IN_LIST, Calls
from gateway.store.views import AlertSearch


class AlertCalls(Calls):
    """Lists, one of them, and answers."""

    async def alert_list(
        self, who: Who, state: Literal["open", "closed"], cursor: str | None, limit: int
    ) -> schemas.AlertPage:
        """Those that are open or closed, whatever they are about."""
        who.require(ANYBODY)
        most, now, wanted = max(1, min(limit, MOST_IN_LIST)), self._clock.now(), AlertSearch(state)
        return await self._database.run(lambda each: reading.alert_list(each, who, wanted, cursor, most, now))

    async def alerts(self, who: Who, query: schemas.AlertQuery) -> schemas.AlertPage:
        """Those that are asked for."""
        who.require(ANYBODY)
        now, wanted = self._clock.now(), AlertSearch(**query.model_dump(exclude={"cursor", "limit"}))
        return await self._database.run(
            lambda each: reading.alert_list(each, who, wanted, query.cursor, query.limit, now)
        )

    async def alert_detail(self, who: Who, uid: UUID) -> schemas.AlertDetail:
        who.require(ANYBODY)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: reading.alert_detail(each, who, uid, now, local))

    async def alert_path(self, who: Who, uid: UUID) -> schemas.AlertPath:
        """The way of an alert, leg by leg. NotAllowed for care staff."""
        now = self._clock.now()
        return await self._database.run(lambda each: reading.alert_path(each, who, uid, now))

    async def answer(self, who: Who, uid: UUID, request: schemas.AnswerRequest, key: str) -> schemas.AnswerReply:
        """NotFound, Conflict or Invalid, with the reason, when it is not taken."""
        who.require(ANYBODY)
        _check_key(key)
        now = self._clock.now()
        return await self._database.run(lambda each: answering.answer(each, who, uid, request, key, now, self._cache))

    async def command(self, who: Who, uid: UUID, request: schemas.CommandRequest, key: str) -> schemas.CommandView:
        """Ask a device in the home of an alert for something. NotFound, NotAllowed, Conflict or Invalid, with the reason."""
        who.require(ANYBODY)
        _check_key(key)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: asking.ask(each, who, uid, request, key, now, local))


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= 128 or "\x00" in key:
        raise Invalid("key", "an Idempotency-Key has 1 to 128 characters", "make a random one for each answer")
