"""Calendars out and in: what is written is read again, and what cannot be a shift says why."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calendars import Compared, Dated, Entry, NoCalendar, compare, read, write

OSLO = ZoneInfo("Europe/Oslo")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SINCE, UNTIL = date(2026, 3, 1), date(2026, 5, 1)
KARI = ("Kari Nordbø, natt; «fast»", "0199d3c2-0000-7000-8000-000000000001")

EVENT = """BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260101T000000Z
DTSTART{start}
DTEND{end}
{more}SUMMARY:{summary}
END:VEVENT
"""


def event(start: str, end: str, *more: str, uid: str = "a", summary: str = "Natt") -> str:
    lines = "".join(f"{each}\n" for each in more)
    return EVENT.format(uid=uid, start=start, end=end, more=lines, summary=summary)


def calendar(*events: str) -> str:
    return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//planner//\n" + "".join(events) + "END:VCALENDAR\n"


def found(*events: str) -> list[tuple[str, str]]:
    """From and until, by the clock on the wall."""
    seen = read(calendar(*events), SINCE, UNTIL, OSLO).found
    return [tuple(f"{at.astimezone(OSLO):%m-%dT%H:%M}" for at in (each.begins, each.ends)) for each in seen]  # type: ignore[misc]


def test_a_night_a_week_unfolds_by_the_clock_on_the_wall() -> None:
    nights = event(
        ";TZID=Europe/Oslo:20260314T220000", ";TZID=Europe/Oslo:20260315T070000",
        "RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE;TZID=Europe/Oslo:20260321T220000",
    )  # fmt: skip
    assert found(nights) == [
        ("03-14T22:00", "03-15T07:00"),
        ("03-28T22:00", "03-29T07:00"),
        ("04-04T22:00", "04-05T07:00"),
        ("04-11T22:00", "04-12T07:00"),
    ]


def test_times_without_a_zone_are_local_and_what_is_cancelled_is_none() -> None:
    plain = event(":20260310T080000", ":20260310T160000")
    gone = event(":20260311T070000Z", ":20260311T150000Z", "STATUS:CANCELLED", uid="b")
    outside = event(":20260501T080000", ":20260501T160000", uid="c")
    assert found(plain, gone, outside) == [("03-10T08:00", "03-10T16:00")]


@pytest.mark.parametrize(("bad", "why"), [
    (event(";VALUE=DATE:20260310", ";VALUE=DATE:20260311"), "whole days"),
    (event(":20260310T080000", ":20260310T080000"), "before it begins"),
    (event(":20260310T080000", ":20260320T080000"), "longer than a week"),
    (event(":20260310T080000", ":20260310T081000", "RRULE:FREQ=SECONDLY"), "more often than daily"),
    (event(":hello", ":20260310T080000"), "cannot be read"),
    (event(":20260310T080000", ":20260310T160000").replace("DTEND:20260310T160000", "DURATION:P99999999D"), "cannot be read"),
])  # fmt: skip
def test_what_can_be_no_shift_says_why_and_hides_no_other(bad: str, why: str) -> None:
    seen = read(calendar(bad, event(":20260310T080000", ":20260310T160000", uid="b")), SINCE, UNTIL, OSLO)
    assert [each.event for each in seen.found] == ["b"]
    (told,) = seen.unreadable
    assert why in told


@pytest.mark.parametrize("text", ["", "hello", "BEGIN:VCALENDAR\n", "\x00\xff", "BEGIN:VEVENT\nEND:VEVENT\n"])
def test_what_is_no_calendar_is_refused(text: str) -> None:
    with pytest.raises(NoCalendar, match="no iCalendar"):
        read(text, SINCE, UNTIL, OSLO)


def test_who_is_meant_is_told_by_address_and_name_else_by_the_summary() -> None:
    one = event(
        ":20260310T080000", ":20260310T160000", "ATTENDEE;CN=Kari:MAILTO:kari@example.org", "ATTENDEE:urn:uuid:42"
    )
    other = event(":20260311T080000", ":20260311T160000", summary="Ola Hansen", uid="b")
    seen = read(calendar(one, other), SINCE, UNTIL, OSLO).found
    assert [each.attendees for each in seen] == [(("kari@example.org", "Kari"), ("42",)), (("Ola Hansen",),)]


STARTS = st.datetimes(datetime(2026, 3, 2), datetime(2026, 4, 29)).map(
    lambda at: at.replace(second=0, microsecond=0, tzinfo=UTC)
)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=40)


@given(starts=st.lists(st.tuples(STARTS, st.integers(1, 24)), max_size=6, unique_by=lambda each: each[0]), name=NAMES)
def test_what_is_written_is_read_again(starts: list[tuple[datetime, int]], name: str) -> None:
    entries = [
        Entry(f"{begins.isoformat()}@x", begins, begins + timedelta(hours=hours), name, (KARI[0], KARI[1]))
        for begins, hours in starts
    ]
    seen = read(write(name, entries, NOW), SINCE, UNTIL, OSLO)
    assert seen.unreadable == ()
    assert [(each.event, each.begins, each.ends) for each in seen.found] == sorted(
        ((each.uid, each.begins, each.ends) for each in entries), key=lambda each: each[1]
    )
    assert all(each.attendees == ((KARI[1], KARI[0]),) for each in seen.found)


def test_what_an_import_changes() -> None:
    def shift(day: int, hour: int = 8, person: int = 1, event: str = "a", id_: int | None = None) -> Dated:
        begins = datetime(2026, 3, day, hour, tzinfo=UTC)
        return Dated(person, begins, begins + timedelta(hours=8), event, id_)

    before = [shift(1, id_=1), shift(2, id_=2), shift(3, id_=3, event="b")]
    after = [shift(1), shift(2, 9), shift(2, 9), shift(4, person=2)]
    assert compare(before, after) == Compared(
        added=(shift(4, person=2),),
        moved=((shift(2, id_=2), shift(2, 9)),),
        removed=(shift(3, id_=3, event="b"),),
        kept=1,
    )
    assert compare(after, after) == Compared((), (), (), 3)
