"""Bundling: whether pages to the same contact leave as messages of their own or as one. Pure.

Rules
    Each page up to moderate that finds nothing before it leaves at once. Those that follow to the same contact within 20 s wait
    for the end of them, and leave together, as one message. Whatever is due at the same moment leaves together, too.
    Never what is serious or critical; never what says more than that there is an alert (``Page.about``); never where no message
    is sent (in the app), nor where each page is answered or shown by itself: in a call a key takes one alert, and a phone
    with the app tells of one page.
    Only the message is one: each page keeps its own row, its own lease, its own tries and its own end.

The time and the severity are proposals, no source gives them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.model import Severity

UP_TO = Severity.MODERATE
WITHIN = timedelta(seconds=20)
EACH_BY_ITSELF = frozenset({"in_app", "voice", "web_push"})


@dataclass(frozen=True, slots=True)
class Due:
    """A page that could leave now."""

    id: int
    contact: int
    channel: str
    severity: Severity
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Alone:
    """It leaves now, as a message of its own."""

    page: int


@dataclass(frozen=True, slots=True)
class Together:
    """They leave now, as one message."""

    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """They wait, as something has just left for the same contact."""

    pages: tuple[int, ...]
    until: datetime


Decision = Alone | Together | Hold


def may_be_bundled(page: Due) -> bool:
    return page.severity <= UP_TO and page.about is None and page.channel not in EACH_BY_ITSELF


def concerned(pages: Collection[Due]) -> dict[int, int]:
    """The contacts of which it has to be known when a page that may be bundled last left for them, each with the first of theirs
    here: who sends beside us and has a later one lets ours leave."""
    latest_first = sorted((each for each in pages if may_be_bundled(each)), key=lambda each: -each.id)
    return {each.contact: each.id for each in latest_first}


def arrange(pages: Sequence[Due], left_at: Mapping[int, datetime], now: datetime) -> list[Decision]:
    """What becomes of pages that are due, in their order. ``left_at``: by contact, when the last that may be bundled left."""
    decided: list[Decision] = [Alone(each.id) for each in pages if not may_be_bundled(each)]
    by_contact: dict[int, list[int]] = defaultdict(list)
    for each in pages:
        if may_be_bundled(each):
            by_contact[each.contact].append(each.id)
    return [*decided, *(_of_contact(tuple(ids), left_at.get(contact), now) for contact, ids in by_contact.items())]


def _of_contact(ids: tuple[int, ...], left_at: datetime | None, now: datetime) -> Decision:
    if left_at is not None and left_at <= now < left_at + WITHIN:
        return Hold(ids, left_at + WITHIN)
    return Alone(ids[0]) if len(ids) == 1 else Together(ids)
