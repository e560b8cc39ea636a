"""What somebody did with a resident's data, in words: the lines of an access log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.render import translations
from devices.words import N_

LOOKS: Mapping[str, str] = {
    "resident.viewed": N_("Looked at the resident: home, devices, open alerts"),
    "resident.listed": N_("Saw the name in a list, with this alert"),
    "resident.named": N_("Saw the name beside a device or a rule, or in a list of residents"),
    "resident.observed": N_("Looked at what the devices have said"),
    "resident.log_viewed": N_("Looked at this log"),
    "resident.exported": N_("Took out all data, for whoever asked for it"),
    "resident.added": N_("Registered the resident"),
    "resident.changed": N_("Changed what is registered of the resident"),
    "resident.moved": N_("Registered a move"),
    "resident.moved_out": N_("Registered that the resident moved out"),
    "rule.previewed": N_("Saw the name in the preview of a rule"),
    "rule.set": N_("Set a rule for the resident"),
    "rule.withdrawn": N_("Withdrew a rule for the resident"),
    "policy.set": N_("Set an alert policy for the resident"),
    "policy.withdrawn": N_("Withdrew an alert policy for the resident"),
    "silence.asked": N_("Asked for a silence of the resident's alerts"),
    "silence.set": N_("Silenced alerts of the resident"),
    "silence.consented": N_("Agreed to a silence of the resident's alerts"),
    "silence.longer_asked": N_("Asked for a longer silence of the resident's alerts"),
    "silence.extended": N_("Let a silence of the resident's alerts last longer"),
    "silence.ended": N_("A silence of the resident's alerts ended"),
}
AWAY: Mapping[str, str] = {
    "silence.set": N_("Registered that the resident is away"),
    "silence.extended": N_("Registered that the resident stays away longer"),
    "silence.ended": N_("The resident is registered as back"),
}
"""The same of an absence (``away`` in the parameters)."""
WITH_ALERT = N_("Opened the alert")
WITH_POSITION = N_("Opened the alert, and saw where the resident was")


def look_text(action: str, params: Mapping[str, Any], language: str) -> str:
    """An action of the audit in words, with who typed it where that was on the server (``operator``). One that is not known is
    shown as it is."""
    operator = params.get("operator")
    return f"{_told(action, params, language)} ({operator})" if operator else _told(action, params, language)


def _told(action: str, params: Mapping[str, Any], language: str) -> str:
    _ = translations(language).gettext
    if action == "resident.viewed" and params.get("alert"):
        return _(WITH_POSITION if params.get("position_shown") else WITH_ALERT)
    if action in AWAY and params.get("away"):
        return _(AWAY[action])
    return _(LOOKS[action]) if action in LOOKS else action
