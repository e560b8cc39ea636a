"""What a broker that was tried may lose, and what nobody knows of it. Pure.

Theory
    While the gateway is away, the broker has everything. Mosquitto as it is installed keeps 1,000 messages for a
    subscriber that is away, acknowledges the next ones all the same, and drops them; without ``persistence`` it forgets
    everything when it ends. Neither shows until the night on which it counts, so it is tried (``probe.py``).

    Whether it keeps what it has over a restart cannot be tried without one. So it is given a witness, a retained message:
    gone, the broker has forgotten; still there, and the broker has been started since, it does keep. In between nobody
    knows, and we say so.

Finding
    A code and what it is about, as it is stored; words and the way to mend it are made from that. ``loses``: messages are
    lost, or would be. Everything else is worth a look and nobody's sleep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from devices.json import MAX_BYTES
from gateway.mqtt import SESSION_EXPIRY, Granted

AHEAD = 3000
"""How many messages the gateway would have unacknowledged: two batches of telemetry that are stored, and one that is ready
(``gateway/lanes.py``). Each is smaller, and each waits for the one before, where the broker sends less. With MQTT 5 it is our receive
maximum that counts, and not the broker's own bound (Mosquitto 2.0.11, measured); with 3.1.1 that is all there is."""
MESSAGES = AHEAD + 100
"""How many wait for the throw-away session. Mosquitto's own limit is 1,000."""
LEAST_EXPIRY = timedelta(days=7)
"""A gateway may be away over a long weekend."""
LARGEST = MAX_BYTES + 1024
"""Bytes: the largest message of a device, and its topic."""
CLOCKS = timedelta(minutes=1)
"""How far apart our clock and the broker's word of how long it has run may be."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A retained message: what it says, and when it was left."""

    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """What was found when a broker was tried.

    ``granted``: None with MQTT 3.1.1. ``sent`` messages waited for a session that was away; ``came`` of them, ``ahead`` at
    once, before any was acknowledged. ``witness``: what the broker had kept of ours, and ``left``: what it has now. ``uptime``
    in seconds and ``release``: in its own words, where it lets us read them.
    """

    granted: Granted | None
    session_kept: bool
    sent: int
    came: int
    in_order: bool
    ahead: int
    witness: Witness | None
    left: Witness | None
    uptime: float | None
    release: str | None

    @property
    def fills_our_hands(self) -> bool:
        """Whether it sends as much as we take before it waits for our word."""
        return self.ahead >= min(AHEAD, self.came)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be: a code of :data:`WORDS`, and the numbers that its words need."""

    code: str
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def loses(self) -> bool:
        return WORDS[self.code].loses

    @property
    def words(self) -> str:
        return WORDS[self.code].words.format(**self.about)

    @property
    def mend(self) -> str:
        return WORDS[self.code].mend


@dataclass(frozen=True, slots=True)
class Result:
    """What was found, and what it means. ``known``: the witness of before."""

    at: datetime
    found: Found
    known: Witness | None
    findings: tuple[Finding, ...]


class _Words(NamedTuple):
    loses: bool
    words: str
    mend: str


OURS = "see mosquitto.conf in deploy/, or let `hjemmevakt broker config` write one"
WORDS: Mapping[str, _Words] = {
    "session": _Words(
        loses=True,
        words="it keeps no session: what devices say while the gateway is away is lost",
        mend="use a broker that keeps sessions and queues for MQTT clients that are away; Mosquitto does",
    ),
    "queue": _Words(
        loses=True,
        words="of {sent} messages for somebody who is away it acknowledged all and kept {came}",
        mend=f"Mosquitto: max_queued_messages 10000000, and a limit by max_queued_bytes; {OURS}",
    ),
    "forgot": _Words(
        loses=True,
        words="it has forgotten what it had acknowledged: a retained message of {since} is gone",
        mend="Mosquitto: persistence true, a persistence_location that it may write to, autosave_interval 30, and end it "
        f"with SIGTERM; {OURS}",
    ),
    "expiry": _Words(
        loses=True,
        words="it forgets our sessions after {seconds} s away; we ask for {asked} s",
        mend="let sessions live for 30 days; Mosquitto: persistent_client_expiration 2m",
    ),
    "qos": _Words(
        loses=True,
        words="it takes no QoS 1: nothing is acknowledged, or sent again",
        mend="allow QoS 1; Mosquitto: no max_qos 0 at the listener",
    ),
    "packet": _Words(
        loses=True,
        words="it takes no packet above {bytes} bytes; devices may send {largest}",
        mend=f"Mosquitto: no max_packet_size and no message_size_limit below that; {OURS}",
    ),
    "wildcards": _Words(
        loses=True,
        words="it allows no wildcards in subscriptions, and a site is heard by them",
        mend="allow wildcard subscriptions for the gateway",
    ),
    "retain": _Words(
        loses=False,
        words="it keeps no retained messages: whether a device is there is known only when it speaks",
        mend="allow retained messages; Mosquitto: no retain_available false",
    ),
    "order": _Words(
        loses=False,
        words="what waited came in another order than it was sent",
        mend="use a broker that keeps the order of each topic; Mosquitto does",
    ),
    "ahead": _Words(
        loses=False,
        words="it sends {ahead} messages before it waits for our word, and we could take "
        f"{AHEAD}; a full queue is drained slower than it could be",
        mend=f"with MQTT 3.1.1, Mosquitto: max_inflight_messages 4000; {OURS}; or MQTT 5, in which we say how many "
        "(HJEMMEVAKT_MQTT_VERSION=5); where that is spoken, the broker has a bound of its own",
    ),
}
"""Every finding there is, the worst first."""


def verdict(found: Found, known: Witness | None) -> tuple[Finding, ...]:
    """What is not as it should be, the worst first. ``known``: the witness that we left the last time."""
    findings = (*_tried(found), *_forgot(found, known), *(_granted(found.granted) if found.granted else ()))
    return tuple(sorted(findings, key=lambda each: list(WORDS).index(each.code)))


def _tried(found: Found) -> Sequence[Finding]:
    if not found.session_kept:
        return (Finding("session"),)
    findings = []
    if found.came < found.sent:
        findings.append(Finding("queue", {"sent": found.sent, "came": found.came}))
    if not found.in_order:
        findings.append(Finding("order"))
    if not found.fills_our_hands:
        findings.append(Finding("ahead", {"ahead": found.ahead}))
    return findings


def _forgot(found: Found, known: Witness | None) -> Sequence[Finding]:
    """Gone, where we know that it was there. Another's in its place tells nothing of the broker."""
    if known is None or found.witness is not None or (found.granted is not None and not found.granted.retains):
        return ()
    return (Finding("forgot", {"since": f"{known.since:%Y-%m-%dT%H:%M:%SZ}"}),)


def _granted(granted: Granted) -> Sequence[Finding]:
    findings = []
    if granted.session_expiry < LEAST_EXPIRY.total_seconds():
        findings.append(Finding("expiry", {"seconds": granted.session_expiry, "asked": SESSION_EXPIRY}))
    if granted.maximum_qos < 1:
        findings.append(Finding("qos"))
    if granted.largest_packet is not None and granted.largest_packet < LARGEST:
        findings.append(Finding("packet", {"bytes": granted.largest_packet, "largest": LARGEST}))
    if not granted.wildcards:
        findings.append(Finding("wildcards"))
    if not granted.retains:
        findings.append(Finding("retain"))
    return findings


def kept_over_a_restart(found: Found, known: Witness | None, now: datetime) -> bool:
    """Whether it is proven: our witness is there, and the broker was started after it had been left."""
    if known is None or found.witness != known or found.uptime is None:
        return False
    return now - timedelta(seconds=found.uptime) > known.since + CLOCKS


def unknown(found: Found, known: Witness | None, now: datetime) -> tuple[str, ...]:
    """What trying did not show, in words."""
    told = []
    if found.session_kept and found.came == found.sent:
        told.append(f"whether it keeps more than {found.sent} messages (try --messages)")
    if not kept_over_a_restart(found, known, now):
        told.append("whether it keeps sessions and queues when it is restarted: tried after its next restart")
    told.append("what it loses when it is killed or its machine dies; devices send alarms again until their receipt")
    if found.granted is None:
        told.append("what it grants: with MQTT 3.1.1 no broker says; HJEMMEVAKT_MQTT_VERSION=5 where it can")
    return tuple(told)
