"""Devices, where they are fitted, and the rules that apply to them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from alerts.schedule import Weekdays
from gateway.api.schemas.base import Code, Day, Line, LocalTime, Moment, Named, Paged, Part, Schema, Taken, WallTime
from gateway.api.schemas.rules import RuleScope, RuleView


class AppliedRule(Schema):
    """The rule of a name that applies to a device, and the ones that it hides, the nearest first."""

    rule: RuleView
    hides: list[RuleScope]


class DeviceItem(Schema):
    """A device, and where it is fitted now. ``placed``: where in the dwelling."""

    id: UUID
    kind: str
    address: str
    model: str
    site: str
    registered: bool
    zone: Named
    dwelling: str | None
    placed: str
    resident: Named | None
    last_seen: datetime | None
    online: bool | None
    state: dict[str, Any]


class DevicePage(Schema):
    """Devices in order of address. ``next_cursor``: for the next page, None at the end."""

    devices: list[DeviceItem]
    next_cursor: str | None


class DeviceDetail(DeviceItem):
    """A device with the rules that apply to it, those that are switched off too. ``silent_after_seconds``: how long it may
    say nothing."""

    fitted_since: datetime | None
    silent_after_seconds: int
    rules: list[AppliedRule]
    may_change: bool


class DeviceQuery(Paged):
    """Which devices. ``q``: a part of address, model, home or resident's name; ``zone``: with what is below it;
    ``silent_longer_than``: seconds since its last sign of life, or none ever; ``battery_below``: percent, as it last said;
    ``unfitted``: fitted nowhere now, or somewhere."""

    q: Part = ""
    kind: Code | None = None
    zone: UUID | None = None
    site: Code | None = None
    online: bool | None = None
    silent_longer_than: Annotated[int, Field(ge=0, le=366 * 24 * 3600)] | None = None
    battery_below: Annotated[float, Field(ge=0, le=101, allow_inf_nan=False)] | None = None
    unfitted: bool | None = None


Contract = Annotated[int, Field(ge=60, le=366 * 24 * 3600)]


class DeviceRequest(Taken):
    """A device that is to be known. ``silent_after_seconds``: how long it may say nothing; None: as its kind may."""

    site: Code
    ecosystem: Code = "native"
    address: Code
    kind: Code
    model: Line = ""
    silent_after_seconds: Contract | None = None


class DeviceChange(Taken):
    """What is to be another way; what is left out stays. ``silent_after_seconds``: 0 for what its kind may."""

    model: Line | None = None
    silent_after_seconds: Contract | Annotated[int, Field(ge=0, le=0)] | None = None


class FitRequest(Taken):
    """Where a device is fitted. ``resident``: whom it is for; None where it is nobody's in particular. ``placed``: where in
    the dwelling. ``since``: None for now."""

    dwelling: UUID
    resident: UUID | None = None
    placed: Line = ""
    since: Moment | None = None


class TakeDown(Taken):
    """When a device was taken down; None for now."""

    at: Moment | None = None


class FittingView(Schema):
    """A time in which a device is, or was, fitted somewhere. ``doses``: how many planned doses came along from before."""

    id: UUID
    device: UUID
    dwelling: Named
    resident: Named | None
    placed: str
    since: datetime | None
    until: datetime | None
    doses: int = 0


class DoseRequest(Taken):
    """A dose that recurs, of the device as it is fitted now. ``local_time``: to the minute; ``weekdays``: Monday is 0;
    ``from_date``: the first local day, None for today; ``to_date``: the last. ``grace_seconds``: how long after its time it
    may be taken; None: as the rule says."""

    local_time: LocalTime
    weekdays: Weekdays = (0, 1, 2, 3, 4, 5, 6)
    from_date: Day | None = None
    to_date: Day | None = None
    grace_seconds: Annotated[int, Field(ge=300, le=18000)] | None = None


class DoseEnd(Taken):
    """``last_day``: the last local day on which there are doses; None for today. Yesterday: none any more, from now on."""

    last_day: Day | None = None


class DoseView(Schema):
    """A dose that recurs. ``next_at``: its next time, None when there is none any more."""

    id: UUID
    device: UUID
    local_time: WallTime
    weekdays: list[int]
    from_date: date
    to_date: date | None
    grace_seconds: int | None
    next_at: datetime | None


class DoseList(Schema):
    """The doses of a device as it is fitted now, by time; those that are over are left out."""

    doses: list[DoseView]
