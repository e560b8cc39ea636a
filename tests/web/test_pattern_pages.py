"""The pages of weekly patterns and turns: what stands, the forms without any script, who would be on duty, and what is refused where."""

from __future__ import annotations

from datetime import date, time
from urllib.parse import urlencode
from uuid import UUID

import httpx
import pytest

from gateway.web.patternform import Cell, Pattern, copied, groups, pattern
from tests.web import fake, fake_people
from tests.web.fake_rosters import OSLO, ROTATION, SHIFT, STAFF, ZONE, _shifts
from tests.web.places import EVERYTHING
from tests.web.test_policy_pages import text
from tests.web.test_rule_pages import fields

PATTERN, TURNS = "pattern-form", "rotation-form"
EDIT, NEW = f"/rosters/patterns/edit?pattern={SHIFT}", "/rosters/patterns/edit"
EDIT_TURNS = f"/rosters/rotations/edit?rotation={ROTATION}"


@pytest.fixture
def planner(front: fake.FakeFront) -> fake.FakeFront:
    front.sessions["token"] = EVERYTHING
    return front


async def send(nurse: httpx.AsyncClient, path: str, form: dict[str, list[str]], **more: object) -> httpx.Response:
    given = {**form, **{name.replace("__", "."): [str(value)] for name, value in more.items()}}
    body = urlencode([(name, value) for name, values in given.items() for value in values])
    return await nurse.post(
        path.partition("?")[0], content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )


def test_shifts_of_a_person_that_recur_together_are_one_pattern() -> None:
    shifts = _shifts()
    found = groups(shifts)
    assert [(each.person.name, len(each.shifts), each.weeks) for each in found] == [
        ("Ingrid Aase", 2, 2), ("Kari Nordbø", 1, 1), ("Ole-Jakob Tjensvoll", 1, 1),
    ]  # fmt: skip
    twice = shifts[0].model_copy(update={"id": UUID(int=99), "start": time(8), "end": time(10)})
    assert sorted(len(each.shifts) for each in groups([*shifts, twice])) == [1, 1, 1, 2], (
        "two shifts of one day are two patterns"
    )


def test_the_first_week_in_every_week() -> None:
    form = copied(Pattern(weeks=3, cells={(0, 1): Cell("07:00", "15:00"), (2, 3): Cell("08:00", "09:00")}))
    assert {each: cell for each, cell in form.cells.items() if cell != Cell()} == {
        (week, 1): Cell("07:00", "15:00") for week in range(3)
    }


def test_a_night_that_ends_where_it_begins_is_a_day() -> None:
    read = pattern(
        Pattern(person=str(UUID(int=1)), from_date="2026-12-01", cells={(0, 0): Cell("07:00", "07:00")}), "responder"
    )
    assert read.request is not None
    assert (read.request.shifts[0].start, read.request.shifts[0].end) == (time(7), time(7))


async def test_what_stands_and_who_may_change_it(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    page = await nurse.get("/rosters/patterns")
    for told in (
        "2 uker; uke 1 er den med 2. mars 2026",
        "22:00–07:00",
        "Bakvakt",
        "Julaften",
        "Fra Stavanger, som dekker denne sonen",
    ):
        assert told in text(page), told
    assert "20. nov. 2026" not in text(page), "what is over is left out"
    assert ("/rosters/patterns/edit" in page.text, "last_day" in page.text) == (False, False)
    for place in (EDIT, NEW, EDIT_TURNS):
        assert (await nurse.get(place)).status_code == 403
    front.sessions["token"] = EVERYTHING
    page = await nurse.get("/rosters/patterns?zone=nonsense&role=x")
    assert page.text.count('name="last_day"') == 3, "the municipality's is not ours to end"
    assert (await nurse.get("/rosters/patterns/edit?pattern=nonsense")).status_code == 404
    assert (await nurse.get(f"/rosters/patterns/edit?pattern={UUID(int=612)}")).status_code == 404


async def test_a_form_that_nobody_touched_says_the_pattern_as_it_is(
    nurse: httpx.AsyncClient, planner: fake.FakeFront
) -> None:
    form = fields((await nurse.get(EDIT)).text, PATTERN)
    done = await send(nurse, EDIT, form, do="save")
    assert (done.status_code, done.headers["location"]) == (303, f"/rosters/patterns?zone={ZONE.id}&role=responder")
    ((what, asked),) = planner.rostered
    assert (what, asked.person, asked.weeks, asked.anchor) == ("pattern", STAFF[0].id, 2, date(2026, 3, 2))
    assert asked.from_date == date(2026, 11, 23), "from tomorrow on"
    assert [(each.week, each.weekday, each.start, each.end) for each in asked.shifts] == [
        (0, 0, time(22), time(7)), (1, 4, time(7), time(15)),
    ]  # fmt: skip
    assert {(each.id, each.version) for each in asked.replaces} == {(SHIFT, 3), (UUID(int=611), 3)}


async def test_who_would_be_on_duty_is_shown_before_it_is_saved(
    nurse: httpx.AsyncClient, planner: fake.FakeFront
) -> None:
    form = fields((await nurse.get(EDIT)).text, PATTERN)
    shown = await send(nurse, EDIT, form, do="preview")
    assert ("Uke 48" in text(shown), "Uke 51" in text(shown), "Ingenting er lagret" in text(shown)) == (
        True,
        True,
        True,
    )
    ((what, asked),) = planner.rostered
    assert (what, asked.pattern.weeks, (asked.until - asked.since).days) == ("preview", 2, 28)
    assert fields(shown.text, PATTERN) == form, "what was written is still there"
    await send(nurse, EDIT, form, do="preview", from_date="2027-03-20")
    assert planner.rostered[-1][1].since.astimezone(OSLO).date() == date(2027, 3, 15)


async def test_weeks_come_and_go_without_a_script(nurse: httpx.AsyncClient, planner: fake.FakeFront) -> None:
    form = fields((await nurse.get(NEW)).text, PATTERN)
    more = await send(nurse, NEW, form, do="weeks", weeks=4, w0__d0__start="07:00", w0__d0__end="15:00")
    assert ("Uke 4" in more.text, planner.rostered) == (True, [])
    copied_ = fields((await send(nurse, NEW, fields(more.text, PATTERN), do="copy")).text, PATTERN)
    assert [copied_[f"w{week}.d0.start"] for week in range(4)] == [["07:00"]] * 4
    assert "w1.d0.start" not in fields((await send(nurse, NEW, copied_, do="weeks", weeks=1)).text, PATTERN)


@pytest.mark.parametrize(("given", "beside", "told"), [
    ({"person": ""}, "person", "Velg noen"),
    ({"w0__d0__end": ""}, "w0.d0", "Oppgi begge klokkeslett"),
    ({"w0__d0__start": "kl. 7"}, "w0.d0", "Oppgi begge klokkeslett"),
    ({"w0__d0__start": "", "w0__d0__end": "", "w1__d4__start": "", "w1__d4__end": ""}, "shifts", "minst én vakt"),
    ({"from_date": ""}, "from_date", "Dette er ingen dag"),
    ({"from_date": "1. mai"}, "from_date", "Dette er ingen dag"),
    ({"to_date": "2026-11-01"}, "to_date", "Siste dag er før den første"),
    ({"position": "først"}, "position", "Fra 0 til 99"),
])  # fmt: skip
async def test_what_is_wrong_is_told_beside_its_field(
    nurse: httpx.AsyncClient, planner: fake.FakeFront, given: dict[str, str], beside: str, told: str
) -> None:
    form = fields((await nurse.get(EDIT)).text, PATTERN)
    shown = await send(nurse, EDIT, form, do="save", **given)
    assert (shown.status_code, planner.rostered) == (422, [])
    assert told in shown.text[shown.text.index(f'id="wrong-{beside}"') :][:400]


@pytest.mark.parametrize(("reason", "beside"), [("stale", None), ("begun", "from_date"), ("person", "person")])
async def test_a_refusal_is_told_in_the_form(
    nurse: httpx.AsyncClient, planner: fake.FakeFront, reason: str, beside: str | None
) -> None:
    form = fields((await nurse.get(EDIT)).text, PATTERN)
    planner.roster_refusal = reason
    for what in ("save", "preview"):
        shown = await send(nurse, EDIT, form, do=what)
        assert (shown.status_code, 'id="refused"' in shown.text) == (409, True)
        assert beside is None or f'id="wrong-{beside}"' in shown.text


async def test_turns(nurse: httpx.AsyncClient, planner: fake.FakeFront) -> None:
    form = fields((await nurse.get(EDIT_TURNS)).text, TURNS)
    assert (form["first_day"], form["persons.1"]) == (["2026-11-30"], [str(STAFF[2].id)]), (
        "when the first has their turn again"
    )
    moved = fields((await send(nurse, EDIT_TURNS, form, do="up:1")).text, TURNS)
    assert (moved["persons.0"], planner.rostered) == ([str(STAFF[2].id)], [])
    more = await send(nurse, EDIT_TURNS, moved, do="add")
    shown = await send(nurse, EDIT_TURNS, fields(more.text, TURNS), do="save", persons__2="")
    assert ('id="wrong-persons.2"' in shown.text, planner.rostered) == (True, [])
    assert (await send(nurse, EDIT_TURNS, moved, do="preview")).status_code == 200
    assert (await send(nurse, EDIT_TURNS, moved, do="save")).status_code == 303
    (_, looked), (what, asked) = planner.rostered
    assert (what, asked.persons, asked.replaces.id, asked.start) == (
        "rotation",
        (STAFF[2].id, STAFF[1].id),
        ROTATION,
        None,
    )
    assert looked.rotation == asked
    for given, beside in (
        ({"name": ""}, "name"),
        ({"turn_days": "0"}, "turn_days"),
        ({"start": "08:00"}, "start"),
        ({"hand_over": ""}, "hand_over"),
    ):
        wrong = await send(nurse, EDIT_TURNS, form, do="save", **given)
        assert f'id="wrong-{beside}"' in wrong.text, beside
    nodays = {name: values for name, values in form.items() if name != "weekdays"}
    assert 'id="wrong-weekdays"' in (await send(nurse, EDIT_TURNS, nodays, do="save")).text


async def test_an_end(nurse: httpx.AsyncClient, planner: fake.FakeFront) -> None:
    csrf = {"csrf_token": [fake_people.Who().csrf_token], "zone": [str(ZONE.id)], "role": ["responder"]}
    pair = f"{SHIFT}:3 {UUID(int=611)}:3"
    done = await send(nurse, "/rosters/patterns", csrf, do="pattern", seen=pair, last_day="2026-12-31")
    assert (done.status_code, done.headers["location"]) == (303, f"/rosters/patterns?zone={ZONE.id}&role=responder")
    await send(nurse, "/rosters/patterns", csrf, do="rotation", seen=f"{ROTATION}:2", last_day="2026-12-31")
    (_, pattern_), (_, rotation) = planner.rostered
    assert ([each.version for each in pattern_.shifts], pattern_.last_day, rotation.version) == (
        [3, 3],
        date(2026, 12, 31),
        2,
    )
    for wrong in ({"last_day": "snart"}, {"seen": "nonsense:x"}, {"seen": ""}):
        given: dict[str, object] = {"do": "pattern", "seen": pair, "last_day": "2026-12-31", **wrong}
        shown = await send(nurse, "/rosters/patterns", csrf, **given)
        assert (shown.status_code, 'id="refused"' in shown.text) == (422, True)
    planner.roster_refusal = "begun"
    shown = await send(nurse, "/rosters/patterns", csrf, do="pattern", seen=pair, last_day="2026-12-31")
    assert "Det har allerede begynt" in text(shown)
