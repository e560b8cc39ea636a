"""What passing time will do with an alert next, in words."""

from __future__ import annotations

from collections.abc import Mapping

from alerts.alert import DueFor
from alerts.policy import Policy
from alerts.render import translations
from alerts.timeline import TARGETS
from devices.words import N_

CALLED = N_("called: {target}")
CALLED_AGAIN = N_("called again: {target}")

OTHERWISE: Mapping[DueFor, str] = {
    DueFor.STAGE: N_("others are called"),
    DueFor.CONFIRM: N_("others are called"),
    DueFor.ACCEPT: N_("the hand-over lapses"),
    DueFor.KEEP: N_("others are called"),
    DueFor.PAUSE: N_("the pause is over, and people are called"),
    DueFor.CLOSE: N_("is closed"),
}


def upcoming(policy: Policy, step: int | None, due_for: DueFor, language: str) -> str:
    """What happens when an alert is due. ``step``: the one that it has reached, None before the first."""
    gettext = translations(language).gettext
    if due_for is not DueFor.STEP:
        return gettext(OTHERWISE[due_for])
    last = len(policy.ladder) - 1
    following = 0 if step is None else step + 1
    text = CALLED if following <= last else CALLED_AGAIN
    return gettext(text).format(target=gettext(TARGETS[policy.ladder[min(following, last)].target]))
