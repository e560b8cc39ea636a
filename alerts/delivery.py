"""Delivery: what becomes of a page after an attempt to hand it to its channel, and of what is then heard of it. Retry is
decided here and nowhere else.

Theory
    A page goes one way only, and what comes late or out of order moves it nowhere back::

        queued ──▶ leased ──▶ handed_over ──▶ received ──▶ shown ──▶ answered
          ▲          │  └──▶ failed            the device has it, somebody saw it, its person answered the alert
          └── retry ─┘
        withdrawn: from every state but failed and answered, when somebody else has answered

    ``received`` and ``shown`` are heard from the phone or the provider, and can come before our own word that the page was
    handed over. Where a page is failed, withdrawn or answered, they are noted with their times and change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from alerts.model import Severity


class PageState(StrEnum):
    QUEUED = "queued"
    LEASED = "leased"
    HANDED_OVER = "handed_over"
    RECEIVED = "received"
    SHOWN = "shown"
    ANSWERED = "answered"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class Receipt(StrEnum):
    """What is heard of a page after it left: the device has it; it was shown; it can't be delivered after all."""

    RECEIVED = "received"
    SHOWN = "shown"
    FAILED = "failed"


RECEIPT_WITHIN = {
    Severity.NOT_REPORTED: timedelta(minutes=5),
    Severity.NORMAL: timedelta(minutes=5),
    Severity.MODERATE: timedelta(minutes=1),
    Severity.SERIOUS: timedelta(seconds=30),
    Severity.CRITICAL: timedelta(seconds=15),
}
"""How long a responder's next contact waits for word that the one before it was received. Proposals, no source gives them."""


class Noted(StrEnum):
    """Why what is heard of a page moves it nowhere; its time is noted all the same."""

    AS_FAR = "as_far"
    OVER = "over"
    TRIED_AGAIN = "tried_again"


_ON_ITS_WAY = (PageState.QUEUED, PageState.LEASED, PageState.HANDED_OVER)
HEARD: Mapping[Receipt, tuple[PageState, frozenset[PageState]]] = {
    Receipt.RECEIVED: (PageState.RECEIVED, frozenset(_ON_ITS_WAY)),
    Receipt.SHOWN: (PageState.SHOWN, frozenset({*_ON_ITS_WAY, PageState.RECEIVED})),
    Receipt.FAILED: (PageState.FAILED, frozenset({PageState.LEASED, PageState.HANDED_OVER})),
}
"""Where a receipt moves a page, and from which states. One that waits for another try is not failed by word of the last."""
OVER = frozenset({PageState.ANSWERED, PageState.FAILED, PageState.WITHDRAWN})


def heard(state: PageState, receipt: Receipt) -> PageState | Noted:
    """The state that a page moves to by what is heard of it, or why it stays."""
    to, before = HEARD[receipt]
    if state in before:
        return to
    if state in OVER:
        return Noted.OVER
    return Noted.TRIED_AGAIN if state is PageState.QUEUED else Noted.AS_FAR


MAX_TRIES = 5
RECALL_TRIES = 3
"""A page is taken back as often as that; a phone that is off shows it until it is back."""
FIRST_BACK_OFF = timedelta(seconds=2)
LONGEST_BACK_OFF = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The channel has taken the page. ``detail`` is what it said of it."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The channel has not taken the page. ``permanent``: it will not take this one, however often it is tried.

    ``contact_broken``: and no other one for this contact, as the channel says for certain (there is no such address).
    """

    reason: str
    permanent: bool = False
    contact_broken: bool = False


SendResult = HandedOver | Failed


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after a back-off, in real time."""

    after: timedelta


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Fail loudly. ``contact_broken``: the contact itself is of no use."""

    reason: str
    contact_broken: bool


Verdict = HandedOver | Retry | GiveUp


def settle(result: SendResult, tries: int, most: int = MAX_TRIES) -> Verdict:
    """What follows the ``tries``-th attempt (from 1) of at ``most`` so many."""
    match result:
        case HandedOver():
            return result
        case Failed(reason=reason, permanent=True):
            return GiveUp(reason, result.contact_broken)
        case Failed(reason=reason) if tries >= most:
            return GiveUp(reason, contact_broken=False)
    return Retry(min(FIRST_BACK_OFF * 2 ** (tries - 1), LONGEST_BACK_OFF))
