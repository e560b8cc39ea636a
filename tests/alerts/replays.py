"""Homes whose days are replayed: default rules, and what devices said as the replay takes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

from alerts.model import Heard, Subject
from alerts.replay import Fitted, Story
from alerts.rulebook import Rulebook
from alerts.rules import Rule, parse_rule
from devices.dialects import dialect_of
from devices.dialects.native import encode
from devices.kinds import kinds
from devices.model import DeviceAddress, Message, Said
from tests.alerts.homes import HOME
from tests.alerts.lives import OSLO

SINCE = datetime(2026, 11, 1, 23, 0, tzinfo=UTC)


@cache
def default_book() -> Rulebook:
    """Every kind's default rules, as a new municipality has them."""
    numbered = enumerate(((kind, data) for kind in kinds().values() for data in kind.default_rules), start=1)
    rules = [Rule(number, 1, kind.name, parse_rule(data)) for number, (kind, data) in numbered]
    return book_of(rules)


def book_of(rules: Iterable[Rule]) -> Rulebook:
    by_kind: dict[str, list[Rule]] = {}
    for rule in rules:
        by_kind.setdefault(rule.kind, []).append(rule)
    return Rulebook(by_kind, {HOME.zone_id: (HOME.zone_id,)}, OSLO)


def subject(number: int) -> Subject:
    """One fitting of the home."""
    return replace(HOME, device_id=number, installation_id=1000 + number)


def heard(kind: str, number: int, said: Iterable[Said], delay: timedelta = timedelta(seconds=1)) -> list[Heard]:
    """What a device said, through the native protocol."""
    device = DeviceAddress("madla", "native", f"d-{number}")
    found: list[Heard] = []
    for count, each in enumerate(said):
        topic, payload = encode(device, kind, f"m-{count}", each)
        observation = dialect_of(topic).decode(Message(topic, payload, each.at + delay))
        found.append(Heard(observation, subject(number)))
    return found


def story(said: Mapping[tuple[str, int], Iterable[Said]], days: int, **more: object) -> Story:
    """The devices of one home, by kind and number, from the first midnight on."""
    every = [each for (kind, number), told in said.items() for each in heard(kind, number, told)]
    fitted = [Fitted(kind, subject(number), kinds()[kind].silent_after.total_seconds(), SINCE) for kind, number in said]
    in_order = sorted(every, key=lambda each: each.observation.received_at)
    return Story(in_order, SINCE, SINCE + timedelta(days=days), fitted, **more)  # type: ignore[arg-type]
