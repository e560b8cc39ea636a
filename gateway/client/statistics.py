"""Statistics, as values and as tables."""

from __future__ import annotations

from gateway.api import schemas
from gateway.client.calls import Calls


class StatisticsCalls(Calls):
    async def fleet_health(self, query: schemas.FleetQuery | None = None) -> schemas.FleetHealth:
        return await self._call(schemas.FleetHealth, "GET", "/statistics/fleet", query=query)

    async def fleet_health_csv(self, query: schemas.FleetQuery | None = None) -> str:
        return (await self._send("GET", "/statistics/fleet.csv", query=query)).text

    async def activity(self, query: schemas.ActivityQuery) -> schemas.ActivityMap:
        return await self._call(schemas.ActivityMap, "GET", "/statistics/activity", query=query)

    async def activity_csv(self, query: schemas.ActivityQuery) -> str:
        return (await self._send("GET", "/statistics/activity.csv", query=query)).text

    async def alert_statistics(self, query: schemas.AlertStatisticsQuery | None = None) -> schemas.AlertStatistics:
        return await self._call(schemas.AlertStatistics, "GET", "/statistics/alerts", query=query)

    async def alert_statistics_csv(self, query: schemas.AlertStatisticsQuery | None = None) -> str:
        return (await self._send("GET", "/statistics/alerts.csv", query=query)).text

    async def answer_times(self, query: schemas.AnswerTimesQuery | None = None) -> schemas.AnswerTimes:
        return await self._call(schemas.AnswerTimes, "GET", "/statistics/answers", query=query)

    async def answer_times_csv(self, query: schemas.AnswerTimesQuery | None = None) -> str:
        return (await self._send("GET", "/statistics/answers.csv", query=query)).text

    async def device_frequency(self, query: schemas.FrequencyQuery | None = None) -> schemas.DeviceFrequencies:
        return await self._call(schemas.DeviceFrequencies, "GET", "/statistics/devices", query=query)

    async def device_frequency_csv(self, query: schemas.FrequencyQuery | None = None) -> str:
        return (await self._send("GET", "/statistics/devices.csv", query=query)).text

    async def resident_frequency(self, query: schemas.FrequencyQuery | None = None) -> schemas.ResidentFrequencies:
        return await self._call(schemas.ResidentFrequencies, "GET", "/statistics/residents", query=query)

    async def resident_frequency_csv(self, query: schemas.FrequencyQuery | None = None) -> str:
        return (await self._send("GET", "/statistics/residents.csv", query=query)).text
