"""Zones and staff; and the commands that were given."""

from __future__ import annotations

from uuid import UUID

from gateway import asking, staffing
from gateway.access import ANYBODY, LEADERS, Who
from gateway.api import schemas
from gateway.front.calls import Calls


class StaffingCalls(Calls):
    """What people can look up about who does what."""

    async def zones(self, who: Who) -> list[schemas.ZoneView]:
        who.require(ANYBODY)
        return await self._database.run(lambda each: staffing.zone_tree(each, who))

    async def people(self, who: Who, query: schemas.StaffQuery) -> schemas.StaffPage:
        who.require(LEADERS)
        now = self._clock.now()
        return await self._database.run(
            lambda each: staffing.staff_page(each, who, query, now, self._reaching.channels)
        )

    async def person(self, who: Who, uid: UUID) -> schemas.StaffItem:
        who.require(LEADERS)
        now = self._clock.now()
        return await self._database.run(
            lambda each: staffing.one_of_staff(each, who, uid, now, self._reaching.channels)
        )

    async def commands(self, who: Who, query: schemas.CommandQuery) -> schemas.CommandPage:
        who.require(ANYBODY)
        return await self._database.run(lambda each: asking.command_page(each, who, query))

    async def given_command(self, who: Who, uid: UUID) -> schemas.CommandItem:
        who.require(ANYBODY)
        return await self._database.run(lambda each: asking.one_command(each, who, uid))
