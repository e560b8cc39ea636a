"""Devices, where they are fitted, and the rules that apply to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.api.schemas.base import Named, Schema
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
