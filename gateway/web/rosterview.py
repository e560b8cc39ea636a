"""What the pages make of rosters: a week day by day, in plain words, and times as forms give and take them. Pure.

Rules
    A time of duty is shown on every day that it touches: where it goes on past midnight, its end is told on the day of its end.
    Where nobody is on duty, and where only one is, stands out by its words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime

from alerts.checkin import Presence
from alerts.holidays import NAMES, names_of
from alerts.render import translations
from alerts.roster import Layer
from alerts.schedule import ONE_DAY, local
from devices.words import N_
from gateway.api.schemas import DutySpan, OwnShift, PersonRef, Serves, StretchView, ZoneView
from gateway.errors import Invalid

WHY = {
    Layer.HOLIDAY: N_("holiday"),
    Layer.OVERRIDE: N_("changed"),
    Layer.SWAP: N_("swapped with {name}"),
    Layer.COVER: N_("covers for {name}"),
}
"""Why somebody is on duty, where that is not their ordinary shift."""
INSTEAD = N_("instead of {name}")

PRESENCE = {
    Presence.CHECKED_IN: N_("You are checked in."),
    Presence.EXPECTED: N_("Check in when you begin."),
    Presence.NOT_CHECKED_IN: N_(
        "You have not checked in. Others are called in your place, and your lead has been told."
    ),
    Presence.CHECKED_OUT: N_("You have checked out. Others are called in your place."),
}

UNTIL, FROM, ALL_DAY = N_("until {end}"), N_("from {start}"), N_("all day")


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody on duty; ``why`` where it is not their ordinary shift."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A time of a day. ``now``: it goes on at this moment; ``over``: it has gone by."""

    when: str
    people: tuple[Told, ...]
    now: bool
    over: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a week. ``holidays``: what it is called."""

    day: date
    title: str
    today: bool
    holidays: tuple[str, ...]
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class ZoneOption:
    """A zone of the reader's to choose."""

    id: UUID
    name: str
    depth: int
    roles: frozenset[str]


def week_of(text: str | None, now: datetime, zone: ZoneInfo) -> date:
    """The Monday of the week that an address asks for; this week's where that makes no sense."""
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        day = now.astimezone(zone).date()
    if not 1990 <= day.year <= 2190:
        day = now.astimezone(zone).date()
    return day - ONE_DAY * day.weekday()


def days(spans: Sequence[DutySpan], monday: date, now: datetime, zone: ZoneInfo, language: str) -> list[Day]:
    """A week of duty, day by day."""
    gettext = translations(language).gettext
    today = now.astimezone(zone).date()
    found: list[Day] = []
    for number in range(7):
        day = monday + ONE_DAY * number
        found.append(
            Day(
                day,
                format_date(day, "EEEE d. MMMM", locale=language),
                day == today,
                tuple(gettext(NAMES[each]) for each in names_of(day)),
                tuple(_slots(spans, day, now, zone, language)),
            )
        )
    return found


def _slots(spans: Iterable[DutySpan], day: date, now: datetime, zone: ZoneInfo, language: str) -> Iterable[Slot]:
    begins, ends = local(day, time(0), zone), local(day + ONE_DAY, time(0), zone)
    for each in spans:
        if each.since < ends and each.until > begins:
            people = tuple(_told(person, language) for person in each.on_duty)
            yield Slot(
                _when(each, begins, ends, zone, language),
                people,
                each.since <= now < each.until,
                over=each.until <= now,
            )


def _when(span: DutySpan, begins: datetime, ends: datetime, zone: ZoneInfo, language: str) -> str:
    gettext = translations(language).gettext
    start, end = (f"{at.astimezone(zone):%H:%M}" for at in (span.since, span.until))
    if span.since < begins and span.until > ends:
        return gettext(ALL_DAY)
    if span.since < begins:
        return gettext(UNTIL).format(end="24:00" if span.until == ends else end)
    if span.until > ends:
        return gettext(FROM).format(start=start)
    return f"{start}–{'24:00' if span.until == ends else end}"


def _told(person: Serves, language: str) -> Told:
    return Told(person.name, why(person.why, person.instead_of, language))


def why(layer: Layer, instead_of: PersonRef | None, language: str) -> str:
    """Why somebody serves, in a few words; none for their ordinary shift."""
    gettext = translations(language).gettext
    if layer is Layer.OVERRIDE and instead_of is not None:
        return gettext(INSTEAD).format(name=instead_of.name)
    words = WHY.get(layer)
    return gettext(words).format(name=instead_of.name if instead_of else "") if words else ""


def gaps(week: Sequence[Day]) -> tuple[list[str], int]:
    """The times at which nobody is on duty, in words; and at how many times only one is. What is over is left out."""
    ahead = [(day, slot) for day in week for slot in day.slots if not slot.over]
    empty = [f"{day.title} {slot.when}" for day, slot in ahead if not slot.people]
    return empty, sum(len(slot.people) == 1 for _, slot in ahead)


def zone_options(tree: Sequence[ZoneView], depth: int = 0) -> list[ZoneOption]:
    """The zones in which the reader has a role, as a list."""
    found: list[ZoneOption] = []
    for each in tree:
        below = zone_options(each.below, depth + 1)
        if each.roles:
            found.append(ZoneOption(each.id, each.name, depth, frozenset(each.roles)))
        found += below
    return found


def stretch(each: StretchView | OwnShift, language: str, zone: ZoneInfo) -> str:
    """From and until, as people write it."""
    begins, ends = each.begins.astimezone(zone), each.ends.astimezone(zone)
    last = "HH:mm" if ends - begins < timedelta(hours=24) else "EEE d. MMM HH:mm"
    start = format_datetime(begins, "EEE d. MMM HH:mm", locale=language)
    return f"{start}–{format_datetime(ends, last, locale=language)}"


def moment(text: str | None, zone: ZoneInfo, field: str) -> datetime | None:
    """A local time of a form, by the clock on the wall; None for none. Invalid for what is no time."""
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(field, f"{text!r:.40} is no time", "give a day and a time") from None
    if given.tzinfo is not None or not 1990 <= given.year <= 2190:
        raise Invalid(field, f"{text!r:.40} is no local time", "give a day and a time")
    return local(given.date(), given.time(), zone)


def field(at: datetime, zone: ZoneInfo) -> str:
    """A time as a form has it."""
    return f"{at.astimezone(zone):%Y-%m-%dT%H:%M}"
