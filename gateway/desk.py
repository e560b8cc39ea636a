"""A desk's list: what is open in a zone and all below it, who holds it, what happens next, and who is on duty.

Rules
    A desk sees the zones in which its reader is lead, response centre, technical services or administrator, and of each the
    tracks that they see there.
    People are on duty in the zones that have no zone below: there the alerts are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import accumulate
from typing import Any
from uuid import UUID

from alerts.alert import DueFor
from alerts.policy import Policy, Target
from alerts.policywords import applies, limits_text, step_text
from alerts.upcoming import upcoming
from gateway import policing, reading
from gateway.access import OVERSEERS, Who
from gateway.api import schemas
from gateway.errors import NotFound
from gateway.store import desk as store
from gateway.store import people, policies, views, zones
from gateway.store.db import Connection
from gateway.store.people import Person
from gateway.store.policies import policy_of

MOST = 200
"""Alerts on a desk at once; what is less urgent is found by its filters."""
CLOSED_WITHIN = timedelta(days=1)


async def gather(
    connection: Connection, who: Who, query: schemas.DeskQuery, now: datetime, local: tzinfo
) -> schemas.Desk:
    """NotAllowed for care staff, NotFound for a zone that is not the reader's."""
    who.require(OVERSEERS)
    tree = _tree(await zones.named(connection, who.zones_as(OVERSEERS)))
    chosen = _below(tree, query.zone)
    wanted = views.AlertSearch(
        state=query.state,
        zones=[row["id"] for row, _ in chosen],
        severity=query.severity,
        track=query.track,
        waiting=query.waiting,
        closed_since=now - CLOSED_WITHIN if query.state == "closed" else None,
    )
    page = await reading.alert_list(connection, who, wanted, None, MOST, now)
    standing = await store.standing(connection, [each.id for each in page.alerts])
    parents = {row["parent_id"] for row, _ in tree}
    leaves = [row for row, _ in chosen if row["id"] not in parents]
    return schemas.Desk(
        zones=[schemas.DeskZone(id=row["uid"], name=row["name"], depth=depth) for row, depth in tree],
        alerts=[_alert(each, standing[each.id], who.language) for each in page.alerts],
        more=page.next_cursor is not None,
        on_duty=await _on_duty(connection, leaves, now, local),
    )


async def read_ladders(connection: Connection, who: Who) -> list[schemas.Ladder]:
    """How alerts climb here: everywhere, and in the reader's zones; those of residents are not for everybody."""
    rows = [row for row in await policies.listed(connection) if row["zone_id"] in {None, *who.zone_ids}]
    found = [(policies.stored(row).policy, row["scope_text"]) for row in rows if row["resident_id"] is None]
    named = await policing.names_in(connection, [policy for policy, _ in found])
    return ladders(found, named, who.language)


def ladders(
    found: Sequence[tuple[Policy, str]], named: Mapping[UUID, str] | None = None, language: str = "nb"
) -> list[schemas.Ladder]:
    """Policies as people read them, each with the zone that it is set for (empty: everywhere): those for everywhere first,
    care first, the severest first. ``named``: persons and teams that they call."""
    ranked = sorted(
        found, key=lambda each: (each[1], each[0].track, bool(each[0].codes), -each[0].min_severity, each[0].name)
    )
    return [_ladder(policy, zone, named or {}, language) for policy, zone in ranked]


def _ladder(policy: Policy, zone: str, named: Mapping[UUID, str], language: str) -> schemas.Ladder:
    """Whom it calls how long after the alert was raised."""
    waits = [0, *accumulate(each.wait_seconds for each in policy.ladder)]
    steps = [
        schemas.LadderStep(target=each.target, after_seconds=after, text=step_text(each, named, language))
        for each, after in zip(policy.ladder, waits, strict=False)
    ]
    return schemas.Ladder(
        zone=zone,
        applies=applies(policy, language),
        track=policy.track,
        min_severity=policy.min_severity,
        steps=steps,
        repeat_seconds=policy.wait_after(len(policy.ladder) - 1, policy.min_severity),
        claimed_seconds=policy.limits.claimed,
        on_way_seconds=policy.limits.on_way,
        arrived_seconds=policy.limits.arrived,
        limits=limits_text(policy, language),
    )


# Zones ----------------------------------------------------------------------------------------------------------------

Row = Mapping[str, Any]


def _tree(rows: Sequence[Row]) -> list[tuple[Row, int]]:
    """Each zone below its parent, with how far below the topmost."""
    ids = {row["id"] for row in rows}

    def under(parent: int | None, depth: int) -> Iterator[tuple[Row, int]]:
        for row in rows:
            if (row["parent_id"] if row["parent_id"] in ids else None) == parent:
                yield row, depth
                yield from under(row["id"], depth + 1)

    return list(under(None, 0))


def _below(tree: Sequence[tuple[Row, int]], uid: UUID | None) -> Sequence[tuple[Row, int]]:
    """The zone and all below it; every zone where none is named."""
    if uid is None:
        return tree
    start = next((index for index, (row, _) in enumerate(tree) if row["uid"] == uid), None)
    if start is None:
        raise NotFound("zone", "there is no such zone, or it is not yours to see", "choose one from the list")
    depth = tree[start][1]
    end = next((index for index in range(start + 1, len(tree)) if tree[index][1] <= depth), len(tree))
    return tree[start:end]


async def _on_duty(connection: Connection, leaves: Sequence[Row], now: datetime, local: tzinfo) -> list[schemas.OnDuty]:
    called = {row["id"]: await people.targets(connection, row["id"], now, local) for row in leaves}
    everybody = {person for each in called.values() for persons in each.values() for person in persons}
    names = await people.names(connection, sorted(everybody))
    return [_on_duty_in(row, called[row["id"]], names) for row in leaves]


def _on_duty_in(row: Row, called: Mapping[Target, Sequence[int]], names: Mapping[int, Person]) -> schemas.OnDuty:
    def told(target: Target) -> list[schemas.PersonRef]:
        persons = [names[each] for each in called[target] if each in names]
        return [schemas.PersonRef(id=each.uid, name=each.name) for each in persons]

    return schemas.OnDuty(
        zone=schemas.Named(id=row["uid"], name=row["name"]),
        responders=told(Target.ALL_ON_DUTY),
        leads=told(Target.ZONE_LEAD),
        technical=told(Target.TECHNICAL_ON_DUTY),
    )


# Alerts ---------------------------------------------------------------------------------------------------------------


def _alert(shown: schemas.AlertSummary, row: Row, language: str) -> schemas.DeskAlert:
    return schemas.DeskAlert(
        **shown.model_dump(),
        held_since=row["held_since"],
        next_text=_next(row, language) if shown.due_at else None,
        outcome_text=reading.outcome_text(row, language),
    )


def _next(row: Row, language: str) -> str:
    policy = policy_of(row["policy"], row["policy_version_id"])
    return upcoming(policy, row["step"], DueFor(row["due_for"]), language)
