"""Rules and policies in a database that an older release and a newer one use side by side."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from alerts.policy import DEFAULT_POLICIES, Policy, PolicyStep, Target
from alerts.rules import RuleType
from gateway.rulebook import install_defaults
from gateway.store import policies
from gateway.store.policies import Scope
from tests.gateway.place import NOW, Place, place

LATER = NOW + timedelta(days=1)


async def starts(town: Place) -> int:
    """Another process starts; how many rules and policies it changes."""
    return await town.run(lambda each: install_defaults(each, LATER))


async def test_an_older_release_s_rules_are_not_written_again(migrated_url: str) -> None:
    """It writes every field that it knows, and none of ours."""
    async with place(migrated_url) as town:
        written = await town.rows("SELECT spec FROM rule_version")
        assert all(each not in row["spec"] or row["spec"][each] for row in written for each in RuleType.NEWER)
        assert await starts(town) == 0
        everything: dict[str, Any] = {"while_away": None}
        await town.rows(
            "UPDATE rule_version SET spec = %s::jsonb || spec WHERE NOT spec ? 'while_away'", json.dumps(everything)
        )
        assert await starts(town) == 0, "what another release wrote differently means the same"
        await town.rows("UPDATE rule_version SET spec = spec || '{\"severity\": 10}' WHERE spec->>'name' = 'fall'")
        assert await starts(town) > 0


async def test_a_default_policy_that_was_renamed_does_not_come_back(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        own = DEFAULT_POLICIES[1].model_copy(update={"name": "Vanlig"})
        (row,) = await town.rows("SELECT id FROM policy WHERE name = %s", DEFAULT_POLICIES[1].name)
        nina = town.staff["Nina"]
        assert await town.run(lambda each: policies.change(each, row["id"], own, Scope(), 1, nina, NOW))
        assert await starts(town) == 0
        again = own.model_copy(update={"name": "Ny"})
        assert await town.run(lambda each: policies.change(each, row["id"], again, Scope(), 2, nina, NOW))
        assert await starts(town) == 0
        names = [each["name"] for each in await town.rows("SELECT name FROM policy ORDER BY id")]
        assert sorted(names) == sorted(
            each.name if each is not DEFAULT_POLICIES[1] else "Ny" for each in DEFAULT_POLICIES
        )


async def test_a_policy_for_a_zone_is_written_in_full(migrated_url: str) -> None:
    """The first release would take it for one for everywhere."""
    async with place(migrated_url) as town:
        step = PolicyStep(target=Target.RESPONSE_CENTRE, wait_seconds=60)
        policy = Policy(name="Egen", track=DEFAULT_POLICIES[0].track, steps=(step,))
        nina = town.staff["Nina"]
        for scope in (Scope("zone", town.zones["Nord"]), Scope()):
            made = await town.run(lambda each, of=scope: policies.add(each, policy, of, nina, NOW))  # type: ignore[misc]
            (version,) = await town.rows("SELECT spec FROM policy_version WHERE policy_id = %s", made)
            full = policy.model_dump(mode="json")
            assert (version["spec"] == full) == (scope.name == "zone")
            assert Policy.model_validate(version["spec"]) == policy
