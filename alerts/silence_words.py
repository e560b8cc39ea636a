"""Silences in words: reasons, states, ends, what became of what was held back, and what was done to one."""

from __future__ import annotations

from collections.abc import Mapping

from alerts.render import CONDITIONS, condition_text
from alerts.silence import Kind, Reason, State, Why
from alerts.silence_ends import Ended
from devices.health import HEALTH_WORDS
from devices.kinds import kinds
from devices.words import N_

REASONS: Mapping[str, str] = {
    Reason.REPAIR: N_("A device is being mended or replaced"),
    Reason.VISIT: N_("Work or a visit in the home"),
    Reason.FALSE_ALARMS: N_("False alarms that are being looked into"),
    Reason.AGREED: N_("As agreed with the resident"),
    Reason.EXERCISE: N_("Exercise or test"),
    Reason.HOSPITAL: N_("In hospital"),
    Reason.RESPITE: N_("Respite stay"),
    Reason.HOLIDAY: N_("On holiday"),
    Reason.FAMILY: N_("With family"),
    Reason.OTHER: N_("Another reason"),
}

STATES: Mapping[str, str] = {
    State.ASKED: N_("Waits for a second person's consent; holds back nothing yet"),
    State.PLANNED: N_("Begins later"),
    State.IN_FORCE: N_("In force"),
    Kind.AWAY: N_("Away"),
    State.OVERDUE: N_("Should be back: everything is raised again"),
    State.ENDED: N_("Ended"),
}
"""By state; a resident who is away by the kind."""

HELD: Mapping[str, str] = {Why.SILENCED: N_("it is silenced"), Why.AWAY: N_("the resident is away")}
"""Why something is held back."""

ENDED: Mapping[Ended, str] = {
    Ended.TIME_UP: N_("Its time was up"),
    Ended.BY_HAND: N_("It was ended"),
    Ended.NOT_AGREED: N_("Nobody agreed in time"),
    Ended.MOVED: N_("What it was for is not there any more"),
}

OUTCOMES: Mapping[str, str] = {
    "open": N_("Goes on, as far as is known"),
    "over": N_("Over, as the device says"),
    "raised": N_("Raised when the silence ended"),
    "held_on": N_("Held back by another silence"),
    "passed": N_("Passed"),
}

CHANGES: Mapping[str, str] = {
    "silence.asked": N_("Asked for"),
    "silence.set": N_("Set"),
    "silence.consented": N_("Agreed to"),
    "silence.longer_asked": N_("Asked to let it last longer"),
    "silence.extended": N_("Another end was set"),
    "silence.ended": N_("Ended"),
}
"""By the audit's action."""


def condition_words(condition: str, kind: str | None, language: str) -> str:
    """What a condition is called, by a device of this kind, else by whichever kind has words for it."""
    known = kinds().get(kind or "")
    if (
        condition in HEALTH_WORDS.conditions
        or condition in CONDITIONS
        or (known and condition in known.words.conditions)
    ):
        return condition_text(condition, kind, language)
    other = next((name for name, each in kinds().items() if condition in each.words.conditions), None)
    return condition_text(condition, other, language)
