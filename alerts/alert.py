"""An alert as escalation sees it: where it stands, what can happen to it, and who can be reached.

Values only; what becomes of them is decided in ``alerts.escalation``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from alerts.checkin import Skipped
from alerts.model import Entry, Severity
from alerts.policy import Policy
from alerts.schedule import Window


class Stage(StrEnum):
    OPEN = "open"
    CLAIMED = "claimed"
    ON_WAY = "on_way"
    ARRIVED = "arrived"
    CLOSING = "closing"
    CLOSED = "closed"


class DueFor(StrEnum):
    STEP = "step"
    STAGE = "stage"
    CONFIRM = "confirm"
    ACCEPT = "accept"
    KEEP = "keep"
    PAUSE = "pause"
    CLOSE = "close"


class Cause(StrEnum):
    """What an alert turned out to be, asked for when it is closed."""

    REAL = "real"
    FALSE_BY_DEVICE = "false_by_device"
    FALSE_BY_USER = "false_by_user"
    TEST = "test"
    OTHER = "other"


class Action(StrEnum):
    """What was done about it, asked for when an alert is closed."""

    VISITED = "visited"
    TALKED = "talked"
    AMBULANCE = "ambulance"
    GENERAL_PRACTITIONER = "general_practitioner"
    REPAIRED = "repaired"
    NOTHING = "nothing"
    OTHER = "other"


class PauseReason(StrEnum):
    """Why nobody has to come for a while, said by whoever pauses an alert."""

    SPOKEN_WITH = "spoken_with"
    SOMEBODY_THERE = "somebody_there"
    VISIT_SOON = "visit_soon"
    WAITING_FOR_OTHERS = "waiting_for_others"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Alert:
    """Where an alert stands. ``step`` is the ladder's position, or None while the ladder rests.

    While closing, ``step`` remembers the position of a call for help, which goes on if the closing is undone.

    ``version`` grows with what people and devices do, not with the ladder: it is what an answer can be stale against.
    ``exhausted_at``: since when the last step repeats, or nobody at all can be reached. ``cause_code``, ``action_code``: the
    national codes of the two, where there are any (``alerts.closing``).
    """

    policy: Policy
    severity: Severity
    stage: Stage = Stage.OPEN
    due_at: datetime | None = None
    due_for: DueFor | None = None
    version: int = 0
    attempt: int = 0
    step: int | None = None
    holder: int | None = None
    offered_to: int | None = None
    before_closing: Stage | None = None
    cause: Cause | None = None
    action: Action | None = None
    cause_code: str | None = None
    action_code: str | None = None
    exhausted_at: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """A way to reach a person. ``kind``: its channel. ``quiet``: when it is not to be disturbed; ``resting``: it is so now."""

    id: int
    person_id: int
    kind: str = ""
    quiet: Window | None = None
    resting: bool = False


@dataclass(frozen=True, slots=True)
class People:
    """Who can be reached for an alert at this moment: by whom a step means (``PolicyStep.whom``), and by person.

    ``persons`` must hold the holder, whoever it is offered to, whoever it is about to be handed to, and whoever asked for
    a command that was not done. ``skipped``: whoever is on duty and in no target, as they have not checked in.
    ``unskipped``: the targets with nobody passed over – neither for that, nor who leads and is away; empty where it is the same.
    """

    targets: Mapping[str, tuple[Contact, ...]] = field(default_factory=dict)
    persons: Mapping[int, tuple[Contact, ...]] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    unskipped: Mapping[str, tuple[Contact, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """A wish to reach one contact; unique by attempt and contact within the alert. ``about``: a code of
    ``alerts.render.ABOUT``, where it tells more than that there is an alert. ``after``: how much later it is due (``alerts.chain``)."""

    attempt: int
    contact: Contact
    about: str | None = None
    after: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Step:
    """What became of an alert. ``withdraw``: whatever it has paged before is of no interest any more."""

    alert: Alert
    entries: tuple[Entry, ...] = ()
    pages: tuple[Page, ...] = ()
    withdraw: bool = False


class Refusal(StrEnum):
    """Why an answer was not taken."""

    CLOSED = "closed"
    HELD_BY_OTHER = "held_by_other"
    NOT_HELD = "not_held"
    NOT_CLOSING = "not_closing"
    UNREACHABLE = "unreachable"
    SAME_PERSON = "same_person"
    NOT_OFFERED = "not_offered"
    CRITICAL = "critical"
    TOO_LONG = "too_long"
    HELP_WANTED = "help_wanted"
    PAUSED = "paused"
    NOT_PAUSED = "not_paused"


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that was not taken, and why; the alert stays as it was."""

    reason: Refusal


# Events ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Raised:
    """The alert is new. ``also``: persons who are paged besides the first step."""

    also: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ContactTested:
    """The alert is new, and a test of a contact: nobody else is paged ``within`` that time."""

    contact: Contact
    within: timedelta


@dataclass(frozen=True, slots=True)
class TimePassed:
    """``due_at`` has come."""


@dataclass(frozen=True, slots=True)
class Joined:
    """New evidence of the same cause."""

    severity: Severity


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same again and again: ``times`` within a short time. More people are called at once."""

    severity: Severity
    times: int


@dataclass(frozen=True, slots=True)
class PagesFailed:
    """Every page of an attempt has failed for good."""

    attempt: int


@dataclass(frozen=True, slots=True)
class CommandNotDone:
    """What somebody asked a device of the home to do was not done, as ``entry`` tells: they must know at once."""

    requested_by: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Cleared:
    """What the alert was about is over, as the device or the site itself shows."""


@dataclass(frozen=True, slots=True)
class Claim:
    """ "I take it" – or, when help was called for, "I come too". ``take_over``: from whoever has it."""

    by: int
    take_over: bool = False


@dataclass(frozen=True, slots=True)
class OnWay:
    by: int


@dataclass(frozen=True, slots=True)
class Arrived:
    by: int


@dataclass(frozen=True, slots=True)
class Close:
    """``cause_code``: what it was more exactly, a VKP alert code."""

    by: int
    cause: Cause
    action: Action
    cause_code: str | None = None


@dataclass(frozen=True, slots=True)
class UndoClose:
    by: int


@dataclass(frozen=True, slots=True)
class HandOver:
    """The holder offers the alert to ``to``, who has to accept it."""

    by: int
    to: int


@dataclass(frozen=True, slots=True)
class Decline:
    """ "Not me": whoever it is offered to leaves it with the holder."""

    by: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Nobody has to come for a while, for a reason; whoever says so has it until then."""

    by: int
    reason: PauseReason
    time: timedelta


@dataclass(frozen=True, slots=True)
class Resume:
    """The pause is over before its time: the holder's stage goes on."""

    by: int


@dataclass(frozen=True, slots=True)
class Release:
    """ "I can't after all": back to the ladder at once."""

    by: int


@dataclass(frozen=True, slots=True)
class NeedHelp:
    by: int


Answer = Claim | OnWay | Arrived | Close | UndoClose | HandOver | Decline | Pause | Resume | Release | NeedHelp
Event = Raised | ContactTested | TimePassed | Joined | Repeated | PagesFailed | CommandNotDone | Cleared | Answer
Outcome = Step | Refused
