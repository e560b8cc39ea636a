"""What devices say, and what is said of them, in plain words. What has no words here is shown as the device says it."""

from __future__ import annotations

from alerts.render import translations
from devices.health import HEALTH_WORDS
from devices.kinds import kinds
from devices.words import N_

SAID = {
    "nothing_said": N_("Nothing was heard"),
    "heard_again": N_("The device was heard again"),
    "calm_again": N_("It has become less frequent again"),
    "no_longer_watched": N_("Nobody waits for it any more"),
    "undecodable": N_("A message that could not be read"),
    "rule_failed": N_("A rule failed"),
    "nothing_heard": N_("The site is not heard"),
    "too_few_people": N_("Too few people can be reached"),
    "people_enough": N_("Enough people can be reached again"),
    "session_lost": N_("The broker has forgotten what it kept for us"),
    "broker_tried": N_("The broker was tried, and does not keep what it takes"),
    "broker_keeps": N_("The broker was tried again, and keeps what it takes"),
    "database_looked_at": N_("The database is set up so that a power cut can take back what was stored"),
    "database_keeps": N_("The database is set up again to keep what is stored"),
    "canary_not_passed": N_("The test alarm of this site was not answered in time: alarms may reach nobody"),
    "canary_passed": N_("The test alarm gets through again"),
    "too_many": N_("It sends so much that not all of it is taken"),
    "fewer_again": N_("It sends less again"),
    "silences_in_force": N_("What is silenced"),
    "silence_consent": N_("A silence was asked for"),
    "silence_ends": N_("A silence is about to end"),
    "silence_without_owner": N_("The owner of a silence has no role here any more"),
    "silence_over": N_("The silence is over, or goes on as agreed"),
    "away_over": N_("The day of return has passed"),
    "back_again": N_("Somebody has said when the resident is back"),
    "command_not_sent": N_("There was no connection to send the command on"),
    "command_unanswered": N_("The device did not answer a command"),
}
"""By an evidence's type, where it is no word of a device."""


def said(type_: str, kind: str | None, language: str) -> str:
    """The words for an evidence's type from a device of this kind; the type itself, legibly, where there are none."""
    own = kinds()[kind].words.says if kind is not None and kind in kinds() else {}
    words = own.get(type_) or HEALTH_WORDS.says.get(type_) or SAID.get(type_)
    return translations(language).gettext(words) if words else type_.replace("_", " ")


def asked(command: str, kind: str | None, language: str) -> str:
    """The words for a command to a device of this kind; its name, legibly, where there are none."""
    known = kinds()[kind].commands.get(command) if kind is not None and kind in kinds() else None
    return translations(language).gettext(known.label) if known else command.replace("_", " ")
