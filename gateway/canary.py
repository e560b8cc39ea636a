"""The canary: how far a site has been heard.

Absence is judged against what we could have heard. On every lane the gateway publishes a message to itself behind
everything that waits in the broker; when it comes back and everything before it is committed, the lane has been heard
up to the time at which it was sent.

After a deaf period (we were down, or the broker was) devices need time to connect again and to send what they kept, so
hearing moves on only when ``settle`` has passed since the first canary came back. ``resumed_at`` keeps the end of the
last deaf period and ``deaf_seconds`` the length of all: a device's contract to give a sign of life is about heard time.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from devices.model import Lane
from gateway.store.sites import Hearing


class Limits(NamedTuple):
    """``deaf``: a site not heard for longer is deaf. ``settle``: how long devices get to come back after that."""

    deaf: timedelta
    settle: timedelta


def topic(site: str, lane: Lane) -> str:
    """Beside the devices' topics, and matched by none of their filters."""
    return f"hv/v1/{site}/gateway/{lane}/canary"


class Song(NamedTuple):
    """One canary: when it was sent, and its name, so that who waits for one is not told of another."""

    sent_at: datetime
    name: str


def song(sent_at: datetime, name: str) -> bytes:
    return json.dumps({"sent_at": sent_at.isoformat(), "name": name}).encode()


def read(payload: bytes, now: datetime) -> Song | None:
    """A canary; None for something that only sits on its topic, or claims to be from the future."""
    try:
        told = json.loads(payload)
        at = datetime.fromisoformat(told["sent_at"])
        return Song(at.astimezone(UTC), str(told["name"])) if at.utcoffset() is not None and at <= now else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def heard(before: Hearing, canary_sent_at: datetime, now: datetime, limits: Limits) -> Hearing:
    """How far the lane is heard once a canary is back."""
    if before.heard_until is not None and canary_sent_at <= before.heard_until:
        return before
    first = before.heard_until is None
    if before.settling_since is None and (first or _was_deaf(before, canary_sent_at, limits)):
        before = replace(before, settling_since=now)
    if before.settling_since is None:
        return replace(before, heard_until=canary_sent_at)
    if now < before.settling_since + (timedelta(0) if first else limits.settle):
        return before
    deaf = (canary_sent_at - before.heard_until).total_seconds() if before.heard_until else 0.0
    return Hearing(canary_sent_at, resumed_at=now, settling_since=None, deaf_seconds=before.deaf_seconds + deaf)


def _was_deaf(before: Hearing, canary_sent_at: datetime, limits: Limits) -> bool:
    return before.heard_until is not None and canary_sent_at - before.heard_until > limits.deaf


def is_deaf(heard_until: datetime | None, since: datetime, now: datetime, limits: Limits) -> bool:
    """Whether a site counts as deaf. ``since``: when we began to listen, for a site that was never heard."""
    return now - (heard_until or since) > limits.deaf
