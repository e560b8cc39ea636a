"""A person's contacts: how each stands, which one is tested when they check in, and whether one may be taken away. Pure.

Rules
    A contact works when its person has confirmed a page that came over it; it is broken when its channel or its provider has said
    so for certain; else nobody knows, and it is used all the same.
    A test is a real page to one contact alone. Only whoever has that page can confirm it: being signed in somewhere is no sign
    that a phone rings.
    When somebody checks in, the first contact that their pages go to is tested, unless it has shown lately that it works. The
    app on an open screen is not tested: it rings nowhere. Who has nothing else is told of to whoever leads.
    The last contact that reaches somebody is not taken away while they serve, unless they say so again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alerts.alert import Alert, Stage
from alerts.chain import OUTSIDE

PAGE_TEST = "page_test"
"""The condition of a test, and what its page is about."""
NOTHING_RINGS = "nothing_rings"
"""The condition of the notice that somebody has checked in whom nothing that rings can reach."""
TEST_AGAIN = timedelta(minutes=1)
"""How soon the same contact can be tested again: a message costs money, and disturbs."""
MOST_CONTACTS = 12
"""Of a person: more are a mistake, and all of them would be tried one after the other."""


class State(StrEnum):
    """How a contact stands."""

    WORKS = "works"
    NOT_TESTED = "not_tested"
    WAITS = "waits"
    UNCONFIRMED = "unconfirmed"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Way:
    """A contact with what is known of it. ``tested_at``: since when a test of it is open; ``waits``: nobody has been told yet
    that it is not confirmed."""

    id: int
    channel: str
    confirmed_at: datetime | None = None
    broken_at: datetime | None = None
    broken: bool = False
    tested_at: datetime | None = None
    waits: bool = False

    @property
    def rings(self) -> bool:
        return self.channel != OUTSIDE


def state(way: Way) -> State:
    """A test that waits comes first: it says what is to be done now."""
    if way.tested_at is not None and way.waits:
        return State.WAITS
    if way.broken:
        return State.BROKEN
    if way.tested_at is not None:
        return State.UNCONFIRMED
    return State.WORKS if way.confirmed_at is not None else State.NOT_TESTED


# Tests ----------------------------------------------------------------------------------------------------------------


class WhyTest(StrEnum):
    """Whether checking in tests a contact, and why not."""

    TEST = "test"
    NOTHING_RINGS = "nothing_rings"
    CONFIRMED_LATELY = "confirmed_lately"
    WAITS_ALREADY = "waits_already"


@dataclass(frozen=True, slots=True)
class AtCheckIn:
    """What checking in leads to; ``way``: the contact that it is about, None where nothing rings."""

    why: WhyTest
    way: Way | None = None


def at_check_in(ways: Sequence[Way], now: datetime, lately: timedelta) -> AtCheckIn:
    """Of contacts in their order, of channels that are set up. ``lately``: how long a confirmation is good for."""
    first = next((each for each in ways if each.rings and not each.broken), None)
    if first is None:
        return AtCheckIn(WhyTest.NOTHING_RINGS)
    if first.confirmed_at is not None and now - first.confirmed_at < lately:
        return AtCheckIn(WhyTest.CONFIRMED_LATELY, first)
    return AtCheckIn(WhyTest.WAITS_ALREADY if first.tested_at is not None else WhyTest.TEST, first)


class MayTest(StrEnum):
    """Whether a contact can be tested now, and why not."""

    YES = "yes"
    RINGS_NOWHERE = "rings_nowhere"
    JUST_SENT = "just_sent"


def may_test(way: Way, now: datetime) -> MayTest:
    """Whether a test may be sent: a second one takes the place of one that waits."""
    if not way.rings:
        return MayTest.RINGS_NOWHERE
    if way.tested_at is not None and now - way.tested_at < TEST_AGAIN:
        return MayTest.JUST_SENT
    return MayTest.YES


def waits_for_its_phone(condition: str, alert: Alert) -> bool:
    """Whether an alert is a test that nobody can answer but by its page: nobody else has been told of it."""
    return condition == PAGE_TEST and alert.step is None and alert.stage is Stage.OPEN


# Taking away, and the order -------------------------------------------------------------------------------------------


class Removal(StrEnum):
    """Whether a contact may be taken away."""

    FREE = "free"
    ASK_FIRST = "ask_first"


def removal(ways: Iterable[Way], gone: int, *, serves: bool) -> Removal:
    """``serves``: pages may come to its person now. What is broken reaches nobody, and neither does a screen that nobody sits at."""
    known = {each.id: each for each in ways}
    lost = known[gone]
    left = [each for each in known.values() if each.id != gone and not each.broken and (each.rings or not lost.rings)]
    return Removal.ASK_FIRST if serves and not lost.broken and not left else Removal.FREE


def ordered(known: Sequence[int], wanted: Sequence[int]) -> tuple[int, ...] | None:
    """The contacts in another order; None where these are not all of them, each once."""
    return tuple(wanted) if sorted(known) == sorted(wanted) and len(set(wanted)) == len(wanted) else None
