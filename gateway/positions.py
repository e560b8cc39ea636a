"""Positions: set apart from what is stored of a message, and shown on the alert of whoever it is about.

Rules
    Coordinates go into the table ``position`` and nowhere else. What is stored and judged has a distance instead.
    A position belongs to what the device was fitted to when it was *found*: one from a former home is not shown in
    the next, and says nothing of how far from it somebody is.
    Shown is where the alert's own device was last; where it never says, another device of the same resident. Of a
    closed alert nothing is shown: whoever has finished has no more need to know where somebody is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from alerts.model import Heard, Subject
from devices.model import Observation
from devices.position import DISTANCE, Position, apart, distance_from_home_m, distance_m, position_of
from gateway.api import schemas
from gateway.register import Known
from gateway.store import devices
from gateway.store import positions as store
from gateway.store.audit import Changed
from gateway.store.db import Connection
from gateway.store.positions import Placed, Shown

AROUND_ALERT = timedelta(minutes=15)
"""A position that old, when the alert occurred, still says where it occurred."""

ELSEWHERE_M = 50.0
"""Two positions this far apart, beyond their accuracies, are two places."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A position that somebody's device told, and what it was fitted to when it was found."""

    position: Position
    subject: Subject


# Storing --------------------------------------------------------------------------------------------------------------


async def set_apart(connection: Connection, heard: Sequence[Heard]) -> list[Heard]:
    """The same without coordinates, which are stored by themselves; with the distance from home where it is known."""
    found = await _found(connection, heard)
    if not found:
        return [_without(each) for each in heard]
    homes = await store.homes(connection, {each.subject.dwelling_id or 0 for each in found.values()})
    placed = dict.fromkeys(_placed(heard[index], each) for index, each in found.items())
    await store.add(connection, list(placed))
    return [_with_distance(_without(each), found.get(index), homes) for index, each in enumerate(heard)]


async def noticed(
    connection: Connection,
    observed: Sequence[Observation],
    known: Known,
    now: datetime,
) -> Changed:
    """The pages of open alerts look again when the alert's device, or another one of its wearer, says where it is."""
    ids = sorted({known[each.device].id for each in observed if position_of(each) is not None})
    return Changed(await store.zones_that_look(connection, ids, now)) if ids else Changed()


async def _found(connection: Connection, heard: Sequence[Heard]) -> dict[int, _Found]:
    """By place in ``heard``."""
    told = {index: position for index, each in enumerate(heard) if (position := position_of(each.observation))}
    if not told:
        return {}
    moments = [(heard[index].subject.device_id or 0, position.at) for index, position in told.items()]
    subjects = await devices.subjects_at(connection, moments)
    return {index: _Found(told[index], subject) for index, subject in zip(told, subjects, strict=True)}


def _placed(heard: Heard, found: _Found) -> Placed:
    received_at = heard.observation.received_at
    return Placed(heard.subject.device_id or 0, found.subject.installation_id, found.position, received_at)


def _without(heard: Heard) -> Heard:
    kept = apart(heard.observation)
    return heard if kept is heard.observation else replace(heard, observation=kept)


def _with_distance(heard: Heard, found: _Found | None, homes: Mapping[int, tuple[float, float]]) -> Heard:
    home = homes.get(found.subject.dwelling_id or 0) if found else None
    if found is None or home is None or found.subject.installation_id != heard.subject.installation_id:
        return heard
    distance = distance_from_home_m(found.position, home)
    if distance is None:
        return heard
    fields = {**heard.observation.fields, DISTANCE: distance}
    return replace(heard, observation=replace(heard.observation, fields=fields))


# Showing --------------------------------------------------------------------------------------------------------------


async def of_alert(connection: Connection, alert: Mapping[str, Any], now: datetime) -> list[schemas.PositionView]:
    """Where to look, the newest first: where the device was last, and where it was when the alert occurred if that is
    somewhere else. Nothing where nobody knows."""
    last = await _last(connection, alert) if alert["closed_at"] is None else None
    if last is None:
        return []
    then = await store.latest(connection, last.device_id, last.installation_id, alert["occurred_at"])
    homes = await store.homes(connection, {alert["dwelling_id"] or 0})
    shown = [_view("latest", last, alert, homes, now)]
    if then is not None and alert["occurred_at"] - then.occurred_at <= AROUND_ALERT and _elsewhere(then, last):
        shown.append(_view("at_alert", then, alert, homes, now))
    return shown


async def _last(connection: Connection, alert: Mapping[str, Any]) -> Shown | None:
    own = None
    if alert["device_id"] is not None:
        own = await store.latest(connection, alert["device_id"], alert["installation_id"])
    if own is not None or alert["resident_id"] is None:
        return own
    return await store.latest_of_resident(connection, alert["resident_id"])


def _elsewhere(one: Shown, other: Shown) -> bool:
    apart_m = distance_m((one.latitude, one.longitude), (other.latitude, other.longitude))
    return apart_m > ELSEWHERE_M + (one.accuracy_m or 0) + (other.accuracy_m or 0)


def _view(
    when: schemas.PositionWhen,
    shown: Shown,
    alert: Mapping[str, Any],
    homes: Mapping[int, tuple[float, float]],
    now: datetime,
) -> schemas.PositionView:
    home = homes.get(alert["dwelling_id"] or 0)
    place = Position(shown.latitude, shown.longitude, shown.accuracy_m, shown.occurred_at)
    return schemas.PositionView(
        when=when,
        latitude=shown.latitude,
        longitude=shown.longitude,
        accuracy_m=shown.accuracy_m,
        source=shown.source,
        at=shown.occurred_at,
        age_seconds=max(0, int((now - shown.occurred_at).total_seconds())),
        device=shown.device_uid,
        device_kind=shown.device_kind,
        own=shown.device_id == alert["device_id"],
        distance_from_home_m=distance_from_home_m(place, home) if home else None,
    )
