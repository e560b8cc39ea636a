"""What the stories of rules are about: a home, its devices, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.model import Heard, Subject
from alerts.rules import Moment, Rule, RuleType, parse_rule
from devices.kinds import kinds
from devices.model import DeviceAddress, Flag, MessageClass, Observation

HOME = Subject(site_id=1, zone_id=10, device_id=100, installation_id=1000, dwelling_id=5, resident_id=7)
SHELF = Subject(site_id=1, zone_id=10, device_id=100)
NIGHT = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
DISPENSER, WEARABLE = "medicine_dispenser", "fall_alarm"


def said(
    event: str,
    at: datetime = NIGHT,
    *,
    kind: str = WEARABLE,
    delay: timedelta = timedelta(seconds=1),
    message_class: MessageClass = MessageClass.ALARM,
    fields: Mapping[str, Any] | None = None,
    flags: frozenset[Flag] = frozenset(),
    subject: Subject = HOME,
) -> Heard:
    """A device said something at ``at``; we heard of it ``delay`` later."""
    observation = Observation(
        device=DeviceAddress("madla", "native", "device-1"),
        kind=kind,
        message_class=message_class,
        type=event,
        message_id="m1",
        occurred_at=at,
        received_at=at + delay,
        fields=fields or {},
        raw=b"{}",
        content_hash=b"",
        flags=flags,
    )
    return Heard(observation, subject)


def moment(now: datetime, **known: Any) -> Moment:
    """A moment at which the site has been heard up to now, unless said otherwise."""
    return Moment(now, **{"heard_until": now, **known})


def default_rules(kind: str) -> list[Rule]:
    """The rules a kind comes with, numbered from 1."""
    specs = [parse_rule(data) for data in kinds()[kind].default_rules]
    return [Rule(number, 1, kind, spec) for number, spec in enumerate(specs, start=1)]


def default_rule(kind: str, name: str) -> RuleType:
    return next(rule.spec for rule in default_rules(kind) if rule.spec.name == name)
