"""Fields, flags, reasons and refusals in plain words. What has no words here is shown as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from alerts.policywords import GAPS
from devices.health import HEALTH_WORDS
from devices.kinds import kinds
from devices.position import DISTANCE
from devices.words import N_

Gettext = Callable[[str], str]

WORDS = (HEALTH_WORDS, *(kind.words for kind in kinds().values()))
FIELDS = {
    **{name: text for words in WORDS for name, text in words.fields.items()},
    "topic": N_("Topic"),
    "reason": N_("Reason"),
    "detail": N_("Detail"),
    "rule": N_("Rule"),
    "version": N_("Version"),
    DISTANCE: N_("Distance from home"),
    "broker": N_("Broker"),
    "database": N_("Database"),
    "remedy": N_("What to do"),
    "site": N_("Site"),
    "missing": N_("Where it stops"),
    "lost_since": N_("Since"),
    "gap": N_("What is missing"),
    "gap_from": N_("From"),
    "gap_until": N_("Until"),
    "gaps": N_("How many such times in the week to come"),
    "silences": N_("Silences"),
    "away": N_("Residents away"),
    "events": N_("Held back since yesterday"),
    "until": N_("Lasts until"),
}

UNITS = {**{name: unit for words in WORDS for name, unit in words.units.items()}, DISTANCE: "{} m"}
VALUES = {
    **{name: texts for words in WORDS for name, texts in words.values.items()},
    "broker": {
        "session": N_("It keeps nothing while the gateway is away"),
        "queue": N_("It keeps only some messages while the gateway is away, and drops the rest"),
        "forgot": N_("It has forgotten what it had taken"),
        "expiry": N_("It forgets the gateway when that is away for some days"),
        "qos": N_("It does not see to it that a message arrives"),
        "packet": N_("It refuses large messages"),
        "wildcards": N_("It does not let the gateway listen to a whole site"),
    },
    "database": {
        "fsync": N_("It does not wait until what it stores is on the disk"),
        "full_page_writes": N_("It cannot mend what is half written when the power fails"),
        "synchronous_commit": N_("It says that something is stored before it is on the disk"),
    },
    "remedy": {
        "broker_check": N_("Run “hjemmevakt broker check” on the gateway's machine. It says what to change."),
        "durable_database": N_(
            "Look at /health on the gateway's machine. It says which setting of the database to change."
        ),
    },
    "missing": {
        "published": N_("No test alarm was sent: no gateway has the site's alarm connection, or it cannot work"),
        "stored": N_("It was sent and not stored: the broker may refuse it. Make its configuration anew"),
        "raised": N_("It was stored, and no alert was raised"),
        "queued": N_("An alert was raised, and nobody was to be paged"),
        "leased": N_("The page waits, and is not sent: the dispatcher does not work"),
        "handed_over": N_("The page was to be sent, and did not get out"),
        "answered": N_("The page got out, and the answer was not taken"),
    },
    "gap": {str(gap): text for gap, text in GAPS.items()},
    "command": {name: command.label for kind in kinds().values() for name, command in kind.commands.items()},
}

FLAGS = {
    "clock_ahead": N_("The device's clock is ahead. The time shown is when we received it."),
    "clock_unset": N_("The device's clock is not set. The time shown is when we received it."),
    "decoded_again": N_("The message could not be read when it came. It was decoded again later."),
    "id_reused": N_("The device has used this message number before, with other content."),
    "retained": N_("The message was kept by the broker and may be older than it looks."),
    "unknown_type": N_("The device said something that we do not know. Look in on the resident."),
}

REASONS = {
    "topic": N_("The topic is not one of ours"),
    "unknown_kind": N_("Unknown kind of device"),
    "kind_mismatch": N_("The device is registered as another kind"),
    "too_large": N_("The message is too large"),
    "not_json": N_("Not JSON"),
    "not_storable": N_("Contains characters that cannot be stored"),
    "id": N_("The message has no usable id"),
    "time": N_("The time is missing or wrong"),
    "type": N_("The type is missing or wrong"),
    "fields": N_("A field is missing or wrong"),
    "poison": N_("The message made the decoder fail"),
}

ADVICE = {
    "topic": N_("Correct the topic that the device or its gateway publishes to."),
    "unknown_kind": N_("Correct the kind in the topic, or wait for a version that knows this kind of device."),
    "kind_mismatch": N_("Register the device as what it is, or correct the topic. Then decode again."),
    "too_large": N_("Nothing to mend here: tell the vendor. A message has at most 64 kB."),
    "not_json": N_("Tell the vendor: the message is cut off or not JSON at all."),
    "not_storable": N_("Tell the vendor which characters the device sends."),
    "id": N_("Tell the vendor: each message needs an id of its own, of at most 64 characters."),
    "time": N_("Set the device's clock and its time zone; else tell the vendor."),
    "type": N_("Tell the vendor: the message does not say what happened."),
    "fields": N_("Compare with the protocol which field is meant, and tell the vendor."),
    "poison": N_("A fault of ours. Report it with this message; decode again after the next version."),
}
"""What to do about a message that could not be read, by the reason."""

CLASSES = {"alarm": N_("Alarm"), "event": N_("Event"), "status": N_("Status"), "result": N_("Result")}

KINDS = {name: kind.words.name for name, kind in kinds().items()}

REFUSALS = {
    "closed": N_("The alert is already closed. Nothing more is needed."),
    "held_by_other": N_("A colleague has this alert. Your answer was not taken."),
    "not_held": N_("Nobody has this alert, or it is being closed. Your answer was not taken."),
    "not_closing": N_("The alert is no longer being closed, so there is nothing to undo."),
    "unreachable": N_("That colleague cannot be reached now. Choose somebody else."),
    "not_offered": N_("The alert is not on offer to you any more."),
    "critical": N_("What is critical is never paused. Go, hand it over, or close it."),
    "too_long": N_("A pause is of half an hour at most."),
    "help_wanted": N_("You have called for help, which goes on until somebody comes."),
    "paused": N_("The alert is paused already. End that pause first."),
    "not_paused": N_("The alert is not paused any more."),
    "same_person": N_("You cannot hand over to yourself. Choose somebody else."),
    "stale": N_("Something has happened since you saw this. Look at it again, and answer again."),
    "closing": N_("The alert is being closed. Undo that first."),
    "busy": N_("The lock is busy with something else. Wait a moment and look again."),
    "not_called": N_("You were not called for this alert. Take it first."),
    "not_on_duty": N_("You are not on duty here now. Take the alert first."),
    "on_the_phone": N_("This is a test of a phone. Open what came to it, and confirm it there."),
    "device": N_("That lock is not in this home any more. Look again."),
    "choose": N_("Not sent: something has to be chosen first."),
    "csrf": N_("The page was out of date. Try again."),
    "origin": N_("The form came from another site and was not taken."),
    "database": N_("The system does not answer right now. Try again in a moment. If it is urgent, phone."),
    "not_found": N_("This page does not exist, or is not for you to see."),
}
"""Why something was not done, by a problem's reason."""

BY_STATUS = {
    403: N_("You do not have access to this."),
    404: N_("This page does not exist, or is not for you to see."),
    429: N_("Too many tries. Wait a few minutes and try again."),
}


MOMENTS = frozenset({"dose_at", "position_at", "gap_from", "gap_until", "until", "lost_since"})
"""Fields that are times."""


def word(words: dict[str, str], name: str, gettext: Gettext) -> str:
    """The words for a name; the name itself, legibly, where there are none."""
    return gettext(words[name]) if name in words else name.replace("_", " ")


def field(name: str, value: Any, gettext: Gettext, at: Callable[[datetime], str]) -> tuple[str, str]:
    """A field of a message as label and text. ``at`` tells a time."""
    return word(FIELDS, name, gettext), _value(name, value, gettext, at)


def refusal(reason: str, status: int, detail: str, gettext: Gettext) -> str:
    """Why something was not done: our words, or the gateway's own."""
    message = REFUSALS.get(reason) or BY_STATUS.get(status)
    return gettext(message) if message else detail


def _value(name: str, value: Any, gettext: Gettext, at: Callable[[datetime], str]) -> str:
    if isinstance(value, bool):
        return gettext(N_("Yes")) if value else gettext(N_("No"))
    if name in MOMENTS and isinstance(value, str):
        return _moment(value, at)
    if name == "confidence" and isinstance(value, int | float) and 0 <= value <= 1:
        return f"{value * 100:.0f} %"
    if name == "reason" and isinstance(value, str) and value in REASONS:
        return gettext(REASONS[value])
    if isinstance(value, str) and value in VALUES.get(name, {}):
        return gettext(VALUES[name][value])
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return UNITS.get(name, "{}").format(text)


def _moment(value: str, at: Callable[[datetime], str]) -> str:
    try:
        moment = datetime.fromisoformat(value)
        return at(moment) if moment.tzinfo else value
    except (ValueError, OverflowError):
        return value
