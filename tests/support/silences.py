"""Silences as stories set them: through the front, as the API and the pages do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gateway import controlled
from gateway.api import schemas
from gateway.errors import Problem
from tests.support.town import Device, Home
from tests.support.world import World


async def uid_of(town: World, what: Device | Home | str) -> dict[str, Any]:
    """The device, the resident of a home, or the zone, as a request names it."""
    name, id_ = (
        ("zone", town.zones[what])
        if isinstance(what, str)
        else ("device", what.id)
        if isinstance(what, Device)
        else ("resident", what.resident)
    )
    (row,) = await town.rows(f"SELECT uid FROM {name} WHERE id = %s", id_)
    return {name: row["uid"]}


async def silences(
    town: World, name: str, what: Device | Home | str, hours: float = 8, **more: Any
) -> schemas.SilenceDetail:
    """Somebody silences something for some hours."""
    asked = {"reason": "repair", "until": town.now + timedelta(hours=hours), **await uid_of(town, what), **more}
    made = await town.gateway.front.set_silence(await town.who(name), schemas.SilenceRequest.model_validate(asked))
    await controlled.settle(town.gateway)
    return made


async def is_away(town: World, name: str, home: Home, hours: float = 72, **more: Any) -> schemas.SilenceDetail:
    """Somebody says that a resident is away."""
    return await silences(town, name, home, hours, kind="away", **{"reason": "hospital", **more})


async def may_not(town: World, name: str, what: Device | Home | str, hours: float = 8, **more: Any) -> str:
    """The reason why a silence is not set."""
    try:
        made = await silences(town, name, what, hours, **more)
    except Problem as refused:
        return refused.reason
    raise AssertionError(f"it was set: {made}")


async def consents(town: World, name: str, silence: schemas.SilenceView) -> schemas.SilenceDetail:
    agreed = await town.gateway.front.consent(
        await town.who(name), silence.id, schemas.SilenceSeen(version=silence.version)
    )
    await controlled.settle(town.gateway)
    return agreed


async def lets_last(town: World, name: str, silence: schemas.SilenceView, hours: float) -> schemas.SilenceDetail:
    longer = schemas.SilenceLonger(until=silence.until + timedelta(hours=hours), version=silence.version)
    changed = await town.gateway.front.extend(await town.who(name), silence.id, longer)
    await controlled.settle(town.gateway)
    return changed


async def ends(town: World, name: str, silence: schemas.SilenceView) -> schemas.SilenceDetail:
    seen = schemas.SilenceSeen(version=silence.version)
    ended = await town.gateway.front.end_silence(await town.who(name), silence.id, seen)
    await controlled.settle(town.gateway)
    return ended


async def look(town: World, silence: schemas.SilenceView, name: str = "Siri") -> schemas.SilenceDetail:
    """As it is now."""
    return await town.gateway.front.silence(await town.who(name), silence.id)
