"""The timeline: what each entry is called, and which VKP handling event it is.

An entry is stored as a code with parameters (ids, never names); this file turns it into a line of text. ``{actor}``,
``{persons}``, ``{to}``, ``{from_}`` and ``{holder}`` are names that the caller looked up, ``{target}``, ``{stage}``,
``{cause}``, ``{action}``, ``{severity}``, ``{said}``, ``{command}``, ``{reason}`` and ``{why}`` are translated here, ``{times}``
and ``{minutes}`` are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.alert import Action, Cause, PauseReason, Stage
from alerts.command import Reason, State
from alerts.policy import Target
from alerts.render import SEVERITIES, translations
from alerts.words import asked, said
from devices.vkp import Severity
from devices.words import N_


@dataclass(frozen=True, slots=True)
class Line:
    """The text of an entry's code, and its VKP handling event (``vkp-composition-event-v090``) where it has one."""

    text: str
    vkp_event: str | None = None


LINES: Mapping[str, Line] = {
    "raised": Line(N_("Alert raised"), "0"),
    "evidence_joined": Line(N_("It happened again (severity: {severity})"), "0"),
    "repeated": Line(N_("{times} times within a short time (severity: {severity}); calling more people at once"), "0"),
    "was_silenced": Line(N_("It was held back by a silence until now (times: {times})")),
    "owner_paged": Line(N_("{persons} paged, whose silence it is")),
    "home_occupied": Line(N_("Somebody seems to be at home, as a device there last said")),
    "home_empty": Line(N_("Nobody seems to be at home, as a device there last said")),
    "device_said": Line(N_("The device has since said: {said}")),
    "step_reached": Line(N_("Step {number}, {target}: {persons} paged")),
    "step_paged_again": Line(N_("Step {number}, {target}: {persons} paged again")),
    "step_repeated": Line(N_("Nobody has answered; paged again: {persons}")),
    "step_skipped": Line(N_("Step {number}, {target}: nobody to reach, skipped")),
    "passed_over_not_checked_in": Line(N_("Not paged, as they have not checked in: {persons}")),
    "passed_over_checked_out": Line(N_("Not paged, as they have checked out: {persons}")),
    "called_all_the_same": Line(N_("Paged without having checked in, as nobody else of the step can be: {persons}")),
    "missed_at_check_in": Line(N_("Has not checked in: {persons}")),
    "nobody_reachable": Line(N_("Nobody at all can be reached; trying again every minute")),
    "attempt_failed": Line(N_("No page of this attempt got through; going on at once")),
    "page_failed": Line(N_("A page to {persons} did not get through ({channel})")),
    "contact_broken": Line(N_("{persons} cannot be reached this way any more ({channel}); another one is needed")),
    "nothing_rings": Line(N_("Has checked in, and nothing rings where alerts would come: {persons}")),
    "test_paged": Line(N_("Test page to {persons}, to be confirmed on the phone")),
    "test_confirmed": Line(N_("{actor} has confirmed on the phone that it came")),
    "test_called_off": Line(N_("{actor} has called the test off")),
    "test_renewed": Line(N_("A new test page takes its place")),
    "holder_paged": Line(N_("{persons} paged about the new event")),
    "evidence_unconfirmed": Line(N_("The new event was not answered within 60 seconds; calling the others")),
    "claimed": Line(N_("{actor} takes it"), "3"),
    "confirmed": Line(N_("{actor} still has it"), "1"),
    "taken_over": Line(N_("{actor} takes it over from {from_}"), "3"),
    "assisted": Line(N_("{actor} comes to help"), "5"),
    "on_way": Line(N_("{actor} is on the way"), "5"),
    "arrived": Line(N_("{actor} has arrived"), "9"),
    "help_wanted": Line(N_("{actor} needs help"), "4"),
    "handed_over": Line(N_("{actor} hands over to {to}; waiting for acceptance"), "4"),
    "hand_over_lapsed": Line(N_("{to} did not accept the hand-over")),
    "declined": Line(N_("{actor} can't take it over; {holder} has it still")),
    "asked_to_keep": Line(N_("{persons} paged, to say that they have it still")),
    "not_kept": Line(N_("{holder} has not said within 60 seconds that they have it still; calling the others")),
    "paused": Line(N_("{actor} pauses it for {minutes} minutes. Why: {why}")),
    "pause_ended": Line(N_("The new event ends the pause")),
    "pause_over": Line(N_("The pause is over; calling from the first step")),
    "resumed": Line(N_("{actor} ends the pause")),
    "released": Line(N_("{actor} can't after all; calling the others")),
    "stage_lapsed": Line(N_("Nothing heard from {holder}; calling the others")),
    "closing": Line(N_("{actor} closes it. Cause: {cause}. Action: {action}"), "6"),
    "closing_undone": Line(N_("{actor} undoes the closing")),
    "command_requested": Line(N_("{actor} asks the lock: {command}. Why: {reason}")),
    "command_sent": Line(N_("Sent to the lock: {command}")),
    "command_done": Line(N_("The lock has done it: {said}")),
    "command_failed": Line(N_("The lock has not done it ({command}): {said}. Use the key")),
    "command_not_sent": Line(N_("There was no connection to the lock: not sent ({command}). Use the key")),
    "command_unanswered": Line(N_("The lock did not answer ({command}); it may not have been sent. Use the key")),
    "command_not_allowed": Line(N_("Not sent to the lock, as whoever asked may not any more: {command}")),
    "command_withdrawn": Line(N_("Not sent to the lock, as the alert was closed: {command}")),
    "command_done_late": Line(N_("The lock has done it after all: {said}")),
    "requester_paged": Line(N_("{persons} paged: the lock has not done it")),
    "cleared": Line(N_("It is over, as the device or the site itself shows")),
    "closed": Line(N_("Closed"), "7"),
}

TARGETS = {
    Target.FIRST_ON_DUTY: N_("first on duty"),
    Target.NEXT_ON_DUTY: N_("the others on duty"),
    Target.ALL_ON_DUTY: N_("all on duty"),
    Target.ZONE_LEAD: N_("zone lead"),
    Target.RESPONSE_CENTRE: N_("response centre"),
    Target.TECHNICAL_ON_DUTY: N_("technical services on duty"),
    Target.TECHNICAL_ALL: N_("all technical services"),
    Target.PERSON: N_("a certain person"),
    Target.TEAM: N_("a team"),
}

CHANNELS: Mapping[str, str] = {
    "in_app": N_("the app while it is open"),
    "web_push": N_("the app on a phone"),
    "email": N_("e-mail"),
    "sms": N_("text message"),
    "voice": N_("phone call"),
    "ntfy": "ntfy",
    "apprise": N_("another service by Apprise"),
}
"""Every channel by which somebody is reached, as it is called within a sentence."""

STAGES = {
    Stage.OPEN: N_("Nobody has it yet"),
    Stage.CLAIMED: N_("Taken"),
    Stage.ON_WAY: N_("On the way"),
    Stage.ARRIVED: N_("On site"),
    Stage.CLOSING: N_("Closing"),
    Stage.CLOSED: N_("Closed"),
}

CAUSES = {
    Cause.REAL: N_("Real need"),
    Cause.FALSE_BY_DEVICE: N_("False, by the device"),
    Cause.FALSE_BY_USER: N_("False, by the user"),
    Cause.TEST: N_("Test"),
    Cause.OTHER: N_("Other"),
}

ACTIONS = {
    Action.VISITED: N_("Visited"),
    Action.TALKED: N_("Talked to"),
    Action.AMBULANCE: N_("Ambulance called"),
    Action.GENERAL_PRACTITIONER: N_("Doctor called"),
    Action.REPAIRED: N_("Repaired or replaced"),
    Action.NOTHING: N_("Nothing needed"),
    Action.OTHER: N_("Other"),
}


PAUSE_REASONS = {
    PauseReason.SPOKEN_WITH: N_("Spoken with; all is well for now"),
    PauseReason.SOMEBODY_THERE: N_("Somebody is with the resident"),
    PauseReason.VISIT_SOON: N_("A visit comes soon"),
    PauseReason.WAITING_FOR_OTHERS: N_("Waiting for others: a doctor, a technician"),
    PauseReason.OTHER: N_("Something else"),
}

COMMAND_STATES = {
    State.REQUESTED: N_("Asked for; being sent"),
    State.SENT: N_("Sent; waiting for the lock"),
    State.DONE: N_("Done"),
    State.FAILED: N_("Not done"),
    State.EXPIRED: N_("No answer from the lock"),
}

COMMAND_REASONS = {
    Reason.GET_IN: N_("To get in"),
    Reason.LET_IN: N_("To let somebody in"),
    Reason.SECURE: N_("To make the home safe"),
    Reason.TEST: N_("Test"),
}


def channel_text(channel: str, language: str, *, heads: bool = False) -> str:
    """A channel within a sentence, or at its head; one that is not known, and one that is a name, as it is."""
    text = CHANNELS.get(channel, "")
    if text in ("", channel):
        return channel
    told = translations(language).gettext(text)
    return told[:1].upper() + told[1:] if heads else told


def tell(code: str, params: Mapping[str, Any], names: Mapping[str, str], language: str) -> str:
    """One entry as a line of text. ``names``: actor, persons, to, from_, holder as names where the entry has them.

    An unknown code is shown as it is; a missing parameter as an empty text.
    """
    line = LINES.get(code)
    if line is None:
        return code
    _ = translations(language).gettext
    return _(line.text).format_map(_Blanks({**_translated(params, language), **names}))


class _Blanks(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


def _translated(params: Mapping[str, Any], language: str) -> dict[str, str]:
    _ = translations(language).gettext
    evidence = params.get("evidence", {})
    kind = params.get("kind", evidence.get("kind"))
    words = {
        "times": str(params.get("times", "")),
        "minutes": str(params.get("minutes", "")),
        "number": str(params["step"] + 1) if isinstance(params.get("step"), int) else "",
        "channel": channel_text(str(params.get("channel", "")), language),
        "said": said(str(params.get("said", evidence.get("type", ""))), kind, language),
        "command": asked(str(params.get("command", "")), kind, language),
    }
    every: tuple[tuple[str, Mapping[Any, str]], ...] = (
        ("target", TARGETS),
        ("cause", CAUSES),
        ("action", ACTIONS),
        ("stage", STAGES),
        ("reason", COMMAND_REASONS),
        ("why", PAUSE_REASONS),
    )
    for name, texts in every:
        told = texts.get(params.get(name))
        words[name] = _(told) if told else ""
    if isinstance(params.get("severity"), int):
        words["severity"] = _(SEVERITIES[Severity(params["severity"])])
    return words
