"""Statistics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from gateway import figures, statistics
from gateway.access import Who
from gateway.api import schemas
from gateway.errors import Invalid
from gateway.front.calls import Calls
from gateway.store.db import Connection, TooMuch

Asked = TypeVar("Asked")
Found = TypeVar("Found")


class StatisticsCalls(Calls):
    """What those look at who plan."""

    async def fleet_health(self, who: Who, query: schemas.FleetQuery) -> schemas.FleetHealth:
        now = self._clock.now()
        return await self._database.run(lambda each: statistics.fleet_health(each, who, query, now))

    async def activity(self, who: Who, query: schemas.ActivityQuery) -> schemas.ActivityMap:
        """NotFound or Invalid, with the reason, when there is nothing to be shown."""
        return await self._counted(statistics.activity, who, query)

    async def alert_statistics(self, who: Who, query: schemas.AlertStatisticsQuery) -> str:
        """The same; as JSON."""
        return await self._counted(statistics.alert_statistics, who, query)

    async def answer_times(self, who: Who, query: schemas.AnswerTimesQuery) -> schemas.AnswerTimes:
        """The same."""
        return await self._counted(figures.answer_times, who, query)

    async def device_frequency(self, who: Who, query: schemas.FrequencyQuery) -> schemas.DeviceFrequencies:
        """The same."""
        return await self._counted(figures.device_frequency, who, query)

    async def resident_frequency(self, who: Who, query: schemas.FrequencyQuery) -> schemas.ResidentFrequencies:
        """The same."""
        return await self._counted(figures.resident_frequency, who, query)

    async def _counted(
        self, count: Callable[[Connection, Who, Asked, datetime], Awaitable[Found]], who: Who, query: Asked
    ) -> Found:
        """Invalid where it is more than can be looked at at once."""
        now = self._clock.now()
        try:
            return await self._database.run(lambda each: count(each, who, query, now))
        except TooMuch as error:
            raise Invalid("too_much", "there is too much to look at", "ask for less time") from error
