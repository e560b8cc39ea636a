"""Answered by phone: what somebody wrote back, or pressed in a call – whether it is a yes, and what is said to it."""

from __future__ import annotations

import re
from enum import StrEnum

from alerts.alert import Refusal
from alerts.render import translations
from devices.words import N_

YES = frozenset({("1",), ("ja",), ("yes",), ("ja", "1"), ("yes", "1"), ("1", "ja"), ("1", "yes")})


class Outcome(StrEnum):
    """What became of it. ``no_page``: nothing to take; ``nobody``: no number of ours; ``shown``: heard, and not taken."""

    TAKEN = "taken"
    HELD_BY_OTHER = "held_by_other"
    CLOSED = "closed"
    SHOWN = "shown"
    NO_PAGE = "no_page"
    NOT_UNDERSTOOD = "not_understood"
    NOBODY = "nobody"


WORDS = {
    Outcome.TAKEN: N_("You have the alert in {zone}."),
    Outcome.HELD_BY_OTHER: N_("Somebody else has the alert in {zone}."),
    Outcome.CLOSED: N_("The alert in {zone} is closed."),
    Outcome.SHOWN: N_("You do not have the alert in {zone}."),
    Outcome.NO_PAGE: N_("There is no alert for you to take now."),
}
"""What is said to whoever answered; nothing for the rest."""


def says_yes(text: str) -> bool:
    """Whether "1" is meant: also as "1.", "Ja", "ja 1"."""
    return tuple(re.findall(r"\w+", text.casefold())) in YES


def words(outcome: Outcome, zone: str, language: str) -> str:
    """What is said, in their language; nothing where nobody is to be answered."""
    said = WORDS.get(outcome)
    return translations(language).gettext(said).format(zone=zone) if said else ""


def refused(reason: Refusal) -> Outcome:
    """Why an alert is not theirs."""
    return Outcome.CLOSED if reason is Refusal.CLOSED else Outcome.HELD_BY_OTHER
