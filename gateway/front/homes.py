"""Residents and dwellings."""

from __future__ import annotations

from uuid import UUID

from gateway import homes
from gateway.access import ANYBODY, AUDITORS, KEEPERS, Who
from gateway.api import schemas
from gateway.front.calls import Calls
from gateway.person import accesslog


class HomeCalls(Calls):
    """What people can do with the register of homes."""

    async def residents(self, who: Who, query: schemas.ResidentQuery) -> schemas.ResidentPage:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._database.run(lambda each: homes.resident_page(each, who, query, now))

    async def resident(self, who: Who, uid: UUID) -> schemas.ResidentDetail:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._database.run(lambda each: homes.resident_detail(each, who, uid, now))

    async def access_log(self, who: Who, uid: UUID, query: schemas.AccessLogQuery) -> schemas.AccessLog:
        who.require(AUDITORS)
        now = self._clock.now()
        return await self._database.run(lambda each: accesslog.page(each, who, uid, query, now))

    async def add_resident(self, who: Who, request: schemas.ResidentRequest) -> schemas.ResidentDetail:
        who.require(KEEPERS)
        now = self._clock.now()
        return await self._database.run(lambda each: homes.add_resident(each, who, request, now))

    async def change_resident(self, who: Who, uid: UUID, change: schemas.ResidentChange) -> schemas.ResidentDetail:
        who.require(KEEPERS)
        now = self._clock.now()
        return await self._database.run(lambda each: homes.change_resident(each, who, uid, change, now))

    async def move_in(self, who: Who, uid: UUID, request: schemas.MoveIn) -> schemas.ResidentDetail:
        """Conflict, with what is in the way, where it overlaps."""
        who.require(KEEPERS)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: homes.move_in(each, who, uid, request, now, local))

    async def move_out(self, who: Who, uid: UUID, request: schemas.MoveOut) -> schemas.ResidentDetail:
        who.require(KEEPERS)
        now = self._clock.now()
        return await self._database.run(lambda each: homes.move_out(each, who, uid, request, now))

    async def dwellings(self, who: Who, query: schemas.DwellingQuery) -> schemas.DwellingPage:
        who.require(ANYBODY)
        return await self._database.run(lambda each: homes.dwelling_page(each, who, query))

    async def dwelling(self, who: Who, uid: UUID) -> schemas.DwellingDetail:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._database.run(lambda each: homes.dwelling_detail(each, who, uid, now))

    async def add_dwelling(self, who: Who, request: schemas.DwellingRequest) -> schemas.DwellingDetail:
        who.require(KEEPERS)
        now = self._clock.now()
        return await self._database.run(lambda each: homes.add_dwelling(each, who, request, now))

    async def change_dwelling(self, who: Who, uid: UUID, change: schemas.DwellingChange) -> schemas.DwellingDetail:
        who.require(KEEPERS)
        now = self._clock.now()
        return await self._database.run(lambda each: homes.change_dwelling(each, who, uid, change, now))
