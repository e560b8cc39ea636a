"""What devices say, and what is said of them, in plain words. What has no words here is shown as the device says it."""

from __future__ import annotations

from alerts.render import N_, translations

SAID = {
    "fall": N_("Fall detected"),
    "fall_cancelled": N_("The wearer has cancelled the fall alarm"),
    "button_pressed": N_("The button was pressed"),
    "worn": N_("The alarm was put on"),
    "not_worn": N_("The alarm was taken off"),
    "dose_scheduled": N_("A dose is planned"),
    "dose_dispensed": N_("The dose was dispensed"),
    "dose_taken": N_("The dose was taken"),
    "dose_missed": N_("The dose was not taken"),
    "dose_not_dispensed": N_("The dose was not dispensed"),
    "no_medicine": N_("No medicine for the dose"),
    "technical_stop": N_("The dispenser has stopped"),
    "bag_unreadable": N_("The dose bag could not be read"),
    "roll_fault": N_("Fault with the roll"),
    "jam": N_("The roll is stuck"),
    "tray_full": N_("The tray is full"),
    "low_stock": N_("Medicine is running out"),
    "empty": N_("The dispenser is empty"),
    "refilled": N_("The dispenser was refilled"),
    "opened": N_("The dispenser was opened"),
    "closed": N_("The dispenser was closed"),
    "left_open": N_("The dispenser stands open"),
    "break_in": N_("The dispenser was broken into"),
    "tilted": N_("The dispenser was tilted"),
    "message_read": N_("The message was read"),
    "heartbeat": N_("Sign of life"),
    "presence": N_("Connected or not"),
    "battery_low": N_("Battery low"),
    "battery_empty": N_("Battery empty"),
    "fault": N_("The device reports a fault"),
    "tamper": N_("Somebody has tampered with the device"),
    "mains_off": N_("Mains power off"),
    "mains_on": N_("Mains power on"),
    "test": N_("Test"),
    "nothing_said": N_("Nothing was heard"),
    "heard_again": N_("The device was heard again"),
    "undecodable": N_("A message that could not be read"),
    "rule_failed": N_("A rule failed"),
    "nothing_heard": N_("The site is not heard"),
    "session_lost": N_("The broker has forgotten what it kept for us"),
}
"""By an evidence's type."""


def said(type_: str, language: str) -> str:
    """The words for an evidence's type; the type itself, legibly, where there are none."""
    words = SAID.get(type_)
    return translations(language).gettext(words) if words else type_.replace("_", " ")
