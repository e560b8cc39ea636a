"""The forms of weekly patterns and of turns: plans as controls, what came back as requests, and what is wrong, field by field. Pure.

Rules
    A pattern is a row for each day of each of its weeks. A cell that is empty is a day off; an end at or before the start is the
    next day's. What cannot be read is shown again as it was written, with what is wrong beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from alerts.schedule import ONE_DAY
from devices.words import N_
from gateway.api import schemas
from gateway.web import formlist
from gateway.web.ruleform import Answers

MOST_PERSONS = 50
NO_PERSON = N_("Choose somebody.")
NO_DAY = N_("This is no day. Give one, as 2026-11-30.")
ENDS_FIRST = N_("The last day is before the first one.")
NO_TIME = N_("Give both times, as 07:00 and 15:00, or leave both empty.")
NOTHING = N_("Give at least one shift.")
NO_NAME = N_("The turns need a name.")
UNFIT = {
    "person": NO_PERSON,
    "persons": NO_PERSON,
    "name": NO_NAME,
    "weeks": N_("From 1 to 26 weeks."),
    "turn_days": N_("From 1 to 84 days."),
    "position": N_("From 0 to 99; the lowest is paged first."),
    "hand_over": N_("Give the time at which one takes over from the other."),
    "weekdays": N_("Choose at least one day."),
}
"""What is said beside a field that the request does not take."""
Made = TypeVar("Made", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Group:
    """A pattern that stands: the shifts of a person that recur together."""

    person: schemas.PersonRef
    zone: schemas.Named
    weeks: int
    anchor: date
    position: int
    from_date: date | None
    to_date: date | None
    shifts: tuple[schemas.ShiftView, ...]

    @property
    def id(self) -> UUID:
        return self.shifts[0].id


@dataclass(frozen=True, slots=True)
class Cell:
    """A day of a pattern, as it is written."""

    start: str = ""
    end: str = ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """The form of a pattern. ``cells``: by week and weekday; ``replaces``: what it is set instead of, as ``id:version``."""

    person: str = ""
    weeks: int = 1
    anchor: str = ""
    from_date: str = ""
    to_date: str = ""
    position: str = "0"
    cells: Mapping[tuple[int, int], Cell] = field(default_factory=dict)
    replaces: tuple[str, ...] = ()

    def cell(self, week: int, weekday: int) -> Cell:
        return self.cells.get((week, weekday), Cell())


@dataclass(frozen=True, slots=True)
class Turns:
    """The form of a rotation."""

    name: str = ""
    persons: tuple[str, ...] = ("",)
    first_day: str = ""
    hand_over: str = "08:00"
    turn_days: str = "7"
    start: str = ""
    end: str = ""
    weekdays: tuple[int, ...] = tuple(range(7))
    position: str = "0"
    to_date: str = ""
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Read(Generic[Made]):
    """What a form asks for: None where something is wrong, which is told by field, in English for gettext."""

    request: Made | None
    wrong: Mapping[str, str]


# Patterns that stand ----------------------------------------------------------------------------------------------------


def groups(shifts: Iterable[schemas.ShiftView]) -> list[Group]:
    """Shifts as patterns; several on one day of one person are several patterns."""
    found: dict[tuple[Any, ...], dict[tuple[int, int | None], schemas.ShiftView]] = {}
    for each in shifts:
        if each.on_days:
            continue
        turn = 0
        while (each.week, each.weekday) in found.get((key := _key(each, turn)), {}):
            turn += 1
        found.setdefault(key, {})[each.week, each.weekday] = each
    made = [_group(tuple(each.values())) for each in found.values()]
    return sorted(made, key=lambda each: (each.from_date or date.min, each.person.name, str(each.id)))


def _key(each: schemas.ShiftView, turn: int) -> tuple[Any, ...]:
    monday = each.anchor - ONE_DAY * each.anchor.weekday() if each.weeks > 1 else None
    return (each.person.id, each.zone.id, each.weeks, monday, each.position, each.from_date, each.to_date, turn)


def _group(shifts: tuple[schemas.ShiftView, ...]) -> Group:
    ordered = tuple(sorted(shifts, key=lambda each: (each.week, each.weekday or 0)))
    one = ordered[0]
    return Group(one.person, one.zone, one.weeks, one.anchor, one.position, one.from_date, one.to_date, ordered)


# Patterns in the form ---------------------------------------------------------------------------------------------------


def of(group: Group, today: date) -> Pattern:
    """A pattern that stands, to be set anew from tomorrow on, or from when it begins."""
    begins = max(group.from_date or today, today + ONE_DAY)
    return Pattern(
        person=str(group.person.id),
        weeks=group.weeks,
        anchor=group.anchor.isoformat(),
        from_date=begins.isoformat(),
        to_date=group.to_date.isoformat() if group.to_date else "",
        position=str(group.position),
        cells={
            (each.week, each.weekday or 0): Cell(f"{each.start:%H:%M}", f"{each.end:%H:%M}") for each in group.shifts
        },
        replaces=tuple(f"{each.id}:{each.version}" for each in group.shifts),
    )


def read(answers: Answers) -> Pattern:
    """What came back."""
    weeks = _count(_one(answers, "weeks"), schemas.MOST_WEEKS)
    return Pattern(
        **{name: _one(answers, name) for name in ("person", "anchor", "from_date", "to_date")},
        position=_one(answers, "position") or "0",
        weeks=weeks,
        cells={
            (week, day): cell
            for week in range(weeks)
            for day in range(7)
            if (cell := Cell(*(_one(answers, f"w{week}.d{day}.{name}") for name in ("start", "end")))) != Cell()
        },
        replaces=tuple(answers.get("replaces", ())),
    )


def copied(form: Pattern) -> Pattern:
    """The first week in every week."""
    first = {day: form.cell(0, day) for day in range(7)}
    return replace(form, cells={(week, day): first[day] for week in range(form.weeks) for day in range(7)})


def pattern(form: Pattern, role: schemas.Serving) -> Read[schemas.PatternRequest]:
    """What is to be set."""
    wrong: dict[str, str] = {}
    shifts: list[dict[str, Any]] = []
    for (week, day), cell in sorted(form.cells.items()):
        if cell == Cell():
            continue
        start, end = _time(cell.start), _time(cell.end)
        if start is None or end is None:
            wrong[f"w{week}.d{day}"] = NO_TIME
        else:
            shifts.append({"week": week, "weekday": day, "start": start, "end": end})
    if not shifts and not wrong:
        wrong["shifts"] = NOTHING
    given = {"person": form.person, "role": role, "weeks": form.weeks, "position": form.position, "shifts": shifts}
    given |= _days(form, ("from_date", "to_date", "anchor"), wrong) | {"replaces": seen(form.replaces)}
    _in_order(given, "from_date", wrong)
    return _made(schemas.PatternRequest, given, wrong)


# Turns in the form ------------------------------------------------------------------------------------------------------


def turns_of(rotation: schemas.RotationView, today: date) -> Turns:
    """Turns that stand, to be set anew from a day on which somebody takes over."""
    begins = rotation.first_day
    while begins <= today:
        begins += ONE_DAY * rotation.turn_days * len(rotation.persons or (None,))
    return Turns(
        name=rotation.name,
        persons=tuple(str(each.id) for each in rotation.persons) or ("",),
        first_day=begins.isoformat(),
        hand_over=f"{rotation.hand_over:%H:%M}",
        turn_days=str(rotation.turn_days),
        start=f"{rotation.start:%H:%M}" if rotation.start else "",
        end=f"{rotation.end:%H:%M}" if rotation.end else "",
        weekdays=tuple(rotation.weekdays) or tuple(range(7)),
        position=str(rotation.position),
        to_date=rotation.to_date.isoformat() if rotation.to_date else "",
        replaces=f"{rotation.id}:{rotation.version}",
    )


def read_turns(answers: Answers) -> Turns:
    names = ("name", "first_day", "hand_over", "turn_days", "start", "end", "to_date", "replaces")
    numbers = [number for number in range(MOST_PERSONS) if f"persons.{number}" in answers]
    return Turns(
        **{name: _one(answers, name) for name in names},
        position=_one(answers, "position") or "0",
        persons=tuple(_one(answers, f"persons.{number}") for number in numbers),
        weekdays=tuple(int(each) for each in answers.get("weekdays", ()) if each in list("0123456")),
    )


def done(form: Turns, what: str) -> Turns:
    """The form after a button of its persons, of whom there is always one."""
    return replace(form, persons=tuple(formlist.done(form.persons, what, "", MOST_PERSONS, least=1)))


def turns(form: Turns, role: schemas.Serving) -> Read[schemas.RotationRequest]:
    """What is to be set."""
    wrong: dict[str, str] = {f"persons.{number}": NO_PERSON for number, each in enumerate(form.persons) if not each}
    start, end = _time(form.start), _time(form.end)
    if (start is None) != (end is None) or (start is None and (form.start or form.end)):
        wrong["start"] = NO_TIME
    given: dict[str, Any] = {
        "name": form.name,
        "role": role,
        "persons": [each for each in form.persons if each],
        "start": start,
        "end": end,
    }
    given |= {"hand_over": _time(form.hand_over), "turn_days": form.turn_days, "position": form.position}
    given |= {"weekdays": form.weekdays, "replaces": next(iter(seen((form.replaces,))), None)}
    given |= _days(form, ("first_day", "to_date"), wrong)
    _in_order(given, "first_day", wrong)
    return _made(schemas.RotationRequest, given, wrong)


# Parts ------------------------------------------------------------------------------------------------------------------


def _made(schema: type[Made], given: Mapping[str, Any], wrong: dict[str, str]) -> Read[Made]:
    try:
        made = schema.model_validate(given)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_context=False, include_input=False):
            name = str(each["loc"][0]) if each["loc"] else "shifts"
            if not any(said == name or said.startswith(f"{name}.") for said in wrong):
                wrong[name] = UNFIT.get(name, NO_TIME if name in ("start", "shifts") else NO_DAY)
        return Read(None, wrong)
    return Read(None if wrong else made, wrong)


def _days(form: Pattern | Turns, names: Sequence[str], wrong: dict[str, str]) -> dict[str, date | None]:
    found: dict[str, date | None] = {}
    for name in names:
        text: str = getattr(form, name)
        try:
            found[name] = date.fromisoformat(text) if text else None
        except ValueError:
            found[name], wrong[name] = None, NO_DAY
    return found


def _in_order(given: Mapping[str, Any], first: str, wrong: dict[str, str]) -> None:
    begins, ends = given[first], given["to_date"]
    if begins is None:
        wrong.setdefault(first, NO_DAY)
    elif ends is not None and ends < begins:
        wrong["to_date"] = ENDS_FIRST


def seen(texts: Iterable[str]) -> list[dict[str, str]]:
    """What ``id:version`` says."""
    pairs = (each.partition(":") for each in texts if each)
    return [{"id": uid, "version": version} for uid, _, version in pairs]


def _time(text: str) -> time | None:
    try:
        at = time.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(second=0, microsecond=0) if at.tzinfo is None else None


def _count(text: str, most: int) -> int:
    return min(max(int(text), 1), most) if text.isdecimal() and len(text) < 4 else 1


def _one(answers: Answers, name: str) -> str:
    given = answers.get(name, ())
    return given[-1].strip() if given else ""
