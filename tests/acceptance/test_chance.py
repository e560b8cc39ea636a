"""Whatever happens, in whatever order: what must always hold, holds. A few hundred chances, each checked by SQL."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any, get_args

import pytest

from gateway.api.schemas import AnswerName
from gateway.embedded import Broker
from gateway.errors import Conflict, NotFound
from tests.support.town import Home
from tests.support.world import World, world

LONGEST_WAIT = 4 * 3600
"""Seconds: the longest that any alert of these stories may wait for whoever has it (technical, serious)."""
PEOPLE = ("Kari", "Ola", "Siri", "Vakt", "Tek")
ALWAYS = {
    "an open alert is never overdue, and never waits for ever": """
        SELECT id FROM alert WHERE closed_at IS NULL
        AND (due_at <= %(now)s OR due_at > %(now)s + make_interval(secs => %(longest)s))""",
    "an alert that nobody has climbs, or nobody at all can be reached": """
        SELECT id FROM alert WHERE stage = 'open' AND (due_for <> 'step' OR holder_id IS NOT NULL)""",
    "no page is left in the outbox": "SELECT id FROM page WHERE state IN ('queued', 'leased')",
    "attempts are numbered without a gap": """
        SELECT a.id FROM alert a LEFT JOIN page p ON p.alert_id = a.id GROUP BY a.id
        HAVING count(DISTINCT p.attempt) <> a.attempt OR coalesce(max(p.attempt), 0) <> a.attempt""",
    "each attempt stands on the timeline": """
        SELECT p.id FROM page p WHERE NOT EXISTS (SELECT 1 FROM alert_entry e
            WHERE e.alert_id = p.alert_id AND (e.params ->> 'attempt')::int = p.attempt)""",
    "nobody is paged for what is closed": """
        SELECT p.id FROM page p JOIN alert a ON a.id = p.alert_id WHERE p.created_at > a.closed_at""",
    "care staff hear of care, technical staff of devices, the centre of both": """
        SELECT p.id FROM page p JOIN alert a ON a.id = p.alert_id JOIN person n ON n.id = p.person_id
        WHERE (a.track = 'care' AND n.name = 'Tek')
        OR (a.track = 'technical' AND n.name NOT IN ('Tek', 'Vakt') AND NOT EXISTS (SELECT 1 FROM alert_entry e
            WHERE e.alert_id = a.id AND (e.code = 'handed_over' OR e.actor_id = n.id)))""",
    "evidence is never lost": """
        SELECT o.id FROM said o WHERE o.type IN ('fall', 'button_pressed', 'jam') AND NOT EXISTS (
            SELECT 1 FROM alert_entry e JOIN alert a ON a.id = e.alert_id WHERE a.device_id = o.device_id
            AND e.params -> 'evidence' ->> 'type' = o.type AND e.at >= o.received_at)""",
    "one open alert of a kind": "SELECT key FROM alert WHERE closed_at IS NULL GROUP BY key HAVING count(*) > 1",
    "the timeline of a closed alert has an end": """
        SELECT a.id FROM alert a WHERE a.closed_at IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM alert_entry e WHERE e.alert_id = a.id AND e.code = 'closed')""",
    "severity never falls below what was raised": """
        SELECT id FROM alert WHERE severity < CASE condition WHEN 'fall' THEN 40 WHEN 'jam' THEN 30 ELSE 0 END""",
}


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_happens(migrated_url: str, broker: Broker, seed: int) -> None:
    chance = Random(seed)
    async with world(migrated_url, broker) as town:
        homes = [await town.home() for _ in range(3)]
        for _ in range(50):
            await _something(town, homes, chance)
            for promise, exceptions in ALWAYS.items():
                found = await town.rows(exceptions, now=town.now, longest=LONGEST_WAIT)
                assert found == [], promise
        unanswered = await town.rows("SELECT 1 FROM alert WHERE exhausted_at IS NOT NULL AND track = 'care'")
        assert ("unanswered" in (await town.health())[1]) == bool(unanswered)


async def _something(town: World, homes: list[Home], chance: Random) -> None:
    match chance.choices(("says", "answers", "passes", "reach"), (3, 6, 4, 1))[0]:
        case "says":
            home = chance.choice(homes)
            said = chance.choice(("fall", "button_pressed", "fall_cancelled", "battery_empty"))
            device = home.fall_alarm
            if chance.random() < 0.2:
                device, said = home.dispenser, "jam"
            await town.says(device, said)
        case "answers":
            await _answers(town, chance)
        case "passes":
            await town.passes(seconds=chance.choice((1, 5, 30, 60, 61, 120, 600, 1800)))
        case _:
            name = chance.choice(PEOPLE)
            await (town.unreachable(name) if chance.random() < 0.5 else town.reachable(name))


async def _answers(town: World, chance: Random) -> None:
    alerts = await town.rows("SELECT uid FROM alert ORDER BY closed_at IS NOT NULL, id")
    if not alerts:
        return
    alert = chance.choice(alerts[:4])["uid"]
    answer: AnswerName = chance.choice(get_args(AnswerName))
    more: dict[str, Any] = {}
    if answer == "close":
        more = {"cause": "other", "action": "other"}
    elif answer == "hand_over":
        more = {"to": chance.choice(PEOPLE[:4])}
    elif answer == "pause":
        more = {"reason": "spoken_with", "minutes": chance.choice((1, 10, 30))}
    with suppress(NotFound, Conflict):  # not theirs to see, or not to be answered like this now
        await town.answers(chance.choice(PEOPLE), alert, answer, **more)
