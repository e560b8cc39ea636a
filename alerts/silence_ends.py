"""What a silence leads to as time passes: its warning and its end, what becomes of what it held back, and who is told. Pure.

Rules
    1. A silence is looked at every morning, when its end is near, and at its end. What to do is decided from how it stands and
       from two facts: whether its owner still has the role, and whether what it is for is still there.
    2. What it held back and is not known to be over is raised at its end (:func:`fate`).
    3. Leads are told by notices: alerts of their own, of which nobody else hears before half a day has passed. A notice is
       confirmed by closing it; a silence that nobody cares about does not go unnoticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum

from alerts.model import HISTORY_AFTER, Track
from alerts.policy import Policy, PolicyStep, StageLimits, Target
from alerts.schedule import ONE_DAY, local
from alerts.silence import Kind, Silence

LOOK_AT = time(8)
"""Local. Every morning each silence is looked at, and each zone's leads are told."""
LONG = timedelta(hours=48)
WARN_LONG, WARN_SHORT = timedelta(hours=24), timedelta(hours=1)
TOLD_AGAIN = timedelta(hours=1)
"""How soon another sign that somebody comes into an empty home is told."""

IN_FORCE = "silences_in_force"
CONSENT_ASKED = "silence_consent"
ENDS_SOON = "silence_ends"
WITHOUT_OWNER = "silence_without_owner"
BACK_ASKED = "away_over"
SOMEBODY_THERE = "life_while_away"

NOTICE = Policy(
    name="notice",
    track=Track.CARE,
    steps=(
        PolicyStep(target=Target.ZONE_LEAD, wait_seconds=12 * 3600),
        PolicyStep(target=Target.RESPONSE_CENTRE, wait_seconds=12 * 3600),
    ),
    repeat_seconds=24 * 3600,
    limits=StageLimits(claimed=24 * 3600, on_way=24 * 3600, arrived=24 * 3600),
)
"""How word to whoever leads a zone climbs: half a day later to the response centre, where nobody confirms it."""


class Ended(StrEnum):
    """Why a silence is over: its time was up, somebody ended it, nobody agreed in time, what it was for is gone."""

    TIME_UP = "time_up"
    BY_HAND = "by_hand"
    NOT_AGREED = "not_agreed"
    MOVED = "moved"


# What becomes of it ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """What a silence has held back, as the end of the silence finds it: not known to be over.

    ``lasting``: whether a device would have said that it is over; ``fitted``: whether what raised it is still fitted there.
    """

    track: Track
    newest_at: datetime
    lasting: bool
    fitted: bool


class Fate(StrEnum):
    """What becomes of something at the end of its silence."""

    RAISED = "raised"
    PASSED = "passed"


def fate(kind: Kind, held: Held, now: datetime) -> Fate:
    """It is raised, unless it is about a device's own health and the device is gone; or it was over as soon as it had happened,
    and that is history. What waited for life at home while somebody was away is raised where it goes on."""
    if kind is Kind.AWAY:
        return Fate.RAISED if held.lasting and held.fitted else Fate.PASSED
    if held.track is Track.TECHNICAL and not held.fitted:
        return Fate.PASSED
    return Fate.RAISED if held.lasting or now - held.newest_at <= HISTORY_AFTER else Fate.PASSED


# Passing time ---------------------------------------------------------------------------------------------------------


class Due(StrEnum):
    """What a look at a silence finds to be done."""

    END = "end"
    WARN = "warn"
    ASK_BACK = "ask_back"
    TELL_WITHOUT_OWNER = "tell_without_owner"


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found: to be done, why it ends where it does, and when to look again (None: it has ended)."""

    due: tuple[Due, ...]
    ended: Ended | None = None
    again_at: datetime | None = None


def look(silence: Silence, now: datetime, zone: tzinfo, *, owned: bool, there: bool) -> Look:
    """What there is to do about a silence now. ``owned``: its owner still has the role; ``there``: its device is still fitted
    where it was, its resident still lives somewhere."""
    if not there:
        return Look((Due.END,), Ended.MOVED)
    if now >= silence.until and silence.kind is Kind.SILENCE:
        return Look((Due.END,), Ended.TIME_UP if silence.agreed else Ended.NOT_AGREED)
    due: list[Due] = []
    if now >= silence.until:
        due.append(Due.ASK_BACK)
    elif silence.agreed and silence.warned_at is None and now >= warns_at(silence):
        due.append(Due.WARN)
    if not owned:
        due.append(Due.TELL_WITHOUT_OWNER)
    return Look(tuple(due), again_at=next_look(silence, now, zone))


def warns_at(silence: Silence) -> datetime:
    """When its end is announced: a day before, or an hour where it is short; of one that is shorter than that, never."""
    length = silence.until - max(silence.since, silence.agreed_at)
    before = WARN_LONG if length >= LONG else WARN_SHORT
    return silence.until - before if length > 2 * WARN_SHORT else silence.until


def next_look(silence: Silence, now: datetime, zone: tzinfo) -> datetime:
    """When there may be something to do: its warning, its end, or the next morning."""
    times = [silence.until, next_morning(now, zone)]
    if silence.warned_at is None:
        times.append(warns_at(silence))
    return min(each for each in times if each > now)


def next_morning(now: datetime, zone: tzinfo) -> datetime:
    """The next time at which silences are looked at."""
    today = now.astimezone(zone).date()
    times: Sequence[datetime] = [local(day, LOOK_AT, zone) for day in (today, today + ONE_DAY)]
    return next(each for each in times if each > now)
