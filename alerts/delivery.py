"""Delivery: what becomes of a page after an attempt to hand it to its channel. Retry is decided here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

MAX_TRIES = 5
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


def settle(result: SendResult, tries: int) -> Verdict:
    """What follows the ``tries``-th attempt (from 1)."""
    match result:
        case HandedOver():
            return result
        case Failed(reason=reason, permanent=True):
            return GiveUp(reason, result.contact_broken)
        case Failed(reason=reason) if tries >= MAX_TRIES:
            return GiveUp(reason, contact_broken=False)
    return Retry(min(FIRST_BACK_OFF * 2 ** (tries - 1), LONGEST_BACK_OFF))
