"""What the alert's page makes of an alert: its answer buttons in order, its evidence and timeline in plain words.

Rules
    The buttons are exactly the answers that the gateway offers. The first is the next step of whoever looks: large, and
    where the thumb is. Two more stand beside each other below it, the rest behind "More".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
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
    PositionView,
    TimelineEntry,
)
from gateway.web import words
from gateway.web.html import Times
from gateway.web.maps import map_link

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
FIRST_WHEN_OFFERED: tuple[AnswerName, ...] = ("claim", "decline", "on_way", "arrived")

LABELS: Mapping[AnswerName, str] = {
    "claim": N_("I take it"),
    "take_over": N_("Take over"),
    "on_way": N_("On my way"),
    "arrived": N_("I am here"),
    "close": N_("Done"),
    "undo_close": N_("Undo"),
    "hand_over": N_("Hand over"),
    "decline": N_("Not me"),
    "pause": N_("Pause"),
    "resume": N_("End the pause"),
    "release": N_("I can't after all"),
    "need_help": N_("I need help"),
}
PURPOSE = {"unlock": Reason.GET_IN, "unlatch": Reason.GET_IN, "lock": Reason.SECURE}
"""Why somebody asks for it, most often: chosen already, and easily changed."""
OLD_AFTER = timedelta(minutes=15)
"""A position that was found longer ago is no longer where somebody is."""
COARSE_M = 100
"""A position that is less accurate is no place to drive to."""

ACCURATE = N_("Accurate to {metres}")
ACCURACY_UNKNOWN = N_("Accuracy unknown")
COARSE = N_("Coarse: look within {metres} of it.")
FROM_HOME = N_("At least {metres} from home")
NEAR_HOME = N_("At home or close to it")
ANOTHER_DEVICE = N_("From another device: {kind}")

COME_TOO = N_("I come too")
STILL_MINE = N_("I still have it")


DECODED_AGAIN: Mapping[str, str] = {
    "decoded": N_("Decoded and stored: %(count)s. What they raise is among the alerts."),
    "seen_before": N_("Had already come in another way, and raise nothing twice: %(count)s."),
    "already_decoded": N_("Had been decoded before: %(count)s."),
    "unreadable": N_("Still cannot be read: %(count)s. Each says why."),
}
NOTHING_WAITED = N_("Nothing was waiting to be decoded again.")


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


@dataclass(frozen=True, slots=True)
class Place:
    """A position in plain words. ``link`` opens the map; ``old_at``: when it gets too old to rely on."""

    position: PositionView
    link: str
    accuracy: str
    coordinates: str
    details: tuple[str, ...]
    old_at: datetime
    is_old: bool
    coarse: str | None


def buttons(alert: AlertDetail, reader: UUID, language: str) -> Buttons:
    """The answers of an alert for whoever reads it."""
    first = _first(alert, reader)
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


def places(alert: AlertDetail, user_agent: str, language: str, times: Times) -> list[Place]:
    """Where to look, the newest first."""
    return [_place(each, user_agent, language, times) for each in alert.positions]


def away(alert: AlertDetail) -> bool:
    """Whether the resident may be somewhere else than at home: then that comes before the address."""
    return any(each.distance_from_home_m != 0 for each in alert.positions if each.when == "latest")


def decoded_again(counts: Mapping[str, str], language: str) -> list[str]:
    """What became of messages that were decoded again, by the counts of an address; empty where it names none."""
    gettext = translations(language).gettext
    given = {name: text for name in DECODED_AGAIN if (text := counts.get(name, "")).isdecimal() and len(text) <= 6}
    told = [gettext(DECODED_AGAIN[name]) % {"count": int(text)} for name, text in given.items() if int(text)]
    return told if told or not given else [gettext(NOTHING_WAITED)]


def readable(text: str) -> str:
    """A message as it can be read: JSON line by line, anything else as it came."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text


def address(asked: Mapping[str, str | None]) -> str:
    """The query of an address, without what is not asked for."""
    return urlencode({name: value for name, value in asked.items() if value})


def late(alert: AlertSummary) -> bool:
    """Whether word of it came too late to pass over in silence."""
    return alert.late_seconds >= LATE_SECONDS


def is_paused(alert: AlertSummary, now: datetime) -> bool:
    """Whether nobody is called for a while, as somebody said why."""
    return alert.paused_until is not None and alert.paused_until > now


def answered_late(entry: TimelineEntry) -> bool:
    """Whether an answer reached us clearly later than it was given."""
    return entry.given_at is not None and (entry.at - entry.given_at).total_seconds() >= 60


def _first(alert: AlertDetail, reader: UUID) -> tuple[AnswerName, ...]:
    """What is likeliest, in order. A holder who is asked, or who has paused it, says first that they have it still."""
    if _holds(alert, reader):
        return ("resume", "claim", *FIRST_FOR_HOLDER.get(alert.stage, ()))
    return FIRST_WHEN_OFFERED if _offered(alert, reader) else FIRST_FOR_OTHERS


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


def _place(found: PositionView, user_agent: str, language: str, times: Times) -> Place:
    gettext = translations(language).gettext
    metres = None if found.accuracy_m is None else _metres(found.accuracy_m)
    old_at = found.at + OLD_AFTER
    return Place(
        found,
        map_link(found.latitude, found.longitude, user_agent),
        gettext(ACCURATE).format(metres=metres) if metres else gettext(ACCURACY_UNKNOWN),
        f"{found.latitude:.5f}, {found.longitude:.5f}",
        tuple(_details(found, language, times)),
        old_at,
        times.now >= old_at,
        gettext(COARSE).format(metres=metres) if metres and (found.accuracy_m or 0) > COARSE_M else None,
    )


def _details(found: PositionView, language: str, times: Times) -> Iterator[str]:
    """How far from home, how it was found, and by what where that is not the alert's device."""
    gettext = translations(language).gettext
    if found.distance_from_home_m is not None:
        far = found.distance_from_home_m
        yield gettext(FROM_HOME).format(metres=_metres(far)) if far else gettext(NEAR_HOME)
    if found.source:
        label, source = words.field("source", found.source, gettext, times.clock)
        yield f"{label}: {source}"
    if not found.own:
        yield gettext(ANOTHER_DEVICE).format(kind=words.word(words.KINDS, found.device_kind, gettext))


def _metres(metres: float) -> str:
    """As it is said: metres, and from a kilometre on kilometres."""
    if metres < 1000:
        return f"{metres:.0f}\N{NO-BREAK SPACE}m"
    return f"{metres / 1000:.1f}".removesuffix(".0").replace(".", ",") + "\N{NO-BREAK SPACE}km"


def _told(said: EvidenceView, language: str, times: Times) -> Told:
    gettext = translations(language).gettext
    return Told(
        said,
        words_of(said.type, said.device_kind, language),
        said.late_seconds >= LATE_SECONDS,
        tuple(words.field(name, value, gettext, times.clock) for name, value in said.fields.items()),
        tuple(words.word(words.FLAGS, flag, gettext) for flag in said.flags),
    )
