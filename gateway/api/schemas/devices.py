"""Devices, where they are fitted, and the rules that apply to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from gateway.api.schemas.alerts import AlertSummary
from gateway.api.schemas.base import Named, Schema
from gateway.api.schemas.rules import RuleScope, RuleView

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
    has passed. ``open_alerts``: those over it that you may see; ``severity``: of the severest.
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


class DevicePage(Schema):
    """Devices in the order that was asked for. ``next_cursor``: for the next page, None at the end."""

    devices: list[DeviceItem]
    next_cursor: str | None


class DeviceDetail(DeviceItem):
    """A device with its open alerts and the rules that apply to it, those that are switched off too. ``heard_until``: how far
    its site has been heard."""

    fitted_since: datetime | None
    heard_until: datetime | None
    alerts: list[AlertSummary]
    rules: list[AppliedRule]
    may_change: bool


class DeviceQuery(BaseModel):
    """Which devices, and in which order. ``q``: a part of address, model, home or resident's name; ``zone``: with all below
    it; ``state``: only what is silent, or whatever needs somebody; ``order``: by address, or the worst first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: str = ""
    kind: str | None = None
    zone: UUID | None = None
    state: DeviceState | None = None
    order: DeviceOrder = "address"


class DeviceCount(Schema):
    """How many of the devices are silent; ``attention``: that, or with an open alert, without connection, or low."""

    silent: int
    attention: int
