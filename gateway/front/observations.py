"""Devices, how they are, and what they said."""

from __future__ import annotations

from uuid import UUID

from gateway import observing
from gateway.access import CARERS, OVERSEERS, Who
from gateway.api import schemas
from gateway.errors import Invalid
from gateway.front.calls import Calls
from gateway.store.db import TooMuch


class ObservationCalls(Calls):
    """What people can see of devices."""

    async def devices(self, who: Who, query: schemas.DeviceQuery) -> schemas.DevicePage:
        now = self._clock.now()
        return await self._database.run(lambda each: observing.device_page(each, who, query, now))

    async def device_count(self, who: Who, query: schemas.DeviceQuery) -> schemas.DeviceCount:
        """How many devices of a kind and zone need somebody."""
        now = self._clock.now()
        return await self._database.run(lambda each: observing.device_count(each, who, query, now))

    async def device_zones(self, who: Who) -> list[schemas.Named]:
        """The zones that one may ask devices for."""
        return await self._database.run(lambda each: observing.zones_of(each, who))

    async def device(self, who: Who, uid: UUID) -> schemas.DeviceDetail:
        now = self._clock.now()
        return await self._ruling(lambda each, book: observing.device_detail(each, who, uid, now, book))

    async def observations(self, who: Who, query: schemas.ObservationQuery) -> schemas.ObservationPage:
        """NotFound, NotAllowed or Invalid, with the reason, when there is nothing to be shown."""
        _require(who, query)
        now = self._clock.now()
        try:
            return await self._database.run(lambda each: observing.observations(each, who, query, now))
        except TooMuch as error:
            raise _too_much() from error

    async def buckets(self, who: Who, query: schemas.BucketQuery) -> schemas.BucketList:
        """NotFound, NotAllowed or Invalid, with the reason, when there is nothing to be shown."""
        _require(who, query)
        now, local = self._clock.now(), self._cache.local
        try:
            return await self._database.run(lambda each: observing.bucket_list(each, who, query, now, local))
        except TooMuch as error:
            raise _too_much() from error

    async def counted(self, who: Who, query: schemas.CountedQuery) -> schemas.CountedList:
        """The same."""
        _require(who, query)
        now = self._clock.now()
        try:
            return await self._database.run(lambda each: observing.counted_list(each, who, query, now))
        except TooMuch as error:
            raise _too_much() from error


def _require(who: Who, query: schemas.WhoseQuery) -> None:
    if (query.device is None) == (query.resident is None):
        raise Invalid("whose", "name either a device or a resident", "add device=… or resident=…, not both")
    who.require(OVERSEERS if query.device is not None else CARERS)


def _too_much() -> Invalid:
    return Invalid("too_much", "there is too much to look at", "ask for less time, or for fewer types")
