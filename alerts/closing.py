"""Closing: what an alert turned out to be and what was done, in the national codes. Pure; the one place of the mapping.

Source
    The national lists (``devices.vkp``, draft v0.9.0) have no list of causes or of actions: among the handling events "årsak" (6)
    and "tiltak" (7) only say that there is one. What they have is used:

    - the cause, more exactly: an alert code (``vkp-alert-code-v090``) – the button was pressed (3), and it was a fall (4.1); the
      dispenser was silent (1.20), and its battery was empty (1.18). Chosen by a person, or left out.
    - the action: a handling event (``vkp-composition-event-v090``) that says what kind of action it was. It follows from the action.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from alerts.alert import Action
from devices.vkp import ALERT_CODES, HANDLING_EVENTS, code_list

MEASURE, CONVERSATION, ACTION, OTHER_ACTOR = "7", "8", "9", "10"
ACTION_CODES: Mapping[Action, str | None] = {
    Action.VISITED: ACTION,
    Action.TALKED: CONVERSATION,
    Action.AMBULANCE: OTHER_ACTOR,
    Action.GENERAL_PRACTITIONER: OTHER_ACTOR,
    Action.REPAIRED: MEASURE,
    Action.NOTHING: None,
    Action.OTHER: MEASURE,
}
"""The handling event that an action is; None where nothing was done. Which one is which is a proposal: no source maps them."""


def cause_text(code: str | None) -> str | None:
    """What the national list calls a cause's code, in Norwegian; None where it has no such code."""
    return code_list(ALERT_CODES).get(code) if code is not None else None


def action_text(code: str | None) -> str | None:
    """What the national list calls an action's code, in Norwegian."""
    return code_list(HANDLING_EVENTS).get(code) if code is not None else None


def cause_codes(vkp_code: str | None) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The codes of causes to choose from, by chapter: its code, its term, and the codes and terms in it, itself first.

    The chapter of the alert's own code (``vkp_code``) comes first.
    """
    own = vkp_code.split(".")[0] if vkp_code else None
    return sorted(_chapters(), key=lambda chapter: chapter[0] != own)


@cache
def _chapters() -> list[tuple[str, str, list[tuple[str, str]]]]:
    terms = code_list(ALERT_CODES)
    return [
        (chapter, term, [(code, text) for code, text in terms.items() if code.split(".")[0] == chapter])
        for chapter, term in terms.items()
        if "." not in chapter
    ]
