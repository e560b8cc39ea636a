"""Residents and dwellings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from gateway.api import schemas
from gateway.client.calls import Calls, each


class HomeCalls(Calls):
    async def residents(self, query: schemas.ResidentQuery | None = None) -> schemas.ResidentPage:
        return await self._call(schemas.ResidentPage, "GET", "/residents", query=query)

    def all_residents(self, query: schemas.ResidentQuery | None = None) -> AsyncIterator[schemas.ResidentItem]:
        return each(self.residents, query or schemas.ResidentQuery(), lambda page: page.residents)

    async def resident(self, uid: UUID) -> schemas.ResidentDetail:
        return await self._call(schemas.ResidentDetail, "GET", f"/residents/{uid}")

    async def access_log(self, uid: UUID, query: schemas.AccessLogQuery | None = None) -> schemas.AccessLog:
        return await self._call(schemas.AccessLog, "GET", f"/residents/{uid}/access-log", query=query)

    async def add_resident(self, body: schemas.ResidentRequest) -> schemas.ResidentDetail:
        return await self._call(schemas.ResidentDetail, "POST", "/residents", body)

    async def change_resident(self, uid: UUID, body: schemas.ResidentChange) -> schemas.ResidentDetail:
        return await self._call(schemas.ResidentDetail, "PATCH", f"/residents/{uid}", body)

    async def move_in(self, uid: UUID, body: schemas.MoveIn) -> schemas.ResidentDetail:
        return await self._call(schemas.ResidentDetail, "POST", f"/residents/{uid}/move-in", body)

    async def move_out(self, uid: UUID, body: schemas.MoveOut) -> schemas.ResidentDetail:
        return await self._call(schemas.ResidentDetail, "POST", f"/residents/{uid}/move-out", body)

    async def dwellings(self, query: schemas.DwellingQuery | None = None) -> schemas.DwellingPage:
        return await self._call(schemas.DwellingPage, "GET", "/dwellings", query=query)

    def all_dwellings(self, query: schemas.DwellingQuery | None = None) -> AsyncIterator[schemas.DwellingItem]:
        return each(self.dwellings, query or schemas.DwellingQuery(), lambda page: page.dwellings)

    async def dwelling(self, uid: UUID) -> schemas.DwellingDetail:
        return await self._call(schemas.DwellingDetail, "GET", f"/dwellings/{uid}")

    async def add_dwelling(self, body: schemas.DwellingRequest) -> schemas.DwellingDetail:
        return await self._call(schemas.DwellingDetail, "POST", "/dwellings", body)

    async def change_dwelling(self, uid: UUID, body: schemas.DwellingChange) -> schemas.DwellingDetail:
        return await self._call(schemas.DwellingDetail, "PATCH", f"/dwellings/{uid}", body)
