"""Patterns of several weeks, set and ended whole, turns that replace others, and a plan looked at before it is one."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import UUID

import pytest
from pydantic import ValidationError

from gateway.api import schemas
from gateway.embedded import Broker
from tests.gateway.api.test_register import refusal, zone
from tests.gateway.api.test_rosters import MORNING, OSLO, Zone, arranged
from tests.gateway.served import served

MONDAY = MORNING.date()
DAY = timedelta(days=1)
SOMEBODY = UUID(int=1)


def cell(week: int, weekday: int, start: int, end: int) -> schemas.PatternShift:
    return schemas.PatternShift(week=week, weekday=weekday, start=time(start), end=time(end))


def pattern(sone: Zone, **more: object) -> schemas.PatternRequest:
    """Berit serves nights of Monday in one week, days of Tuesday in the other."""
    given = {
        "person": sone.staff["Berit"],
        "weeks": 2,
        "from_date": MONDAY,
        "shifts": (cell(0, 0, 23, 7), cell(1, 1, 7, 15)),
    }
    return schemas.PatternRequest.model_validate({**given, **more})


async def shifts_of(sone: Zone, name: str) -> list[schemas.ShiftView]:
    return [each for each in (await sone.clients["Siri"].roster(sone.uid)).shifts if each.person.name == name]


def seen(shifts: list[schemas.ShiftView]) -> tuple[schemas.Seen, ...]:
    return tuple(schemas.Seen(id=each.id, version=each.version) for each in shifts)


async def nights(sone: Zone) -> list[bool]:
    """Whether Berit serves at midnight after each of four Mondays."""
    at = MORNING.replace(hour=0) + DAY
    return [("Berit", "pattern") in await sone.serving(at + timedelta(weeks=week)) for week in range(4)]


@pytest.mark.parametrize("wrong", [
    {"weeks": 1}, {"to_date": MONDAY - DAY}, {"shifts": ()}, {"shifts": (cell(0, 0, 7, 8), cell(0, 0, 7, 9))}, {"weeks": 27},
])  # fmt: skip
def test_what_makes_no_pattern(wrong: dict[str, object]) -> None:
    sone = Zone(None, SOMEBODY, {}, {"Berit": SOMEBODY})  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        pattern(sone, **wrong)


async def test_a_pattern_is_looked_at_set_changed_and_ended_whole(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        sone = await arranged(it)
        siri, kari = sone.clients["Siri"], sone.clients["Kari"]

        # Looked at: by the code that alerts go by, and without a trace.
        asked = schemas.PlanPreview(pattern=pattern(sone), since=MORNING, until=MORNING + 4 * 7 * DAY)
        audits = await it.town.rows("SELECT count(*) AS n FROM audit")
        shown = await siri.preview_plan(sone.uid, asked)
        served_by = [span for span in shown.spans if "Berit" in [each.name for each in span.on_duty]]
        assert [span.since for span in served_by] == [
            datetime(2026, 3, 9, 23, tzinfo=OSLO), datetime(2026, 3, 17, 7, tzinfo=OSLO),
            datetime(2026, 3, 23, 23, tzinfo=OSLO), datetime(2026, 3, 31, 7, tzinfo=OSLO),
        ]  # fmt: skip
        assert await shifts_of(sone, "Berit") == []
        assert await it.town.rows("SELECT count(*) AS n FROM audit") == audits
        assert await refusal(kari.preview_plan(sone.uid, asked)) == "403 role"
        assert await refusal(siri.preview_plan(await zone(it, "Øy"), asked)) == "404 zone"
        liv = asked.model_copy(update={"pattern": pattern(sone, person=sone.staff["Liv"])})
        assert await refusal(siri.preview_plan(sone.uid, liv)) == "422 person"

        # Set: all of it.
        made = await siri.add_pattern(sone.uid, pattern(sone))
        assert [(each.week, each.weekday, each.weeks, each.anchor) for each in made] == [
            (0, 0, 2, MONDAY),
            (1, 1, 2, MONDAY),
        ]
        assert await nights(sone) == [True, False, True, False]

        # Changed from the third week on: what was ends on the day before, and weeks are counted as before.
        third = MONDAY + 14 * DAY
        change = pattern(sone, from_date=third, anchor=MONDAY, shifts=(cell(1, 0, 23, 7),), replaces=seen(made))
        before = await siri.preview_plan(
            sone.uid, schemas.PlanPreview(pattern=change, since=MORNING + 14 * DAY, until=MORNING + 28 * DAY)
        )
        assert [span.since for span in before.spans if "Berit" in [each.name for each in span.on_duty]] == [
            datetime(2026, 3, 30, 23, tzinfo=OSLO)
        ]
        (changed,) = await siri.add_pattern(sone.uid, change)
        assert await nights(sone) == [True, False, False, True]
        assert {each.to_date for each in await shifts_of(sone, "Berit")} == {third - DAY, None}
        assert await refusal(siri.add_pattern(sone.uid, change)) == "409 stale"

        # What has begun ends no earlier; what has not is taken back, all of it or nothing.
        early = schemas.PatternEnd(shifts=seen(await shifts_of(sone, "Kari")), last_day=date(2025, 12, 31))
        assert await refusal(siri.end_pattern(sone.uid, early)) == "422 begun"
        both = schemas.PatternEnd(shifts=(*seen([changed]), schemas.Seen(id=made[0].id, version=1)), last_day=MONDAY)
        assert await refusal(siri.end_pattern(sone.uid, both)) == "409 stale"
        assert len(await shifts_of(sone, "Berit")) == 3, "the first of the two was not taken back either"
        gone = schemas.PatternEnd(shifts=seen([changed]), last_day=MONDAY)
        assert await refusal(kari.end_pattern(sone.uid, gone)) == "403 role"
        assert await refusal(sone.clients["Ada"].end_pattern(await zone(it, "Øy"), gone)) == "404 shift"
        await siri.end_pattern(sone.uid, gone)
        assert await nights(sone) == [True, False, False, False]
        lines = await it.town.rows("SELECT action, params FROM audit WHERE action LIKE 'roster.pattern%' ORDER BY id")
        assert [each["action"] for each in lines] == ["roster.pattern_set"] * 2 + ["roster.pattern_ended"]
        assert lines[0]["params"]["person"] == it.town.staff["Berit"]


async def test_turns_replace_others_from_a_day_on(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        sone = await arranged(it)
        siri = sone.clients["Siri"]
        turns = schemas.RotationRequest(
            name="Bakvakt",
            persons=(sone.staff["Berit"],),
            first_day=MONDAY,
            hand_over=time(7),
            start=time(7),
            end=time(15),
        )
        first = await siri.add_rotation(sone.uid, turns)
        old = schemas.Seen(id=first.id, version=first.version)
        later = turns.model_copy(
            update={"first_day": MONDAY + 7 * DAY, "persons": (sone.staff["Ola"],), "replaces": old}
        )
        shown = await siri.preview_plan(
            sone.uid,
            schemas.PlanPreview(rotation=later, since=MORNING + 7 * DAY, until=MORNING + 7 * DAY + timedelta(hours=1)),
        )
        assert [each.name for each in shown.spans[0].on_duty] == ["Kari", "Ola"]
        second = await siri.add_rotation(sone.uid, later)
        assert {each.id: each.to_date for each in (await siri.roster(sone.uid)).rotations} == {
            first.id: MONDAY + 6 * DAY, second.id: None,
        }  # fmt: skip
        other = later.model_copy(
            update={"role": "technical", "persons": (), "replaces": schemas.Seen(id=second.id, version=1)}
        )
        assert (
            await refusal(siri.add_rotation(sone.uid, other.model_copy(update={"persons": (sone.staff["Ola"],)})))
            == "404 rotation"
        )
        instead = turns.model_copy(update={"replaces": schemas.Seen(id=second.id, version=second.version)})
        third = await siri.add_rotation(sone.uid, instead)
        assert {each.id for each in (await siri.roster(sone.uid)).rotations} == {first.id, third.id}, "it had not begun"
