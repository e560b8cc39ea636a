"""Devices as they are registered and fitted, and the doses that are planned for them."""

from __future__ import annotations

from uuid import UUID

from gateway import fitting
from gateway.access import KEEPERS, OVERSEERS, Who
from gateway.api import schemas
from gateway.front.calls import Calls


class FittingCalls(Calls):
    """What people can do with devices."""

    async def register_device(self, who: Who, request: schemas.DeviceRequest) -> schemas.DeviceItem:
        """Conflict where it is known already."""
        who.require(KEEPERS)
        now = self._clock.now()
        return await self._database.run(lambda each: fitting.register(each, who, request, now))

    async def change_device(self, who: Who, uid: UUID, change: schemas.DeviceChange) -> schemas.DeviceItem:
        who.require(KEEPERS)
        now = self._clock.now()
        return await self._database.run(lambda each: fitting.change(each, who, uid, change, now))

    async def fit_device(self, who: Who, uid: UUID, request: schemas.FitRequest) -> schemas.FittingView:
        """Conflict, with what is in the way, where it is fitted somewhere."""
        who.require(KEEPERS)
        now = self._clock.now()
        return await self._database.run(lambda each: fitting.fit(each, who, uid, request, now))

    async def move_device(self, who: Who, uid: UUID, request: schemas.FitRequest) -> schemas.FittingView:
        who.require(KEEPERS)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: fitting.move(each, who, uid, request, now, local))

    async def take_down_device(self, who: Who, uid: UUID, request: schemas.TakeDown) -> schemas.FittingView:
        who.require(KEEPERS)
        now = self._clock.now()
        return await self._database.run(lambda each: fitting.take_down(each, who, uid, request, now))

    async def doses(self, who: Who, uid: UUID) -> schemas.DoseList:
        who.require(OVERSEERS)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: fitting.doses(each, who, uid, now, local))

    async def set_dose(self, who: Who, uid: UUID, request: schemas.DoseRequest) -> schemas.DoseView:
        """Conflict, with what is in the way, where there is such a dose."""
        who.require(KEEPERS)
        now = self._clock.now()
        return await self._ruling(lambda each, book: fitting.set_dose(each, who, uid, request, now, book))

    async def end_dose(self, who: Who, uid: UUID, request: schemas.DoseEnd) -> schemas.DoseView:
        who.require(KEEPERS)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: fitting.end_dose(each, who, uid, request, now, local))
