"""Statistics."""

from __future__ import annotations

from gateway import statistics
from gateway.access import Who
from gateway.api import schemas
from gateway.errors import Invalid
from gateway.front.calls import Calls
from gateway.store.db import TooMuch


class StatisticsCalls(Calls):
    """What those look at who plan."""

    async def fleet_health(self, who: Who, query: schemas.FleetQuery) -> schemas.FleetHealth:
        now = self._clock.now()
        return await self._database.run(lambda each: statistics.fleet_health(each, who, query, now))

    async def activity(self, who: Who, query: schemas.ActivityQuery) -> schemas.ActivityMap:
        """NotFound or Invalid, with the reason, when there is nothing to be shown."""
        now = self._clock.now()
        try:
            return await self._database.run(lambda each: statistics.activity(each, who, query, now))
        except TooMuch as error:
            raise _too_much() from error

    async def alert_statistics(self, who: Who, query: schemas.AlertStatisticsQuery) -> schemas.AlertStatistics:
        """The same."""
        now = self._clock.now()
        try:
            return await self._database.run(lambda each: statistics.alert_statistics(each, who, query, now))
        except TooMuch as error:
            raise _too_much() from error


def _too_much() -> Invalid:
    return Invalid("too_much", "there is too much to look at", "ask for less time")
