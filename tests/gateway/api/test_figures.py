"""Figures through the API: how long answers took, who has too many alerts, who may see which, and that a name is in the log."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Cause
from alerts.model import Track
from gateway.api import schemas
from gateway.client import ProblemError
from gateway.embedded import Broker
from gateway.figures import whole_months
from tests.gateway.served import Served, served
from tests.support.town import Home

OSLO = ZoneInfo("Europe/Oslo")
MONDAY = datetime(2026, 3, 2, 8, 10, tzinfo=OSLO)


async def fact(
    it: Served, zone: str, raised: datetime, cause: str | None, answer: int | None, there: int | None = None
) -> None:
    await it.town.rows(
        """INSERT INTO alert_fact (raised_at, closed_at, zone_id, condition, kind, severity, track, cause, answer_seconds,
                                   on_site_seconds, close_seconds)
           SELECT at, at, %s, 'fall', 'fall_alarm', 40, 'care', %s, %s, %s, 3600
           FROM (SELECT date_trunc('hour', %s::timestamptz, 'UTC') AS at) a""",
        it.town.zones[zone], cause, answer, there, raised,
    )  # fmt: skip


async def had(
    it: Served, home: Home, raised: datetime, times: int = 1, cause: str = "real", track: str = "care"
) -> None:
    """Alerts of a home that are closed."""
    await it.town.rows(
        """INSERT INTO alert (uid, key, condition, severity, track, site_id, zone_id, device_id, installation_id, dwelling_id, resident_id,
                              occurred_at, raised_at, late_seconds, policy_version_id, policy, stage, closed_at, version, attempt, cause)
           SELECT gen_random_uuid(), 'k', 'fall', 40, %s, d.site_id, w.zone_id, d.id, i.id, w.id, i.resident_id, %s, %s, 0,
                  (SELECT min(id) FROM policy_version), '{}', 'closed', %s, 1, 1, %s
           FROM installation i JOIN device d ON d.id = i.device_id JOIN dwelling w ON w.id = i.dwelling_id,
                generate_series(1, %s) WHERE d.id = %s""",
        track, raised, raised, raised, cause, times, home.fall_alarm.id,
    )  # fmt: skip


async def refused(call: Any) -> str:
    with pytest.raises(ProblemError) as error:
        await call
    return f"{error.value.status} {error.value.reason}"


@given(st.dates(date(1990, 1, 1), date(2190, 1, 1)), st.integers(0, 400))
def test_months_are_whole_and_no_longer_than_they_have_to_be(since: date, days: int) -> None:
    until = since + timedelta(days=days)
    first, last = whole_months(since, until)
    assert (first.day, (last + timedelta(days=1)).day) == (1, 1)
    assert (first.year, first.month, last.year, last.month) == (since.year, since.month, until.year, until.month)


async def test_how_long_answers_took(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        for seconds in (10, 20, 30, 40, 50, 60, 61, 180, 181, 900):
            await fact(it, "Sone", MONDAY, "real" if seconds < 100 else "false_by_user", seconds, 10 * seconds)
        await fact(it, "Sone", MONDAY + timedelta(hours=3), None, None)
        await fact(it, "Øy", MONDAY, "real", 7)
        await fact(it, "Øy", MONDAY.replace(hour=0, minute=0) - timedelta(hours=1), "real", 7)
        siri, ada = await it.client("Siri"), await it.client("Ada")
        monday: Any = {"since": MONDAY.date(), "until": MONDAY.date()}
        (whole,) = (await siri.answer_times(schemas.AnswerTimesQuery(**monday))).lines
        assert (whole.alerts, whole.answered, whole.answered_in_60_s, whole.answered_in_180_s) == (11, 10, 6, 8)
        assert (whole.answer_median_seconds, whole.answer_p90_seconds, whole.false_alarms) == (50, 181, 3)
        assert (whole.on_site, whole.on_site_in_30_min, whole.on_site_median_seconds) == (10, 8, 500)
        assert whole.on_site_p90_seconds == 1810
        hours = (await siri.answer_times(schemas.AnswerTimesQuery(**monday, per=("hour",)))).lines
        assert [(each.hour, each.alerts, each.answer_median_seconds) for each in hours] == [(8, 10, 50), (11, 1, None)]
        causes = (await siri.answer_times(schemas.AnswerTimesQuery(**monday, per=("cause", "condition")))).lines
        assert [(each.cause, each.condition, each.alerts) for each in causes] == [
            (Cause.FALSE_BY_USER, "fall", 3), (Cause.REAL, "fall", 7), (None, "fall", 1),
        ]  # fmt: skip
        zones = (await ada.answer_times(schemas.AnswerTimesQuery(**monday, per=("zone",)))).lines
        assert {each.zone.name: each.alerts for each in zones if each.zone} == {"Sone": 11, "Øy": 1}, (
            "yesterday is not today"
        )
        assert (
            await siri.answer_times(schemas.AnswerTimesQuery(since=date(2020, 1, 1), until=date(2020, 1, 2)))
        ).lines == []
        table = list(csv.DictReader(io.StringIO(await ada.answer_times_csv(
            schemas.AnswerTimesQuery(**monday, per=("zone", "cause"))))))  # fmt: skip
        assert list(table[0])[:4] == ["zone_id", "zone", "cause", "alerts"]
        assert sum(int(each["alerts"]) for each in table) == 12
        for name in ("Tek", "Kari"):
            assert await refused((await it.client(name)).answer_times()) == "403 role"
        sone, oy = [
            (await it.town.rows("SELECT uid FROM zone WHERE name = %s", name))[0]["uid"] for name in ("Sone", "Øy")
        ]
        assert await refused(siri.answer_times(schemas.AnswerTimesQuery(zone=oy))) == "404 zone"
        assert len((await siri.answer_times(schemas.AnswerTimesQuery(**monday, zone=sone))).lines) == 1
        backwards = schemas.AnswerTimesQuery(since=MONDAY.date(), until=date(2020, 1, 1))
        assert await refused(siri.answer_times(backwards)) == "422 range"


async def test_who_has_too_many_alerts(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        calm, loud, other = await it.town.home(), await it.town.home(), await it.town.home(zone="Øy")
        await had(it, calm, MONDAY, 30)
        await had(it, loud, MONDAY.replace(day=1), 20)
        await had(it, loud, MONDAY.replace(day=31, hour=23), 11, "false_by_device")
        await had(it, loud, MONDAY, 2, "real", "technical")
        await had(it, other, MONDAY, 3, "false_by_user")
        await it.town.rows("UPDATE resident SET name = '=Kåre' WHERE id = %s", loud.resident)
        siri, tek, ada = [await it.client(name) for name in ("Siri", "Tek", "Ada")]
        march: Any = {"since": date(2026, 3, 1), "until": date(2026, 3, 31)}

        found = await siri.resident_frequency(schemas.FrequencyQuery(**march, track=Track.CARE))
        assert (found.many_a_month, len(found.lines)) == (30, 2)
        first, second = found.lines
        assert (first.resident.name, first.alerts, first.closed, first.false_alarms) == ("=Kåre", 31, 31, 11)
        assert [(each.most_in_a_month, each.marked, each.zone.name) for each in (first, second)] == [
            (31, True, "Sone"), (30, False, "Sone"),
        ]  # fmt: skip
        week = schemas.FrequencyQuery(since=date(2026, 3, 2), until=date(2026, 3, 8), marked=True)
        (line,) = (await siri.device_frequency(week)).lines
        assert (line.alerts, line.most_in_a_month, line.marked, line.kind) == (2, 33, True, "fall_alarm")
        assert line.device.name == loud.fall_alarm.address.address
        (most,) = (await ada.device_frequency(schemas.FrequencyQuery(**march, limit=1))).lines
        assert (most.alerts, most.false_alarms) == (33, 11)
        zones = {each.zone.name for each in (await ada.device_frequency(schemas.FrequencyQuery(**march))).lines}
        assert zones == {"Sone", "Øy"}

        # Technical services see what is theirs, and nobody's name.
        (only,) = (await tek.device_frequency(schemas.FrequencyQuery(**march))).lines
        assert (only.device.name, only.alerts, only.marked) == (loud.fall_alarm.address.address, 2, False)
        for name in ("Tek", "Kari"):
            assert await refused((await it.client(name)).resident_frequency()) == "403 role"
        assert await refused((await it.client("Kari")).device_frequency()) == "403 role"

        # A name is told as one is told everywhere: in the log, and not as a formula.
        looks = await it.town.rows(
            "SELECT DISTINCT actor_id, object_id FROM audit WHERE action = 'resident.named' ORDER BY object_id"
        )
        assert [(each["actor_id"], each["object_id"]) for each in looks] == [
            (it.town.staff["Siri"], calm.resident), (it.town.staff["Siri"], loud.resident),
        ]  # fmt: skip
        table = list(csv.DictReader(io.StringIO(await siri.resident_frequency_csv(schemas.FrequencyQuery(**march)))))
        assert (table[0]["resident"], table[0]["zone"], table[0]["marked"]) == ("'=Kåre", "Sone", "True")
        devices = list(csv.DictReader(io.StringIO(await tek.device_frequency_csv(schemas.FrequencyQuery(**march)))))
        assert [each["device"] for each in devices] == [loud.fall_alarm.address.address]


async def test_an_alert_that_is_open_counts_and_a_notice_does_not(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        await it.fall()
        (alert,) = await it.town.alerts("fall")
        siri = await it.client("Siri")
        day = it.town.now.astimezone(UTC).date()
        query = schemas.FrequencyQuery(since=day - timedelta(days=1), until=day + timedelta(days=1))
        (line,) = (await siri.resident_frequency(query)).lines
        assert (line.alerts, line.closed, line.false_alarms) == (1, 0, 0)
        await it.town.rows("UPDATE alert SET notice = true WHERE id = %s", alert["id"])
        assert (await siri.resident_frequency(query)).lines == []
