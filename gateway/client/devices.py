"""Devices, where they are fitted, and what they said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from gateway.api import schemas
from gateway.client.calls import Calls, each


class DeviceCalls(Calls):
    async def devices(self, query: schemas.DeviceQuery | None = None) -> schemas.DevicePage:
        return await self._call(schemas.DevicePage, "GET", "/devices", query=query)

    def all_devices(self, query: schemas.DeviceQuery | None = None) -> AsyncIterator[schemas.DeviceItem]:
        return each(self.devices, query or schemas.DeviceQuery(), lambda page: page.devices)

    async def device(self, uid: UUID) -> schemas.DeviceDetail:
        return await self._call(schemas.DeviceDetail, "GET", f"/devices/{uid}")

    async def register_device(self, body: schemas.DeviceRequest) -> schemas.DeviceItem:
        return await self._call(schemas.DeviceItem, "POST", "/devices", body)

    async def change_device(self, uid: UUID, body: schemas.DeviceChange) -> schemas.DeviceItem:
        return await self._call(schemas.DeviceItem, "PATCH", f"/devices/{uid}", body)

    async def fit_device(self, uid: UUID, body: schemas.FitRequest) -> schemas.FittingView:
        return await self._call(schemas.FittingView, "POST", f"/devices/{uid}/fit", body)

    async def move_device(self, uid: UUID, body: schemas.FitRequest) -> schemas.FittingView:
        return await self._call(schemas.FittingView, "POST", f"/devices/{uid}/move", body)

    async def take_down_device(self, uid: UUID, body: schemas.TakeDown) -> schemas.FittingView:
        return await self._call(schemas.FittingView, "POST", f"/devices/{uid}/take-down", body)

    async def doses(self, uid: UUID) -> schemas.DoseList:
        return await self._call(schemas.DoseList, "GET", f"/devices/{uid}/doses")

    async def set_dose(self, uid: UUID, body: schemas.DoseRequest) -> schemas.DoseView:
        return await self._call(schemas.DoseView, "POST", f"/devices/{uid}/doses", body)

    async def end_dose(self, uid: UUID, body: schemas.DoseEnd) -> schemas.DoseView:
        return await self._call(schemas.DoseView, "POST", f"/doses/{uid}/end", body)

    # What devices said ------------------------------------------------------------------------------------------------

    async def observations(self, query: schemas.ObservationQuery) -> schemas.ObservationPage:
        return await self._call(schemas.ObservationPage, "GET", "/observations", query=query)

    def all_observations(self, query: schemas.ObservationQuery) -> AsyncIterator[schemas.ObservationView]:
        return each(self.observations, query, lambda page: page.items)

    async def buckets(self, query: schemas.BucketQuery) -> schemas.BucketList:
        return await self._call(schemas.BucketList, "GET", "/observations/buckets", query=query)

    async def counted(self, query: schemas.CountedQuery) -> schemas.CountedList:
        return await self._call(schemas.CountedList, "GET", "/observations/counted", query=query)
