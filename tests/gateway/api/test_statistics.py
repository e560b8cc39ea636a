"""Statistics through the API: what they count, who may ask, and that they name nobody."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.alert import Cause
from alerts.model import Track
from gateway.api import schemas
from gateway.client import ProblemError
from gateway.embedded import Broker
from gateway.store import rollups
from gateway.store.devicelist import Known, Search, silent
from gateway.store.views import Sight
from tests.gateway.served import Served, served
from tests.support.town import Home

OSLO = ZoneInfo("Europe/Oslo")
SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=OSLO), datetime(2025, 10, 26, tzinfo=OSLO)
"""When the clock goes from two to three, and from three back to two."""


async def said(it: Served, home: Home, at: datetime, times: int = 1) -> None:
    await it.town.rows(
        """INSERT INTO observation (device_id, installation_id, kind, message_class, type, occurred_at, received_at, flags, fields)
           SELECT i.device_id, i.id, 'fall_alarm', 'event', 'worn', %s, %s, '{}', '{}'
           FROM installation i, generate_series(1, %s) WHERE i.device_id = %s""",
        at, at, times, home.fall_alarm.id,
    )  # fmt: skip


BEATS = """
    INSERT INTO device_health (device_id, installation_id, kind, message_class, type, occurred_at, received_at, flags, fields)
    SELECT i.device_id, i.id, 'fall_alarm', 'status', 'heartbeat', at, at, '{}',
           jsonb_build_object('battery', 80 - n, 'rssi', -60 - n)
    FROM installation i, generate_series(0, 24) AS n, LATERAL (SELECT %s::timestamptz + n * interval '1 hour' AS at) a
    WHERE i.device_id = %s"""


async def closed(
    it: Served,
    zone: str,
    raised: datetime,
    cause: str | None,
    answer: int | None,
    times: int = 1,
    codes: tuple[str | None, str | None, str | None] = (None, None, None),
) -> None:
    """``codes``: of the cause, the action, and its own."""
    await it.town.rows(
        """INSERT INTO alert_fact (raised_at, closed_at, zone_id, condition, kind, severity, track, cause, cause_code, action,
                                   action_code, answer_seconds, close_seconds)
           SELECT at, at, %s, 'fall', 'fall_alarm', 40, 'care', %s, %s, %s, %s, %s, 3600
           FROM generate_series(1, %s), LATERAL (SELECT date_trunc('hour', %s::timestamptz, 'UTC') AS at) a""",
        it.town.zones[zone], cause, *codes, answer, times, raised,
    )  # fmt: skip


async def reckon(it: Served, now: datetime) -> None:
    database = it.town.gateway.database
    await database.apart(lambda each: rollups.refresh(each, now, rollups.Kept.alike(timedelta(days=3650))))


async def zone(it: Served, name: str) -> Any:
    (row,) = await it.town.rows("SELECT uid FROM zone WHERE id = %s", it.town.zones[name])
    return row["uid"]


async def refused(call: Any) -> str:
    with pytest.raises(ProblemError) as error:
        await call
    return f"{error.value.status} {error.value.reason}"


async def test_a_zones_activity_by_local_hours_and_days(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        for begin in (SPRING, AUTUMN):
            for hour in range(1, 4):
                utc = begin.timestamp() + 3600 * hour + 300
                await said(it, home, datetime.fromtimestamp(utc, UTC), hour)
        await reckon(it, SPRING + timedelta(days=1, hours=1))
        sone = await zone(it, "Sone")
        siri = await it.client("Siri")
        spring = await siri.activity(schemas.ActivityQuery(zone=sone, since=SPRING.date(), until=SPRING.date()))
        autumn = await siri.activity(schemas.ActivityQuery(zone=sone, since=AUTUMN.date(), until=AUTUMN.date()))
        assert [each.hours[:5] for each in spring.days] == [[0, 1, 0, 2, 3]], "there was no hour two"
        assert [each.hours[:5] for each in autumn.days] == [[0, 1, 2 + 3, 0, 0]], "there were two of them"
        assert spring.counted_until == SPRING + timedelta(days=1)
        kinds = schemas.ActivityQuery(zone=sone, since=SPRING.date(), until=SPRING.date(), kinds=("e_lock",))
        assert sum((await siri.activity(kinds)).days[0].hours) == 0
        rows = list(
            csv.reader(
                io.StringIO(
                    await siri.activity_csv(schemas.ActivityQuery(zone=sone, since=SPRING.date(), until=SPRING.date()))
                )
            )
        )
        assert rows[0] == ["day", *(f"{hour:02}" for hour in range(24))]
        assert rows[1][:5] == ["2026-03-29", "0", "1", "0", "2"]

        # The same of one device, and of whoever has it, long after: who looked is in the audit.
        await it.town.rows(BEATS, AUTUMN, home.fall_alarm.id)
        await it.town.rows("UPDATE rollup SET reckoned_until = NULL")
        await reckon(it, SPRING + timedelta(days=1, hours=1))
        (device,) = await it.town.rows("SELECT uid FROM device WHERE id = %s", home.fall_alarm.id)
        (resident,) = await it.town.rows("SELECT uid FROM resident WHERE id = %s", home.resident)
        when: Any = {"since": AUTUMN, "until": AUTUMN + timedelta(days=1)}
        (day,) = (await siri.counted(schemas.CountedQuery(device=device["uid"], **when))).lines
        assert (day.begin, day.types) == (AUTUMN, {"worn": 6})
        assert day.health == schemas.CountedHealth(
            messages=25, battery_min=56, battery_last=56, signal_min=-84, signal_mean=-72
        )
        hours = (await siri.counted(schemas.CountedQuery(resident=resident["uid"], step="hour", **when))).lines
        assert [each.types["worn"] for each in hours] == [1, 2, 3]
        assert {each.health for each in hours} == {None}
        only = schemas.CountedQuery(device=device["uid"], types=("not_worn",), **when)
        assert [each.types for each in (await siri.counted(only)).lines] == [{}], "it was there, and did not say that"
        looks = await it.town.rows(
            "SELECT actor_id FROM audit WHERE action = 'resident.observed' AND object_id = %s", home.resident
        )
        assert [each["actor_id"] for each in looks] == [it.town.staff["Siri"]]
        tek, liv = await it.client("Tek"), await it.client("Liv")
        assert len((await tek.counted(schemas.CountedQuery(device=device["uid"], **when))).lines) == 1
        assert await refused(tek.counted(schemas.CountedQuery(resident=resident["uid"]))) == "403 role"

        # One home tells how somebody lives: that is for care. A zone of others is nobody's.
        assert await refused(tek.activity(schemas.ActivityQuery(zone=sone))) == "422 too_few"
        assert await refused(liv.activity(schemas.ActivityQuery(zone=sone))) == "403 role"
        assert await refused(siri.activity(schemas.ActivityQuery(zone=await zone(it, "Øy")))) == "404 zone"
        backwards = schemas.ActivityQuery(zone=sone, since=SPRING.date(), until=AUTUMN.date())
        assert await refused(siri.activity(backwards)) == "422 range"
        for _ in range(4):
            await it.town.home()
        assert len((await tek.activity(schemas.ActivityQuery(zone=sone))).days) == 28


async def test_what_alerts_came_to(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        monday = datetime(2026, 3, 2, 8, 10, tzinfo=OSLO)
        await closed(it, "Sone", monday, "false_by_user", 50, 3)
        await closed(it, "Sone", monday, "real", 100)
        await closed(it, "Sone", monday + timedelta(days=1, hours=2), None, None, 2)
        await closed(it, "Øy", monday, "real", 300)
        await reckon(it, monday + timedelta(days=3))
        until, since = monday.date() + timedelta(days=2), monday.date()
        siri, ada = await it.client("Siri"), await it.client("Ada")

        async def lines(who: Any, **asked: Any) -> list[dict[str, Any]]:
            found = await who.alert_statistics(schemas.AlertStatisticsQuery(since=since, until=until, **asked))
            assert found.counted_until is not None
            return [each.model_dump(mode="json", exclude_unset=True) for each in found.lines]

        by_cause = await lines(siri, step="all", per=("cause",))
        assert [(each["cause"], each["count"], each["false_alarms"]) for each in by_cause] == [
            ("false_by_user", 3, 3), ("real", 1, 0), (None, 2, 0),
        ]  # fmt: skip
        assert (by_cause[0]["answered_in_60_s"], by_cause[0]["answer_seconds"]) == (3, 150)
        assert (by_cause[1]["answered_in_60_s"], by_cause[1]["answered_in_180_s"]) == (0, 1)
        assert by_cause[2]["answered"] == 0
        days = await lines(siri)
        assert [(each["begin"][:16], each["count"]) for each in days] == [
            ("2026-03-01T23:00", 4),
            ("2026-03-02T23:00", 2),
        ]
        hours = await lines(siri, step="hour_of_day", per=("condition",))
        assert [(each["hour"], each["condition"], each["count"]) for each in hours] == [(8, "fall", 4), (10, "fall", 2)]
        zones = await lines(ada, step="all", per=("zone",))
        assert {each["zone"]["name"]: each["count"] for each in zones} == {"Sone": 6, "Øy": 1}
        assert (await lines(ada, step="hour", track="technical")) == []
        assert len(await lines(ada, step="hour", zone=await zone(it, "Øy"), conditions=("fall",))) == 1
        table = list(csv.DictReader(io.StringIO(await ada.alert_statistics_csv(
            schemas.AlertStatisticsQuery(since=since, until=until, step="day", per=("zone", "cause"))))))  # fmt: skip
        assert list(table[0])[:5] == ["zone_id", "zone", "begin", "cause", "count"]
        assert sum(int(each["count"]) for each in table) == 7
        for name in ("Tek", "Kari"):
            assert await refused((await it.client(name)).alert_statistics()) == "403 role"
        assert (
            await refused(siri.alert_statistics(schemas.AlertStatisticsQuery(zone=await zone(it, "Øy")))) == "404 zone"
        )


async def test_the_fleet_is_counted_as_the_list_of_devices_has_it(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        town = it.town
        first = await town.home()
        await town.home(zone="Øy")
        fall = await it.fall()
        await town.says(first.fall_alarm, "heartbeat", battery=11, rssi=-104)
        await town.rows("UPDATE zone SET name = '=Sone' WHERE id = %s", town.zones["Sone"])
        await town.rows("UPDATE device SET silent_after_seconds = 3600 WHERE kind = 'fall_alarm'")
        await town.passes(hours=3)
        tek, siri = await it.client("Tek"), await it.client("Siri")
        found = (await tek.fleet_health()).lines
        falls = {each.zone.name: each for each in found if each.kind == "fall_alarm"}
        assert (
            falls["=Sone"].devices,
            falls["=Sone"].fitted,
            falls["=Sone"].battery_low,
            falls["=Sone"].signal_weak,
        ) == (2, 2, 1, 1)
        assert falls["=Sone"].silent > 0
        zones = [town.zones["Sone"], town.zones["Øy"]]
        asked = Search(zones)
        known = Known(Sight(town.staff["Tek"], [], zones), {})
        counted = await town.gateway.database.run(lambda each: silent(each, asked, known, town.now))
        assert sum(each.silent for each in (await tek.fleet_health()).lines) == counted[0] > 0
        assert {each.zone.name for each in (await siri.fleet_health()).lines} == {"=Sone"}
        only = await tek.fleet_health(schemas.FleetQuery(zone=await zone(it, "Øy")))
        assert {each.zone.name for each in only.lines} == {"Øy"}
        table = list(csv.DictReader(io.StringIO(await siri.fleet_health_csv())))
        assert {each["zone"] for each in table} == {"'=Sone"}, "no formula for a spreadsheet"
        assert "Beboer" not in str(found)

        # What becomes of the alert is counted by the gateway itself.
        await town.answers("Kari", fall, "claim")
        await town.done("Kari", fall)
        await town.passes(hours=2)
        assert await town.gateway.timekeeper.reckon() > 0
        query = schemas.AlertStatisticsQuery(step="hour", per=("condition", "cause"), track=Track.CARE)
        (line,) = (await siri.alert_statistics(query)).lines
        assert (line.condition, line.count, line.answered, line.cause) == ("fall", 1, 1, Cause.REAL)
        assert line.close_seconds > line.answer_seconds > 3600


async def test_what_alerts_were_in_the_national_codes(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        monday = datetime(2026, 3, 2, 0, 10, tzinfo=OSLO)
        await closed(it, "Sone", monday, "real", 50, 3, ("4.1", "talked", "8"))
        await closed(it, "Sone", monday + timedelta(hours=23), "real", 200, 1, ("4.12", "visited", "9"))
        await closed(it, "Sone", monday + timedelta(hours=25), "false_by_user", 20, 1, (None, "nothing", None))
        await closed(it, "Øy", monday, "real", 50, 1, ("4.1", "talked", "8"))
        await reckon(it, monday + timedelta(days=3))
        siri = await it.client("Siri")
        days: Any = {"since": monday.date(), "until": monday.date() + timedelta(days=1)}

        async def lines(**asked: Any) -> list[dict[str, Any]]:
            found = await siri.alert_statistics(schemas.AlertStatisticsQuery(**days, **asked))
            return [each.model_dump(mode="json", exclude_unset=True) for each in found.lines]

        by_code = await lines(step="all", per=("cause", "cause_code"))
        assert [(each["cause"], each["cause_code"], each["count"]) for each in by_code] == [
            ("false_by_user", None, 1), ("real", "4.1", 3), ("real", "4.12", 1),
        ]  # fmt: skip
        assert (by_code[1]["answered_in_60_s"], by_code[1]["answer_seconds"], by_code[2]["answered_in_60_s"]) == (
            3,
            150,
            0,
        )
        by_day = await lines(step="day", per=("action", "action_code"))
        assert [(each["begin"][:16], each["action"], each["action_code"], each["count"]) for each in by_day] == [
            ("2026-03-01T23:00", "talked", "8", 3),
            ("2026-03-01T23:00", "visited", "9", 1),
            ("2026-03-02T23:00", "nothing", None, 1),
        ]
        hours = await lines(step="hour_of_day", per=("action",))
        assert [(each["hour"], each["action"], each["count"]) for each in hours] == [
            (0, "talked", 3), (1, "nothing", 1), (23, "visited", 1),
        ]  # fmt: skip

        # Counted from facts or from rollups, it comes to the same.
        for step in ("hour", "day", "hour_of_day", "all"):
            told = await lines(step=step, per=("cause", "severity"))
            counted = await lines(step=step, per=("cause", "severity", "action_code"))
            for name in ("count", "false_alarms", "answered", "answered_in_180_s", "answer_seconds", "close_seconds"):
                assert sum(each[name] for each in told) == sum(each[name] for each in counted), (step, name)
        table = list(csv.DictReader(io.StringIO(await siri.alert_statistics_csv(
            schemas.AlertStatisticsQuery(**days, step="all", per=("cause_code", "action_code"))))))  # fmt: skip
        assert list(table[0])[:3] == ["cause_code", "action_code", "count"]
        assert {(each["cause_code"], each["action_code"]): each["count"] for each in table} == {
            ("4.1", "8"): "3", ("4.12", "9"): "1", ("", ""): "1",
        }  # fmt: skip
