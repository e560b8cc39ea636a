"""Silences, and residents who are away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from alerts.rulebook import Rulebook
from gateway import silencelist, silencing
from gateway.access import ANYBODY, CONSENTERS, OVERSEERS, Who
from gateway.api import schemas
from gateway.front.calls import Calls
from gateway.store.db import Connection


class SilenceCalls(Calls):
    """What people can do with silences."""

    async def silences(self, who: Who, query: schemas.SilenceQuery) -> schemas.SilencePage:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._ruling(lambda each, book: silencelist.page(each, who, query, now, book))

    async def silence_count(self, who: Who) -> schemas.SilenceCount:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._ruling(lambda each, book: silencelist.count(each, who, now, book))

    async def silence(self, who: Who, uid: UUID) -> schemas.SilenceDetail:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._ruling(lambda each, book: silencelist.detail(each, who, uid, now, book))

    async def silence_draft(self, who: Who, asked: schemas.SilenceFor) -> schemas.SilenceDraft:
        """What the form to set a silence begins with."""
        now = self._clock.now()
        return await self._ruling(lambda each, book: silencelist.draft(each, who, asked, now, book))

    async def set_silence(self, who: Who, request: schemas.SilenceRequest) -> schemas.SilenceDetail:
        """NotFound, NotAllowed, Invalid or Conflict, with the reason, when it cannot be set."""
        who.require(OVERSEERS)
        now = self._clock.now()

        async def work(connection: Connection, book: Rulebook) -> schemas.SilenceDetail:
            uid = await silencing.ask(connection, who, request, now, book)
            return await silencelist.detail(connection, who, uid, now, book)

        return await self._ruling(work)

    async def consent(self, who: Who, uid: UUID, seen: schemas.SilenceSeen) -> schemas.SilenceDetail:
        """Agree to what somebody else has asked. NotFound, NotAllowed or Conflict."""
        who.require(CONSENTERS)
        now = self._clock.now()
        return await self._changed(
            who, uid, lambda each, book: silencing.consent(each, who, uid, seen.version, now, book)
        )

    async def extend(self, who: Who, uid: UUID, request: schemas.SilenceLonger) -> schemas.SilenceDetail:
        """NotFound, NotAllowed, Invalid or Conflict, with the reason, when it cannot last until then."""
        who.require(OVERSEERS)
        now = self._clock.now()
        return await self._changed(who, uid, lambda each, book: silencing.extend(each, who, uid, request, now, book))

    async def end_silence(self, who: Who, uid: UUID, seen: schemas.SilenceSeen) -> schemas.SilenceDetail:
        """End it now, or say that a resident is back. NotFound, NotAllowed or Conflict."""
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._changed(who, uid, lambda each, book: silencing.end(each, who, uid, seen.version, now, book))

    async def _changed(
        self, who: Who, uid: UUID, change: Callable[[Connection, Rulebook], Awaitable[None]]
    ) -> schemas.SilenceDetail:
        """As it is after a change."""
        now = self._clock.now()

        async def work(connection: Connection, book: Rulebook) -> schemas.SilenceDetail:
            await change(connection, book)
            return await silencelist.detail(connection, who, uid, now, book)

        return await self._ruling(work)
