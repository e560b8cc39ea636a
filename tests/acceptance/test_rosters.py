"""Who is on duty when people fall ill, do not turn up, celebrate Christmas or put the clocks forward: whom an alert pages."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest

from gateway.api import schemas
from gateway.embedded import Broker
from gateway.store import municipality
from tests.support.world import World, world

NIGHT = datetime(2026, 3, 3, 21, 30, tzinfo=UTC)
"""22:30 in Oslo: the night has begun, at 22:00."""


async def nights(town: World) -> None:
    """Kari and Ola serve every night from 22:00 to 07:00, Kari first. Berit and nobody else serves by day."""
    await town.off_duty("Kari", "Ola")
    await town.person("Berit", "responder")
    for name, position, start, end in (("Kari", 0, 22, 7), ("Ola", 1, 22, 7), ("Berit", 0, 7, 22)):
        await shift(town, name, time(start), time(end), position)


async def shift(town: World, name: str, start: time, end: time, position: int) -> None:
    """Every day of the week."""
    zone = town.zones["Sone"]
    for weekday in range(7):
        await town.gateway.database.run(
            lambda each, day=weekday: municipality.add_shift(  # type: ignore[misc]
                each, town.staff[name], zone, "responder", day, start, end, position, datetime(2026, 1, 1).date()
            )
        )


async def uid(town: World, table: str, id_: int) -> UUID:
    (row,) = await town.rows(f"SELECT uid FROM {table} WHERE id = %s", id_)
    found: UUID = row["uid"]
    return found


async def sone(town: World) -> UUID:
    return await uid(town, "zone", town.zones["Sone"])


async def falls(town: World) -> list[str]:
    """Somebody falls in a new home; who is paged at once."""
    home = await town.home()
    await town.news()
    await town.says(home.fall_alarm, "fall")
    return await town.news()


async def missed(town: World) -> int:
    """How many open alerts there are about somebody who has not checked in."""
    return len(await town.rows("SELECT 1 FROM alert WHERE condition = 'not_checked_in' AND closed_at IS NULL"))


async def check_in_is_used(town: World, minutes: int = 10) -> None:
    """Everybody here has the app alone: without tests, nothing is said of that."""
    siri, zone = await town.who("Siri"), await sone(town)
    await town.gateway.front.set_check_in(siri, zone, schemas.CheckInSetting(minutes=minutes, tests=False))
    await town.settle()


# Illness --------------------------------------------------------------------------------------------------------------


async def test_sick_at_two_at_night_and_the_cover_is_paged(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NIGHT) as town:
        await nights(town)
        await town.person("Liv", "responder")
        front, kari, siri = town.gateway.front, await town.who("Kari"), await town.who("Siri")
        await town.passes(hours=3, minutes=30)
        assert await falls(town) == ["Kari"]
        sick = await front.report_absence(kari, schemas.AbsenceRequest())
        assert await falls(town) == ["Ola"], "a gap, and the next one is first"
        liv = await uid(town, "person", town.staff["Liv"])
        covered = await front.change_absence(siri, sick.id, schemas.AbsenceChange(version=sick.version, cover=liv))
        assert covered.cover is not None
        assert await falls(town) == ["Liv"]
        assert (await front.duty(siri, await sone(town), schemas.DutyQuery())).spans[0].on_duty[0].model_dump(
            include={"name", "why"}
        ) == {"name": "Liv", "why": "cover"}
        back = schemas.AbsenceChange(version=covered.version, ends=town.now + timedelta(hours=1))
        await front.change_absence(kari, sick.id, back)
        await town.passes(hours=1)
        await town.news()
        assert await falls(town) == ["Kari"]
        told = [
            (row["action"], row["actor_id"]) for row in await town.rows("SELECT * FROM audit WHERE object = 'absence'")
        ]
        assert told == [
            ("absence.reported", town.staff["Kari"]),
            ("absence.changed", town.staff["Siri"]),
            ("absence.changed", town.staff["Kari"]),
        ]


# Check-in -------------------------------------------------------------------------------------------------------------


async def test_who_has_not_checked_in_is_passed_over_and_the_lead_is_told(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NIGHT - timedelta(minutes=35)) as town:
        await nights(town)
        await check_in_is_used(town)
        front, kari, ola = town.gateway.front, await town.who("Kari"), await town.who("Ola")
        there = (await front.check_in(ola)).check_in
        assert [(each.zone.name, each.presence) for each in there] == [("Sone", "checked_in")]
        await town.passes(minutes=14)
        assert await town.news() == ["Siri"], "Berit has not checked in to her day, which is nearly over"
        assert await falls(town) == ["Kari"], "her ten minutes are not over"
        await town.passes(minutes=1)
        assert "Siri" in await town.news()
        assert await missed(town) == 1, "Berit's is over, as her day is"
        assert await falls(town) == ["Ola"]
        fall = (await town.alerts("fall"))[-1]["uid"]
        (passed_over,) = await town.entries(fall, "passed_over_not_checked_in")
        assert passed_over["persons"] == [town.staff["Kari"]]

        await town.passes(seconds=30)
        await front.check_in(kari)
        await town.settle()
        assert await missed(town) == 0, "over by itself"
        assert await falls(town) == ["Kari"]
        await town.passes(seconds=10)
        await front.check_out(kari)
        await town.settle()
        assert await falls(town) == ["Ola"]
        assert await missed(town) == 1, "who leaves before the end is missed, too"
        lead = (await town.rows("SELECT uid FROM alert WHERE condition = 'not_checked_in' AND closed_at IS NULL"))[0][
            "uid"
        ]
        await town.done("Siri", lead)
        await town.gateway.front.check_in(ola)
        await town.passes(minutes=20)
        assert await missed(town) == 0, "what the lead has closed stays closed"
        (out, *_) = await town.entries((await town.alerts("fall"))[-1]["uid"], "passed_over_checked_out")
        assert out["persons"] == [town.staff["Kari"]]


async def test_the_only_one_is_paged_all_the_same(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NIGHT) as town:
        await nights(town)
        await check_in_is_used(town)
        assert sorted(await town.news()) == ["Siri", "Siri"]
        assert await falls(town) == ["Kari"], "neither has: both are paged as ever"
        await town.gateway.front.check_in(await town.who("Ola"))
        await town.unreachable("Ola")
        assert await falls(town) == ["Kari"], "he who is there cannot be reached"
        await town.reachable("Ola")
        assert await falls(town) == ["Ola"]
        await check_in_is_used(town, minutes=0)
        await town.settle()
        assert await missed(town) == 0
        assert await falls(town) == ["Kari"]


async def test_a_rehearsal_for_now_passes_over_who_has_not_checked_in(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NIGHT) as town:
        await nights(town)
        siri, zone = await town.who("Siri"), await sone(town)

        async def first(at: timedelta) -> tuple[list[str], list[tuple[str, str]], bool]:
            """Who is called first, who is not and why, and whether that assumes that everybody checks in."""
            query = schemas.RehearsalQuery(zone=zone, at=town.now + at)
            found = await town.gateway.front.rehearsal(siri, query)
            missed = [(each.person.name, each.reason.value) for each in found.rungs[0].missed]
            return [each.person.name for each in found.rungs[0].called], missed, found.assumes_check_in

        assert await first(timedelta(0)) == (["Kari"], [], False)
        assert await first(timedelta(days=1)) == (["Kari"], [], False)
        await check_in_is_used(town)
        await town.gateway.front.check_in(await town.who("Ola"))
        assert await first(timedelta(0)) == (["Ola"], [("Kari", "not_checked_in")], False)
        assert await first(timedelta(days=1)) == (["Kari"], [], True)
        assert await falls(town) == ["Ola"], "as it is when it is real"


async def test_whoever_is_alone_in_having_checked_in_and_needs_help_gets_the_other(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker, start=NIGHT) as town:
        await nights(town)
        await check_in_is_used(town)
        await town.gateway.front.check_in(await town.who("Ola"))
        await town.unreachable("Siri", "Vakt")
        await town.settle()
        assert await falls(town) == ["Ola"]
        fall = (await town.alerts("fall"))[-1]["uid"]
        await town.answers("Ola", fall, "claim")
        await town.answers("Ola", fall, "need_help")
        assert await town.news() == ["Kari"], "who has not checked in is better than nobody"
        (called,) = await town.entries(fall, "called_all_the_same")
        assert called["persons"] == [town.staff["Kari"]]


async def test_a_lead_who_is_away_is_not_called_as_long_as_another_one_can_be(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker, start=NIGHT) as town:
        await town.person("Tor", "lead")
        sick = await town.gateway.front.report_absence(await town.who("Siri"), schemas.AbsenceRequest())
        await town.unreachable("Kari", "Ola", "Vakt")
        assert await falls(town) == ["Tor"]
        await town.unreachable("Tor")
        assert await falls(town) == ["Siri"], "she is the last one"
        back = schemas.AbsenceChange(version=sick.version, ends=town.now + timedelta(hours=1))
        await town.gateway.front.change_absence(await town.who("Siri"), sick.id, back)


async def test_the_auditor_hears_of_what_becomes_of_rosters(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NIGHT) as town:
        front, siri, auditor = town.gateway.front, await town.who("Siri"), town.gateway.auditor
        zone, kari, day = await sone(town), await uid(town, "person", town.staff["Kari"]), NIGHT.date()
        shift_ = schemas.ShiftRequest(
            role="responder", person=kari, weekday=0, start=time(7), end=time(15), from_date=day
        )
        calendar = "\r\n".join(
            (
                *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20260301T000000Z"),
                *("DTSTART:20260304T070000Z", "DTEND:20260304T150000Z", "ATTENDEE;CN=Kari:mailto:kari@example.org"),
                *("END:VEVENT", "END:VCALENDAR", ""),
            )
        )
        asked = schemas.ImportRequest(
            role="responder",
            source="plan",
            since=day,
            until=day + timedelta(days=7),
            calendar=calendar,
            people={},
            apply=True,
        )
        happens = (
            lambda: front.add_shift(siri, zone, shift_),
            lambda: front.report_absence(siri, schemas.AbsenceRequest(person=kari)),
            lambda: front.import_calendar(siri, zone, asked),
        )
        assert await auditor.run_once()
        for each in happens:
            assert not await auditor.run_once()
            await each()
            assert await auditor.run_once()


# Days that are not as others ------------------------------------------------------------------------------------------


async def test_christmas_eve(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=datetime(2026, 12, 24, 9, tzinfo=UTC)) as town:
        await nights(town)
        siri, zone, front = await town.who("Siri"), await sone(town), town.gateway.front
        ola = await uid(town, "person", town.staff["Ola"])
        eve = schemas.ShiftRequest(
            person=ola, on_days=("christmas_eve",), start=time(8), end=time(17), from_date=datetime(2026, 1, 1).date()
        )
        assert await falls(town) == ["Berit"]
        made = await front.add_shift(siri, zone, eve)
        assert (made.weekday, made.on_days) == (None, ["christmas_eve"])
        assert await falls(town) == ["Ola"]
        await town.passes(hours=7)
        await town.news()
        assert await falls(town) == ["Berit"], "for the evening the eve's pattern has nobody: it is as any Thursday's"
        await town.passes(hours=17)
        await town.news()
        assert await falls(town) == ["Berit"], "and the day after is no eve"


@pytest.mark.parametrize(("evening", "hours"), [("2026-03-28T20:59", 8), ("2026-10-24T19:59", 10)])
async def test_the_night_in_which_the_clocks_change(
    migrated_url: str, broker: Broker, evening: str, hours: int
) -> None:
    async with world(migrated_url, broker, start=datetime.fromisoformat(evening).replace(tzinfo=UTC)) as town:
        await nights(town)
        siri, zone, since = await town.who("Siri"), await sone(town), town.now
        served = await town.gateway.front.duty(
            siri, zone, schemas.DutyQuery(since=since, until=since + timedelta(hours=14))
        )
        night = served.spans[1]
        assert [each.name for each in night.on_duty] == ["Kari", "Ola"]
        assert (night.since.hour, night.until.hour, night.until.astimezone(UTC) - night.since.astimezone(UTC)) == (
            22,
            7,
            timedelta(hours=hours),
        )
        assert await falls(town) == ["Berit"]
        await town.passes(minutes=1)
        assert await falls(town) == ["Kari"]
