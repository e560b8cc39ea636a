"""What stories of rules need: outer ids, a kind's own rule, and setting, withdrawing and previewing as somebody."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from alerts.rules import parse_rule
from devices.kinds import kinds
from gateway.api import schemas
from tests.support.world import World


def own(kind: str, name: str, **changed: Any) -> dict[str, Any]:
    """The rule that comes with a kind, changed."""
    data = next(each for each in kinds()[kind].default_rules if each["name"] == name)
    return {**parse_rule(data).model_dump(mode="json"), **changed}


async def uid_of(town: World, table: str, id_: int) -> UUID:
    (row,) = await town.rows(f"SELECT uid FROM {table} WHERE id = %s", id_)
    found: UUID = row["uid"]
    return found


async def scope(town: World, **ids: int) -> schemas.ScopeRequest:
    """Of a zone, a resident or a device by its inner id; none is the kind."""
    return schemas.ScopeRequest(**{name: await uid_of(town, name, id_) for name, id_ in ids.items()})


async def sets(
    town: World, name: str, kind: str, spec: dict[str, Any], *, version: int = 0, **ids: int
) -> schemas.RuleView:
    """Somebody sets a rule."""
    request = schemas.RuleRequest(kind=kind, scope=await scope(town, **ids), spec=spec, version=version)
    return await town.gateway.front.set_rule(await town.who(name), request)


async def withdraws(town: World, name: str, rule: schemas.RuleView) -> schemas.RuleView:
    return await town.gateway.front.withdraw_rule(await town.who(name), rule.id, rule.version)


async def previews(town: World, name: str, kind: str, spec: dict[str, Any], **ids: int) -> schemas.Preview:
    """Somebody asks what a rule would have raised."""
    request = schemas.RuleRequest(kind=kind, scope=await scope(town, **ids), spec=spec)
    return await town.gateway.front.preview_rule(await town.who(name), request)
