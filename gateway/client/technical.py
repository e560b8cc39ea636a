"""Zones, staff and sites; the quarantine, and a controlled clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from gateway.api import schemas
from gateway.client.calls import Calls, each


class TechnicalCalls(Calls):
    async def zones(self) -> list[schemas.ZoneView]:
        return await self._call(list[schemas.ZoneView], "GET", "/zones")

    async def people(self, query: schemas.StaffQuery | None = None) -> schemas.StaffPage:
        return await self._call(schemas.StaffPage, "GET", "/people", query=query)

    def all_people(self, query: schemas.StaffQuery | None = None) -> AsyncIterator[schemas.StaffItem]:
        return each(self.people, query or schemas.StaffQuery(), lambda page: page.people)

    async def person(self, uid: UUID) -> schemas.StaffItem:
        return await self._call(schemas.StaffItem, "GET", f"/people/{uid}")

    async def sites(self) -> list[schemas.SiteView]:
        return await self._call(list[schemas.SiteView], "GET", "/sites")

    # Quarantine and trials --------------------------------------------------------------------------------------------

    async def quarantine(
        self, query: schemas.QuarantineQuery | None = None, cursor: str | None = None, limit: int = 50
    ) -> schemas.QuarantinePage:
        more = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        return await self._call(schemas.QuarantinePage, "GET", "/quarantine", query=query, more=more)

    async def decode_again(self, uid: UUID) -> schemas.DecodedAgain:
        return await self._call(schemas.DecodedAgain, "POST", f"/quarantine/{uid}/decode")

    async def decode_all_again(
        self, query: schemas.QuarantineQuery | None = None, cursor: str | None = None
    ) -> schemas.DecodedAgainAll:
        more = {"cursor": cursor} if cursor else {}
        return await self._call(schemas.DecodedAgainAll, "POST", "/quarantine/decode", query=query, more=more)

    async def let_pass(self, body: schemas.LetPass) -> schemas.ClockView:
        """Only where the clock is controlled."""
        return await self._call(schemas.ClockView, "POST", "/clock", body)
