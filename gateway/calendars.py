"""iCalendar (RFC 5545) out and in: shifts as events, and events as shifts. No database here.

Rules
    Out: an event a shift, in UTC, with an id that stays as long as the shift begins when it does. It names staff and zones,
    never a resident.
    In: an event with a beginning and an end is a shift of each attendee. Whoever has none is known by the event's summary.
    Times without a zone are local. Recurring events are unfolded within the window; what recurs more often than daily, lasts
    whole days or cannot be read makes no shift, and says why. Cancelled events are none.
    What a source brought before is compared by event and person: the same time is kept, another time is a move.
    The packages are imported when a calendar is read or written: they take eight megabytes, and most processes see none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from icalendar import Calendar, Event

PRODUCT = "-//hjemmevakt//roster//EN"
REFRESH = "PT1H"
LONGEST_SHIFT = timedelta(days=7)
MOST = 5_000
"""Events: a zone's year has about two thousand."""
MOST_DAYS = 200_000
"""Of all recurring events together, since each began: that many are gone through."""
BROKEN = (ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError)
"""What the packages raise over what is written wrongly."""
TIMES = frozenset({"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"})
PARTS_OF_A_DAY = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})
TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})


class NoCalendar(ValueError):
    """The text is no calendar that can be read, or one with far too much in it."""


# Out ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """An event to write. ``person``: name and id of whoever serves."""

    uid: str
    begins: datetime
    ends: datetime
    summary: str
    person: tuple[str, str]


def write(name: str, entries: Iterable[Entry], now: datetime) -> str:
    """A calendar, as a phone subscribes to it."""
    from icalendar import Calendar  # noqa: PLC0415

    made = Calendar()
    for key, value in (
        ("PRODID", PRODUCT),
        ("VERSION", "2.0"),
        ("METHOD", "PUBLISH"),
        ("NAME", name),
        ("X-WR-CALNAME", name),
        ("X-PUBLISHED-TTL", REFRESH),
    ):
        made.add(key, value)
    for each in entries:
        made.add_component(_event(each, now))
    text: bytes = made.to_ical()
    return text.decode()


def _event(entry: Entry, now: datetime) -> Event:
    from icalendar import Event, vCalAddress  # noqa: PLC0415

    event = Event()
    event.add("UID", entry.uid)
    event.add("DTSTAMP", now.astimezone(UTC))
    event.add("DTSTART", entry.begins.astimezone(UTC))
    event.add("DTEND", entry.ends.astimezone(UTC))
    event.add("SUMMARY", entry.summary)
    attendee = vCalAddress(f"urn:uuid:{entry.person[1]}")
    attendee.params["CN"] = entry.person[0]
    event.add("ATTENDEE", attendee)
    return event


# In -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """An event of a calendar: its id, its time, and each attendee by all that may tell who it is."""

    event: str
    begins: datetime
    ends: datetime
    attendees: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """What a calendar has for a window. ``unreadable``: events that make no shift, and why."""

    found: tuple[Found, ...]
    unreadable: tuple[str, ...]


def read(text: str, since: date, until: date, local: tzinfo) -> Read:
    """The events that begin from a local day until before another. NoCalendar where the text is none."""
    from icalendar import Calendar  # noqa: PLC0415

    try:
        calendar = Calendar.from_ical(text)
    except BROKEN as wrong:
        raise NoCalendar(f"this is no iCalendar text: {str(wrong).splitlines()[0][:200]}") from None
    if calendar.name != "VCALENDAR":
        raise NoCalendar("this is no iCalendar text: it has no VCALENDAR")
    events: list[Any] = calendar.walk("VEVENT")
    if len(events) > MOST:
        raise NoCalendar(f"there are more than {MOST} events in it; choose a shorter time")
    left_out = [(each, why) for each in events if (why := _why_not(each)) is not None]
    strange = {id(each) for each, _ in left_out}
    unfolded = sum((until - each.start.date()).days for each in events if id(each) not in strange and _rules(each))
    if unfolded > MOST_DAYS:
        raise NoCalendar("too much recurs in it since too long ago; let it begin with the time that you bring in")
    calendar.subcomponents = [each for each in calendar.subcomponents if id(each) not in strange]
    found = tuple(sorted(_within(calendar, since, until, local), key=lambda each: (each.begins, each.event)))
    return Read(found, tuple(f"{_told(each)}: {why}" for each, why in left_out))


def _why_not(event: Any) -> str | None:
    """Why an event makes no shift; None for one that does."""
    if any(name in TIMES for name, _ in event.errors):
        return "one of its times cannot be read"
    try:
        begins, ends = event.start, event.end
    except BROKEN:
        return "its beginning or end is missing or cannot be read"
    if not isinstance(begins, datetime) or not isinstance(ends, datetime):
        return "it lasts whole days"
    if (begins.tzinfo is None) != (ends.tzinfo is None) or not timedelta(0) < ends - begins <= LONGEST_SHIFT:
        return "it ends before it begins, or lasts longer than a week"
    return "it recurs more often than daily" if any(_too_often(each) for each in _rules(event)) else None


def _rules(event: Any) -> list[Any]:
    rules = event.get("RRULE", [])
    return rules if isinstance(rules, list) else [rules]


def _too_often(rule: Any) -> bool:
    return bool(TOO_OFTEN & {str(each).upper() for each in rule.get("FREQ", ())} or PARTS_OF_A_DAY & set(rule))


def _within(calendar: Calendar, since: date, until: date, local: tzinfo) -> Iterator[Found]:
    import recurring_ical_events  # noqa: PLC0415

    try:
        events = recurring_ical_events.of(calendar, skip_bad_series=True).between(since, until)
    except BROKEN as wrong:
        raise NoCalendar(f"its recurring events cannot be unfolded: {wrong}") from None
    for event in events:
        begins, ends = _utc(event.start, local), _utc(event.end, local)
        if str(event.get("STATUS", "")).upper() == "CANCELLED" or not since <= begins.astimezone(local).date() < until:
            continue
        yield Found(str(event.get("UID", ""))[:200] or begins.isoformat(), begins, ends, _attendees(event))


def _utc(at: datetime, local: tzinfo) -> datetime:
    return (at.replace(tzinfo=local) if at.tzinfo is None else at).astimezone(UTC)


def _attendees(event: Any) -> tuple[tuple[str, ...], ...]:
    """Each by address and name; else whoever the summary names."""
    given = event.get("ATTENDEE", [])
    named = [
        tuple(text for text in (_address(str(each)), str(getattr(each, "params", {}).get("CN", "")).strip()) if text)
        for each in (given if isinstance(given, list) else [given])
    ]
    summary = str(event.get("SUMMARY", "")).strip()
    return tuple(each for each in named if each) or ((summary,) if summary else ("?",),)


def _address(text: str) -> str:
    lowered = text.strip()
    for scheme in ("mailto:", "urn:uuid:"):
        if lowered.lower().startswith(scheme):
            return lowered[len(scheme) :]
    return lowered


def _told(event: Any) -> str:
    return str(event.get("SUMMARY") or event.get("UID") or "?")[:80]


# Comparing ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dated:
    """A shift of a date. ``id``: of its row, None where there is none yet."""

    person_id: int
    begins: datetime
    ends: datetime
    event: str
    id: int | None = None

    @property
    def times(self) -> tuple[datetime, datetime]:
        return self.begins, self.ends


@dataclass(frozen=True, slots=True)
class Compared:
    """What an import would do. ``moved``: as it was, and as it is to be."""

    added: tuple[Dated, ...]
    moved: tuple[tuple[Dated, Dated], ...]
    removed: tuple[Dated, ...]
    kept: int


def compare(before: Sequence[Dated], after: Sequence[Dated]) -> Compared:
    """By event and person: the same times are kept, of the others as many as there are on both sides are moved, in order."""
    old, new = _grouped(before), _grouped(after)
    added, moved, removed, kept = list[Dated](), list[tuple[Dated, Dated]](), list[Dated](), 0
    for key in sorted({*old, *new}):
        was, becomes = old.get(key, []), new.get(key, [])
        same = {each.times for each in was} & {each.times for each in becomes}
        was, becomes = (
            [each for each in was if each.times not in same],
            [each for each in becomes if each.times not in same],
        )
        kept += len(same)
        both = min(len(was), len(becomes))
        moved += list(zip(was[:both], becomes[:both], strict=True))
        removed += was[both:]
        added += becomes[both:]
    return Compared(tuple(added), tuple(moved), tuple(removed), kept)


def _grouped(shifts: Sequence[Dated]) -> Mapping[tuple[str, int], list[Dated]]:
    """In order of time; the same twice is once."""
    found: dict[tuple[str, int], dict[tuple[datetime, datetime], Dated]] = {}
    for each in sorted(shifts, key=lambda each: each.times):
        found.setdefault((each.event, each.person_id), {}).setdefault(each.times, each)
    return {key: list(each.values()) for key, each in found.items()}
