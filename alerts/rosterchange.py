"""What may be changed of a roster: whether an override or a swap makes sense, and why not.

Rules
    An override takes somebody off who is on duty at some time of it, puts somebody on who is not, or both.
    In a swap each gives away a time which they serve from its first to its last minute, and nobody is in two places: as many
    people are on duty after it as before.
    Nobody is put on duty while they are away. What changes nothing is no change: an override under an accepted swap has no say.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, tzinfo
from enum import StrEnum

from alerts.duty import serving, spans
from alerts.roster import FOREVER, Change, Layer, Part, Plan


class Unfit(StrEnum):
    """Why a change of a roster is not taken."""

    SAME_PERSON = "same_person"
    NOT_ON_DUTY = "not_on_duty_then"
    TWO_PLACES = "two_places"
    AWAY = "away_then"
    CHANGES_NOTHING = "changes_nothing"


def unfit(plan: Plan, change: Change, zone: tzinfo) -> Unfit | None:
    """Why a change cannot be made of a plan; None where it can."""
    if any(part.leaves == part.comes for part in change.parts):
        return Unfit.SAME_PERSON
    if any(_is_away(plan, part) for part in change.parts):
        return Unfit.AWAY
    for part in change.parts:
        if part.leaves is not None and not _gives(plan, part, part.leaves, change.layer, zone):
            return Unfit.NOT_ON_DUTY
        if part.comes is not None and _is_twice(plan, part, part.comes, change, zone):
            return Unfit.TWO_PLACES
    return None if _changes(plan, change, zone) else Unfit.CHANGES_NOTHING


def changed(plan: Plan, change: Change) -> Plan:
    """The plan with one more change, above those of its layer that were there."""
    order = [Layer.OVERRIDE, Layer.SWAP]
    return replace(plan, changes=sorted((*plan.changes, change), key=lambda each: order.index(each.layer)))


def _is_away(plan: Plan, part: Part) -> bool:
    return any(
        each.person_id == part.comes and each.begins < part.ends and part.begins < (each.ends or FOREVER)
        for each in plan.absences
    )


def _gives(plan: Plan, part: Part, person: int, layer: Layer, zone: tzinfo) -> bool:
    """Whether they are on duty: all the time where it is swapped, else at some time of it."""
    served = [person in _persons(plan, at, zone) for at in _instants(plan, part, zone)]
    return all(served) if layer is Layer.SWAP else any(served)


def _is_twice(plan: Plan, part: Part, person: int, change: Change, zone: tzinfo) -> bool:
    """Whether somebody who comes is on duty then already, and does not leave."""
    return any(
        person in _persons(plan, at, zone) and not any(each.leaves == person and each.at(at) for each in change.parts)
        for at in _instants(plan, part, zone)
    )


def _changes(plan: Plan, change: Change, zone: tzinfo) -> bool:
    after = changed(plan, change)
    return any(
        _persons(plan, at, zone) != _persons(after, at, zone)
        for part in change.parts
        for at in _instants(after, part, zone)
    )


def _instants(plan: Plan, part: Part, zone: tzinfo) -> list[datetime]:
    return [each.begins for each in spans(plan, part.begins, part.ends, zone)]


def _persons(plan: Plan, at: datetime, zone: tzinfo) -> tuple[int, ...]:
    return tuple(each.person_id for each in serving(plan, at, zone))
