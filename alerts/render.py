"""Texts: gettext catalogues, what a condition is called, and what a page may say.

A page leaves the house with zone, severity, time and a link that needs sign-in: no name, no address, no diagnosis.
The message ids are English; ``locale/<language>.po`` holds bokmål and nynorsk.
"""

from __future__ import annotations

import gettext
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache
from importlib.resources import files
from io import BytesIO

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from alerts.contacts import PAGE_TEST
from alerts.model import Severity
from devices.health import HEALTH_WORDS
from devices.kinds import kinds
from devices.words import N_

LANGUAGES = ("nb", "nn", "en")
DEFAULT_LANGUAGE = "nb"


CONDITIONS = {
    "site_deaf": N_("Site not heard"),
    "session_lost": N_("The broker lost our session: messages may be missing"),
    "broker_loses": N_("The broker may lose messages"),
    "database_loses": N_("The database may lose what it has stored"),
    "canary_lost": N_("The test alarm does not get through"),
    "device_floods": N_("A device sends more than it should"),
    "old_alarm": N_("An old alarm came, or a device's clock is wrong"),
    "rule_failed": N_("A rule failed"),
    "uninterpretable_alarm": N_("Alarm that could not be read"),
    "not_checked_in": N_("Somebody on duty has not checked in"),
    "reach_gap": N_("Too few people to call"),
    "contact_broken": N_("A way to reach somebody does not work any more"),
    "page_test": N_("Test page that is not confirmed yet"),
    "nothing_rings": N_("Somebody on duty has nothing that rings"),
    "silences_in_force": N_("What is silenced here today"),
    "silence_consent": N_("A silence waits for your consent"),
    "silence_ends": N_("A silence ends soon"),
    "silence_without_owner": N_("A silence has no owner any more"),
    "away_over": N_("Is the resident back?"),
    "life_while_away": N_("Somebody is in the home while the resident is away"),
    "command_unconfirmed": N_("A lock did not do what it was asked to"),
}
"""What no kind of device brings words for."""

ABOUT = {
    "command_failed": N_("The lock could not do it: use the key."),
    "command_not_sent": N_("The lock could not be reached: use the key."),
    "command_unanswered": N_("The lock did not answer: use the key."),
    "declined": N_("Your colleague can't take it over: you have it still."),
    "hand_over_lapsed": N_("Nobody has taken it over: you have it still."),
}
"""What a page says besides, by the code of the timeline's entry that it is about."""

TEST = N_("Test page: nobody needs help. Confirm that it came")
TEST_TOLD = N_("Sent at {time}. Open this on the phone and confirm:")
"""What a test of a contact says; it is to be as short as any page."""

MY_SHIFTS, ON_DUTY = N_("My shifts"), N_("On duty: {zone}")
"""What a phone's calendar calls somebody's own shifts, and each of them."""

PUSH_TEST = N_("A test: this phone rings for alarms"), N_("You need not do anything.")
"""Title and text of a push that somebody asks for."""

SEVERITIES = {
    Severity.NOT_REPORTED: N_("Not reported"),
    Severity.NORMAL: N_("Normal"),
    Severity.MODERATE: N_("Moderate"),
    Severity.SERIOUS: N_("Serious"),
    Severity.CRITICAL: N_("Critical"),
}


@cache
def translations(language: str) -> gettext.NullTranslations:
    """The catalogue of a language; English, the language of the message ids, for one we do not have."""
    source = files("alerts").joinpath("locale", f"{language}.po")
    if language not in LANGUAGES or not source.is_file():
        return gettext.NullTranslations()
    compiled = BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def condition_text(condition: str, kind: str | None, language: str) -> str:
    """What a condition is called where a device of this kind has it; its name, legibly, where there are no words."""
    own = kinds()[kind].words.conditions if kind is not None and kind in kinds() else {}
    words = own.get(condition) or HEALTH_WORDS.conditions.get(condition) or CONDITIONS.get(condition)
    return translations(language).gettext(words) if words else condition.replace("_", " ")


@dataclass(frozen=True, slots=True)
class PageText:
    """What a channel sends."""

    subject: str
    text: str


def bundle_text(language: str, zones: Collection[str], url: str) -> PageText:
    """The text of one message for several alerts. ``zones``: where each of them is; ``url``: of the list."""
    _ = translations(language).gettext
    text = _("{count} alerts in {zone}") if len(set(zones)) == 1 else _("{count} alerts")
    subject = text.format(count=len(zones), zone=next(iter(zones)))
    told = _("Open the list and answer them:")
    return PageText(subject, f"{subject}.\n\n{told}\n{url}\n")


def page_text(
    language: str,
    severity: Severity,
    zone: str,
    raised_at: datetime,
    url: str,
    clock: tzinfo,
    about: str | None = None,
) -> PageText:
    """The text of a page: enough to run for, nothing that betrays anybody on a locked screen.

    ``about``: a code of :data:`ABOUT`, said first; or that it is a test, which then says nothing of any zone or severity.
    """
    _ = translations(language).gettext
    local = f"{raised_at.astimezone(clock):%H:%M}"
    if about == PAGE_TEST:
        return PageText(_(TEST), f"{_(TEST)}.\n\n{_(TEST_TOLD).format(time=local)}\n{url}\n")
    alert = _("{severity} alert in {zone}").format(severity=_(SEVERITIES[severity]), zone=zone)
    subject = f"{_(ABOUT[about])} {alert}" if about in ABOUT else alert
    told = _("Raised at {time}. Open the alert and answer it:").format(time=local)
    return PageText(subject, f"{subject}.\n\n{told}\n{url}\n")
