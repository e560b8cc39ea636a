"""What the alert's page makes of an alert: its answer buttons in order, its evidence and timeline in plain words.

Rules
    The buttons are exactly the answers that the gateway offers. The first is the next step of whoever looks: large, and
    where the thumb is. Two more stand beside each other below it, the rest behind "More".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

from alerts.alert import Stage
from alerts.command import Reason
from alerts.model import LATE_AFTER
from alerts.render import translations
from alerts.words import said as words_of
from devices.words import N_
from gateway.api.schemas import (
    AlertDetail,
    AlertSummary,
    AnswerName,
    CommandOffer,
    CommandView,
    EvidenceView,
    LockView,
    TimelineEntry,
)
from gateway.web import words
from gateway.web.html import Times

BESIDE = 2
LATE_SECONDS = int(LATE_AFTER.total_seconds())

FIRST_FOR_HOLDER: Mapping[Stage, tuple[AnswerName, ...]] = {
    Stage.OPEN: ("claim", "on_way", "arrived"),
    Stage.CLAIMED: ("on_way", "need_help", "arrived", "close"),
    Stage.ON_WAY: ("arrived", "need_help", "close"),
    Stage.ARRIVED: ("close", "need_help", "hand_over"),
    Stage.CLOSING: ("undo_close",),
}
FIRST_FOR_OTHERS: tuple[AnswerName, ...] = ("claim", "on_way", "arrived", "take_over", "close")

LABELS: Mapping[AnswerName, str] = {
    "claim": N_("I take it"),
    "take_over": N_("Take over"),
    "on_way": N_("On my way"),
    "arrived": N_("I am here"),
    "close": N_("Done"),
    "undo_close": N_("Undo"),
    "hand_over": N_("Hand over"),
    "release": N_("I can't after all"),
    "need_help": N_("I need help"),
}
PURPOSE = {"unlock": Reason.GET_IN, "unlatch": Reason.GET_IN, "lock": Reason.SECURE}
"""Why somebody asks for it, most often: chosen already, and easily changed."""
COME_TOO = N_("I come too")
STILL_MINE = N_("I still have it")


@dataclass(frozen=True, slots=True)
class Button:
    """An answer to offer. ``key``: to recognise the same answer when it is sent twice."""

    answer: AnswerName
    label: str
    key: UUID


@dataclass(frozen=True, slots=True)
class Buttons:
    """The answers as they are laid out. ``first`` is None where there is nothing to answer."""

    first: Button | None
    beside: tuple[Button, ...]
    more: tuple[Button, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """Something to ask a lock for. ``purpose``: the reason that is likeliest; ``key``: as a :class:`Button` has it."""

    offer: CommandOffer
    purpose: Reason | None
    key: UUID


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock as the page shows it. ``last``: the newest command, told with its progress."""

    lock: LockView
    offers: tuple[Offer, ...]

    @property
    def last(self) -> CommandView | None:
        return self.lock.given[0] if self.lock.given else None


@dataclass(frozen=True, slots=True)
class Told:
    """A piece of evidence in plain words. ``fields``: label and text."""

    evidence: EvidenceView
    text: str
    late: bool
    fields: tuple[tuple[str, str], ...]
    flags: tuple[str, ...]


def buttons(alert: AlertDetail, reader: UUID, language: str) -> Buttons:
    """The answers of an alert for whoever reads it."""
    first = FIRST_FOR_HOLDER.get(alert.stage, ()) if _holds(alert, reader) else FIRST_FOR_OTHERS
    ordered = sorted(alert.answers, key=lambda answer: first.index(answer) if answer in first else len(first))
    made = [Button(answer, _label(answer, alert, reader, language), uuid4()) for answer in ordered]
    return Buttons(made[0] if made else None, tuple(made[1 : 1 + BESIDE]), tuple(made[1 + BESIDE :]))


def evidence(alert: AlertDetail, language: str, times: Times) -> list[Told]:
    """What the device said, newest first: what it says now matters most."""
    return [_told(each, language, times) for each in reversed(alert.evidence)]


def locks(alert: AlertDetail) -> list[Lock]:
    """The doors of the home: what is known of each, and what can be asked."""
    return [
        Lock(each, tuple(Offer(offer, PURPOSE.get(offer.command), uuid4()) for offer in each.commands))
        for each in alert.locks
    ]


def late(alert: AlertSummary) -> bool:
    """Whether word of it came too late to pass over in silence."""
    return alert.late_seconds >= LATE_SECONDS


def answered_late(entry: TimelineEntry) -> bool:
    """Whether an answer reached us clearly later than it was given."""
    return entry.given_at is not None and (entry.at - entry.given_at).total_seconds() >= 60


def _holds(alert: AlertDetail, reader: UUID) -> bool:
    return alert.holder is not None and alert.holder.id == reader


def _offered(alert: AlertDetail, reader: UUID) -> bool:
    return alert.offered_to is not None and alert.offered_to.id == reader


def _label(answer: AnswerName, alert: AlertDetail, reader: UUID, language: str) -> str:
    gettext = translations(language).gettext
    if answer == "claim" and _holds(alert, reader):
        return gettext(STILL_MINE)
    if answer == "claim" and alert.holder is not None and not _offered(alert, reader):
        return gettext(COME_TOO)
    return gettext(LABELS[answer])


def _told(said: EvidenceView, language: str, times: Times) -> Told:
    gettext = translations(language).gettext
    return Told(
        said,
        words_of(said.type, said.device_kind, language),
        said.late_seconds >= LATE_SECONDS,
        tuple(words.field(name, value, gettext, times.clock) for name, value in said.fields.items()),
        tuple(words.word(words.FLAGS, flag, gettext) for flag in said.flags),
    )
