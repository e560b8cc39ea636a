"""Every condition of the six kinds, from bytes on MQTT to an alert: each default rule is provoked over a real broker.

The second table is written by hand: what a municipality's plan asks of the six kinds. What the rules raise is held
against it, so that neither a rule nor a code can go missing unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from devices.kinds import kinds
from devices.vkp import Severity
from gateway.embedded import Broker
from tests.support.provoke import DOSE, NIGHT, Say, Wait, acts
from tests.support.town import Device, Home
from tests.support.world import World, world

START = datetime.combine(date(2026, 3, 3), NIGHT, tzinfo=ZoneInfo("Europe/Oslo")).astimezone(UTC)
QUICK = 5 * 3600
"""A site is deaf after so long: controlled time goes in quanta of a third of it."""

A_LONG_TIME = 3 * 3600

PLAN: Mapping[str, Mapping[str, tuple[tuple[str, str | None], ...]]] = {
    "medicine_dispenser": {
        "care": (("dose_not_dispensed", "1.1"), ("no_medicine", "1.2"), ("dose_missed", "1.3"), ("technical_stop", "1.5"),
                 ("bag_unreadable", "1.6"), ("roll_fault", "1.7"), ("jam", "1.8"), ("tray_full", "1.9"), ("low_stock", "1.12"),
                 ("empty", "1.13"), ("break_in", "1.22")),
        "technical": (("battery_low", "1.17"), ("battery_empty", "1.18"), ("mains_off", "1.19"), ("device_silent", "1.20"),
                      ("left_open", "1.21"), ("fault", "1.5"), ("tamper", None), ("end_of_life", None)),
    },
    "fall_alarm": {
        "care": (("fall", "4.1"), ("button_pressed", "4.13"), ("not_worn", None)),
        "technical": (("battery_low", None), ("battery_empty", None), ("disconnected", None), ("device_silent", None),
                      ("fault", None), ("tamper", None), ("end_of_life", None)),
    },
    "door_sensor": {
        "care": (("door_at_night", "4.15"), ("not_back", "4.21"), ("left_open", "4.15")),
        "technical": (("tamper", None), ("battery_low", None), ("battery_empty", None), ("device_silent", None), ("fault", None)),
    },
    "e_lock": {
        "care": (("left_unlocked", "6"), ("jammed", "6"), ("forced", "6"), ("door_left_open", "6")),
        "technical": (("battery_critical", None), ("motor_blocked", None), ("disconnected", None), ("device_silent", None)),
    },
    "safety_alarm": {
        "care": (("button_pressed", "3"), ("fall", "4.1"), ("zone_left", "2"), ("immobility", "4.19")),
        "technical": (("battery_low", None), ("battery_empty", None), ("low_coverage", None), ("device_silent", None)),
    },
    "fire_sensor": {
        "care": (("fire", "4.11"),),
        "technical": (("battery_low", None), ("battery_empty", None), ("tamper", None), ("end_of_life", None)),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Provoked:
    """A rule, and the home in which it was provoked."""

    rule: Mapping[str, Any]
    home: Home


async def provoked(town: World, kind: str, rules: Sequence[Mapping[str, Any]]) -> list[Provoked]:
    """Each rule in a home of its own: everything is said in the same night, and then all the time passes that any needs."""
    every, waits = [], 0.0
    for rule in rules:
        home, device = await home_of(town, kind, rule)
        others: dict[str, Device] = {}
        for act in acts(rule, kind):
            match act:
                case Wait(seconds=seconds):
                    waits = max(waits, seconds)
                case Say():
                    if act.kind is not None and act.kind not in others:
                        others[act.kind] = await town.fits(home, act.kind)
                    speaker = device if act.kind is None else others[act.kind]
                    told = {"message_class": act.message_class(kind), "settle": act.kind is not None, **act.fields}
                    await town.says(speaker, act.type, **told)
        every.append(Provoked(rule, home))
    await town.settle()
    await town.passes(seconds=waits)
    return every


async def home_of(town: World, kind: str, rule: Mapping[str, Any]) -> tuple[Home, Device]:
    """With a dose soon where the rule is about doses, and a contract where it is about silence."""
    home = await town.home(doses=[DOSE] if rule["type"] == "dose" else [])
    own = {"fall_alarm": home.fall_alarm, "medicine_dispenser": home.dispenser}.get(kind)
    if own is not None and rule["type"] != "silence":
        return home, own
    contract = kinds()[kind].silent_after if rule["type"] == "silence" else timedelta(days=365)
    return home, await town.fits(home, kind, contract)


async def raised(town: World, one: Provoked) -> list[dict[str, Any]]:
    """The alerts of the rule's home that are of its condition and track."""
    query = """SELECT a.*, (SELECT array_agg(e.code ORDER BY e.seq) FROM alert_entry e WHERE e.alert_id = a.id) AS codes
               FROM alert a WHERE a.dwelling_id = %s AND a.condition = %s AND a.track = %s"""
    return await town.rows(query, one.home.dwelling, one.rule["condition"], one.rule["track"])


@pytest.mark.parametrize("soon", [True, False], ids=["soon", "after hours"])
@pytest.mark.parametrize("kind", sorted(kinds()))
async def test_every_default_rule_is_reached_from_bytes_on_mqtt(
    kind: str, soon: bool, migrated_url: str, broker: Broker
) -> None:
    on = [rule for rule in kinds()[kind].default_rules if rule.get("enabled", True)]
    async with world(migrated_url, broker, start=START, deaf_seconds=QUICK) as town:
        for one in await provoked(town, kind, [rule for rule in on if takes_hours(rule, kind) is not soon]):
            name = one.rule["name"]
            (alert,) = await raised(town, one)
            assert (alert["vkp_code"], alert["severity"]) == (one.rule["vkp_code"], severest(on, one.rule)), name
            assert one.rule.get("tells", "raised") in alert["codes"], name
        assert await town.alerts("rule_failed", track="technical") == []
        assert await town.alerts("uninterpretable_alarm") == []
        assert await town.quarantined() == []


@pytest.mark.parametrize("kind", sorted(PLAN))
def test_what_the_plan_asks_for_is_among_the_rules_that_hold(kind: str) -> None:
    on = [rule for rule in kinds()[kind].default_rules if rule.get("enabled", True)]
    held = {(rule["condition"], rule["track"], rule["vkp_code"]) for rule in on}
    assert {(condition, track, code) for track, rows in PLAN[kind].items() for condition, code in rows} <= held


def takes_hours(rule: Mapping[str, Any], kind: str) -> bool:
    """Apart from the others, so that their alerts need not climb all the while."""
    return any(isinstance(act, Wait) and act.seconds >= A_LONG_TIME for act in acts(rule, kind))


def severest(rules: Sequence[Mapping[str, Any]], rule: Mapping[str, Any]) -> int:
    """What a rule's home comes to: where the rule only tells, whatever raises its condition."""
    same = [each["severity"] for each in rules if each["condition"] == rule["condition"]]
    return max(same) if rule.get("tells") else int(rule["severity"])


@pytest.mark.parametrize("kind", sorted(kinds()))
async def test_rules_that_are_off_by_default_work_when_they_are_switched_on(
    kind: str, migrated_url: str, broker: Broker
) -> None:
    off = [rule for rule in kinds()[kind].default_rules if not rule.get("enabled", True)]
    async with world(migrated_url, broker, start=START, deaf_seconds=QUICK) as town:
        for rule in off:
            await town.rule(kind, {**rule, "enabled": True}, zone_id=town.zones["Kommune"])
        for one in await provoked(town, kind, off):
            assert len(await raised(town, one)) == 1, one.rule["name"]


def test_one_event_may_concern_both_tracks() -> None:
    """Care staff and technical services each get their own alert."""
    both = {
        (kind.name, event)
        for kind in kinds().values()
        for event in kind.events
        if {"care", "technical"} <= {rule["track"] for rule in kind.default_rules if event in rule.get("on", ())}
    }
    assert {("medicine_dispenser", "jam"), ("medicine_dispenser", "technical_stop"), ("e_lock", "jammed")} <= both


def test_fire_is_never_less_than_critical_and_waits_for_nothing() -> None:
    raising = [
        rule for rule in kinds()["fire_sensor"].default_rules if rule["track"] == "care" and not rule.get("tells")
    ]
    assert [(rule["type"], rule["severity"], rule["per"]) for rule in raising] == [
        ("immediate", int(Severity.CRITICAL), "dwelling")
    ]
    assert "window" not in raising[0]
