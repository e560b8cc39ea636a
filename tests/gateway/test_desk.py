"""A desk's list of a zone, on a real gateway: whose it is, what it shows, and what its filters leave."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.policy import DEFAULT_POLICIES
from gateway.api.schemas import Desk, DeskQuery
from gateway.desk import ladders
from gateway.embedded import Broker
from gateway.errors import NotAllowed, NotFound
from tests.gateway.served import Served, served


async def desk(it: Served, name: str, **asked: Any) -> Desk:
    """What somebody's desk shows."""
    query = DeskQuery.model_validate(asked)
    found: Desk = await it.town.gateway.front.desk(await it.town.who(name), query)
    return found


async def zone(it: Served, name: str) -> Any:
    (row,) = await it.town.rows("SELECT uid FROM zone WHERE id = %s", it.town.zones[name])
    return row["uid"]


async def test_a_lead_sees_who_has_what_and_what_happens_next(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        first, taken = await it.fall(), await it.fall()
        await it.town.answers("Ola", taken, "claim")
        at = it.town.now
        await it.town.passes(seconds=60)
        found = await desk(it, "Siri")
        shown = {each.id: each for each in found.alerts}
        assert (shown[first].next_text, shown[first].held_since) == ("varsles: soneleder", None)
        assert shown[first].due_at is not None
        assert (shown[taken].next_text, shown[taken].held_since) == ("andre varsles", at)
        (duty,) = found.on_duty
        assert (duty.zone.name, [each.name for each in duty.responders]) == ("Sone", ["Kari", "Ola"])
        assert [each.name for each in duty.leads] == ["Siri"]
        await it.town.passes(hours=1)
        assert {each.id: each.next_text for each in (await desk(it, "Siri")).alerts}[first] == (
            "varsles igjen: responssenteret"
        )
        with pytest.raises(NotAllowed):
            await desk(it, "Kari")
        climbs = await it.town.gateway.front.ladders(await it.town.who("Kari"))
        assert climbs == ladders([(each, "") for each in DEFAULT_POLICIES])
        assert [(step.target, step.after_seconds) for step in climbs[0].steps][:3] == [
            ("first_on_duty", 0),
            ("all_on_duty", 60),
            ("zone_lead", 180),
        ]


async def test_a_zone_with_all_below_it_and_what_else_is_asked_for(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        here, there = await it.fall(), await it.fall("Øy")
        await it.town.says((await it.town.home()).dispenser, "jam")
        technical = {row["uid"] for row in await it.town.rows("SELECT uid FROM alert WHERE track = 'technical'")}
        await it.town.answers("Ola", here, "claim")
        assert technical
        every = await desk(it, "Vakt")
        assert [(each.name, each.depth) for each in every.zones] == [
            ("Senter", 0),
            ("Kommune", 1),
            ("Sone", 2),
            ("Øy", 2),
        ]
        assert {each.zone.name: [p.name for p in each.responders] for each in every.on_duty}["Øy"] == ["Liv"]
        asked: list[tuple[dict[str, Any], set[Any]]] = [
            ({"zone": await zone(it, "Kommune"), "severity": 40}, {here, there}),
            ({"zone": await zone(it, "Øy")}, {there}),
            ({"zone": await zone(it, "Sone"), "waiting": True, "severity": 40}, set()),
            ({"waiting": False}, {here}),
            ({"track": "technical"}, technical),
        ]
        for query, wanted in asked:
            assert {each.id for each in (await desk(it, "Vakt", **query)).alerts} == wanted, query
        with pytest.raises(NotFound):
            await desk(it, "Siri", zone=await zone(it, "Øy"))


async def test_what_was_closed_within_a_day(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        await it.town.done("Kari", fall)
        (closed,) = (await desk(it, "Siri", state="closed")).alerts
        assert (closed.id, closed.outcome_text) == (fall, "Reelt behov, Besøk")
        assert closed.next_text is None
        await it.town.passes(hours=25)
        assert (await desk(it, "Siri", state="closed")).alerts == []
