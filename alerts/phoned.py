"""Answered by phone: what somebody wrote back, or pressed in a call – whether it is a yes, and what is said to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from alerts.render import translations
from devices.words import N_

YES = frozenset({("1",), ("ja",), ("yes",), ("ja", "1"), ("yes", "1"), ("1", "ja"), ("1", "yes")})


class Outcome(StrEnum):
    """What became of it. ``no_page``: nothing to take; ``nobody``: no number of ours; ``shown``: heard, and not taken.
    ``confirmed``, ``test_shown``, ``test_over``: of a test."""

    TAKEN = "taken"
    HELD_BY_OTHER = "held_by_other"
    CLOSED = "closed"
    SHOWN = "shown"
    NO_PAGE = "no_page"
    NOT_UNDERSTOOD = "not_understood"
    NOBODY = "nobody"
    CONFIRMED = "confirmed"
    TEST_SHOWN = "test_shown"
    TEST_OVER = "test_over"


WORDS = {
    Outcome.TAKEN: N_("You have the alert in {zone}."),
    Outcome.HELD_BY_OTHER: N_("Somebody else has the alert in {zone}."),
    Outcome.CLOSED: N_("The alert in {zone} is closed."),
    Outcome.SHOWN: N_("You do not have the alert in {zone}."),
    Outcome.NO_PAGE: N_("There is no alert for you to take now."),
    Outcome.CONFIRMED: N_("Confirmed: alerts come to this phone."),
    Outcome.TEST_SHOWN: N_("You have not confirmed the test."),
    Outcome.TEST_OVER: N_("This test is over. Send another one under My contacts."),
}
"""What is said to whoever answered; nothing for the rest."""


def says_yes(text: str) -> bool:
    """Whether "1" is meant: also as "1.", "Ja", "ja 1"."""
    return tuple(re.findall(r"\w+", text.casefold())) in YES


def words(outcome: Outcome, zone: str, language: str) -> str:
    """What is said, in their language; nothing where nobody is to be answered."""
    said = WORDS.get(outcome)
    return translations(language).gettext(said).format(zone=zone) if said else ""


OF_TEST: Mapping[Outcome, Outcome] = {
    Outcome.TAKEN: Outcome.CONFIRMED,
    Outcome.SHOWN: Outcome.TEST_SHOWN,
    Outcome.CLOSED: Outcome.TEST_OVER,
    Outcome.NO_PAGE: Outcome.TEST_OVER,
    Outcome.HELD_BY_OTHER: Outcome.TEST_OVER,
}
"""What became of an answer to a test, by what had become of one to an alert."""
