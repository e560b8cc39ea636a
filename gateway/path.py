"""The path of an alert as it was gone: message, observation, alert, pages, answers, each leg with its time. And what is next.

Rules
    Legs are in the order of their times; of one time in the order of the path. A leg's ``after`` is reckoned from the one
    before it, and is none for the first. Clocks differ: a leg that seems earlier than the one before took no time.
    Names of residents are no part of a path.

Theory
    Message, alert and first page are of one transaction, so the gateway's own times for them are the same to the millisecond
    or nearly. What takes time is the network before it, and whatever comes after: handing over, and people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from alerts.alert import Alert, DueFor
from alerts.policy import Target
from gateway.access import Who
from gateway.store import alerts as alert_store
from gateway.store import path as store
from gateway.store import people, views
from gateway.store.db import Connection
from gateway.store.path import Paged, Said

STEPS = frozenset(
    {"step_reached", "step_paged_again", "step_repeated", "step_skipped", "nobody_reachable", "attempt_failed"}
)
NOTHING = timedelta(0)


class Part(StrEnum):
    """What a leg is, in the order of the path."""

    MESSAGE = "message"
    STORED = "stored"
    RAISED = "raised"
    STEP = "step"
    PAGE = "page"
    RECEIPT = "receipt"
    TOLD = "told"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg. ``code`` and ``params``: of the timeline's entry; ``person``, ``channel``, ``state``: of a page."""

    part: Part
    at: datetime
    after: timedelta | None = None
    code: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    person: int | None = None
    channel: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Next:
    """What passing time will do, and when. ``step``: from 0, with whom it pages; None where it is not the ladder's turn.
    ``repeats``: it is the last step again."""

    at: datetime
    due_for: DueFor
    step: int | None = None
    target: Target | None = None
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """An alert's path, as somebody may see it. ``persons``: names by id."""

    uid: UUID
    condition: str
    kind: str | None
    severity: int
    zone: str
    stage: str
    track: str
    said: Said | None
    legs: tuple[Leg, ...]
    next: Next | None
    persons: Mapping[int, str]


def legs(
    said: Said | None,
    entries: Sequence[Mapping[str, Any]],
    pages: Sequence[Paged],
    receipted_at: datetime | None = None,
) -> tuple[Leg, ...]:
    """All legs. ``entries``: rows of the timeline (at, code, params, actor_id); ``receipted_at``: when the device had its
    receipt, where somebody knows."""
    found = [
        *_of_message(said, receipted_at),
        *(_of_entry(each) for each in entries),
        *(_of_page(each) for each in pages),
    ]
    return timed(found)


def timed(found: Sequence[Leg]) -> tuple[Leg, ...]:
    """In order, each with the time since the one before."""
    order = list(Part)
    ranked = sorted(found, key=lambda leg: (leg.at, order.index(leg.part)))
    befores: list[Leg | None] = [None, *ranked[:-1]]
    return tuple(_after(leg, before) for leg, before in zip(ranked, befores, strict=True))


def following(alert: Alert) -> Next | None:
    """What comes next unless somebody does something; None for an alert that is closed."""
    if alert.due_at is None or alert.due_for is None:
        return None
    climbs = alert.due_for is DueFor.STEP or (alert.due_for is DueFor.CONFIRM and alert.step is not None)
    if not climbs:
        return Next(alert.due_at, alert.due_for)
    last = len(alert.policy.ladder) - 1
    position = min(0 if alert.step is None else alert.step + 1, last)
    _, step = alert.policy.round_of(position)
    return Next(alert.due_at, alert.due_for, step, alert.policy.steps[step].target, repeats=alert.step == last)


async def path_of(
    connection: Connection, who: Who, uid: UUID, receipts: Mapping[str, datetime] | None = None
) -> Path | None:
    """An alert's path; None for one that they may not see. ``receipts``: known times of receipts, by message id."""
    row = await views.alert(connection, uid, who.sight)
    stored = await alert_store.find(connection, uid) if row else None
    if row is None or stored is None:
        return None
    entries = await views.timeline(connection, row["id"])
    pages = await store.pages_of(connection, row["id"])
    said = await _message(connection, row)
    persons = await people.names(connection, sorted(_persons(entries, pages)))
    receipted_at = (receipts or {}).get(said.message_id or "") if said else None
    return Path(
        uid=uid,
        condition=row["condition"],
        kind=row["device_kind"],
        severity=row["severity"],
        zone=row["zone"],
        stage=row["stage"],
        track=row["track"],
        said=said,
        legs=legs(said, entries, pages, receipted_at),
        next=following(stored.alert),
        persons={each.id: each.name for each in persons.values()},
    )


def of_message(said: Said, receipted_at: datetime | None) -> tuple[Leg, ...]:
    """The legs of a message from which nothing has come yet."""
    return timed(_of_message(said, receipted_at))


def _of_message(said: Said | None, receipted_at: datetime | None) -> list[Leg]:
    if said is None:
        return []
    receipt = [Leg(Part.RECEIPT, receipted_at)] if receipted_at else []
    params = {"type": said.type, "kind": said.kind, "address": said.address}
    return [Leg(Part.MESSAGE, said.occurred_at, params=params), Leg(Part.STORED, said.received_at), *receipt]


def _of_entry(entry: Mapping[str, Any]) -> Leg:
    code, actor = entry["code"], entry["actor_id"]
    if code == "raised":
        part = Part.RAISED
    elif code in STEPS:
        part = Part.STEP
    else:
        part = Part.TOLD if actor is None else Part.ANSWER
    return Leg(part, entry["at"], code=code, params=entry["params"], person=actor)


def _of_page(page: Paged) -> Leg:
    at = page.handed_over_at or page.created_at
    return Leg(Part.PAGE, at, person=page.person_id, channel=page.channel, state=page.state)


def _after(leg: Leg, before: Leg | None) -> Leg:
    after = None if before is None else max(leg.at - before.at, NOTHING)
    return Leg(leg.part, leg.at, after, leg.code, leg.params, leg.person, leg.channel, leg.state)


async def _message(connection: Connection, row: Mapping[str, Any]) -> Said | None:
    if row["device_id"] is None:
        return None
    return await store.message_of(connection, row["device_id"], row["occurred_at"], row["raised_at"])


def _persons(entries: Sequence[Mapping[str, Any]], pages: Sequence[Paged]) -> set[int]:
    found = {each.person_id for each in pages} | {each["actor_id"] for each in entries if each["actor_id"] is not None}
    for each in entries:
        params = each["params"]
        found |= {one for one in params.get("persons", ()) if isinstance(one, int)}
        found |= {params[name] for name in ("to", "from", "holder") if isinstance(params.get(name), int)}
    return found
