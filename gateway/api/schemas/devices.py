"""Devices, where they are fitted, and the rules that apply to them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from alerts.schedule import Weekdays
from gateway.api.schemas.alerts import AlertSummary
from gateway.api.schemas.base import Code, Day, Line, LocalTime, Moment, Named, Paged, Part, Schema, Taken, WallTime
from gateway.api.schemas.rules import RuleScope, RuleView
from gateway.api.schemas.silences import SilenceView

DeviceState = Literal["silent", "attention"]
DeviceOrder = Literal["address", "worst"]


class AppliedRule(Schema):
    """The rule of a name that applies to a device, and the ones that it hides, the nearest first."""

    rule: RuleView
    hides: list[RuleScope]


class DeviceItem(Schema):
    """A device, and where it is fitted now. ``placed``: where in the dwelling.

    ``quiet_since``: when it was last heard, or fitted, if that was later; None for one that is fitted nowhere. ``silent_at``:
    when that will have been for longer than it may be, without the time in which its site was deaf; ``silent``: that time
    has passed. ``open_alerts``: those over it that you may see; ``severity``: of the severest. ``silenced_until``: it is
    silenced by itself now.
    """

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
    silent_after_seconds: int
    quiet_since: datetime | None
    silent_at: datetime | None
    silent: bool
    open_alerts: int
    severity: int | None
    silenced_until: datetime | None = None


class DevicePage(Schema):
    """Devices in the order that was asked for. ``next_cursor``: for the next page, None at the end."""

    devices: list[DeviceItem]
    next_cursor: str | None


class DeviceDetail(DeviceItem):
    """A device with its open alerts and the rules that apply to it, those that are switched off too. ``heard_until``: how far
    its site has been heard. ``silences``: those that may hold back something of it."""

    fitted_since: datetime | None
    heard_until: datetime | None
    alerts: list[AlertSummary]
    rules: list[AppliedRule]
    silences: list[SilenceView]
    may_change: bool


class DeviceQuery(Paged):
    """Which devices, and in which order. ``q``: a part of address, model, home or resident's name; ``zone``: with what is
    below it; ``state``: only what is silent against its contract, or whatever needs somebody; ``silent_longer_than``: seconds since its last sign of life, or none ever; ``battery_below``: percent, as it last said;
    ``unfitted``: fitted nowhere now, or somewhere. ``order``: by address, or the worst first."""

    q: Part = ""
    kind: Code | None = None
    zone: UUID | None = None
    site: Code | None = None
    online: bool | None = None
    silent_longer_than: Annotated[int, Field(ge=0, le=366 * 24 * 3600)] | None = None
    battery_below: Annotated[float, Field(ge=0, le=101, allow_inf_nan=False)] | None = None
    unfitted: bool | None = None
    state: DeviceState | None = None
    order: DeviceOrder = "address"


class DeviceCount(Schema):
    """How many of the devices are silent; ``attention``: that, or with an open alert, without connection, or low."""

    silent: int
    attention: int


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
