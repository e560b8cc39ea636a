"""A desk's list: the alerts of a zone and all below it, and who is on duty there."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from alerts.model import Severity, Track
from alerts.policy import Target
from gateway.api.schemas.alerts import AlertSummary
from gateway.api.schemas.base import Named, PersonRef, Schema


class LadderStep(Schema):
    """``after_seconds``: since the alert was raised. ``text``: whom it calls, and how."""

    target: Target
    after_seconds: int
    text: str


class Ladder(Schema):
    """How alerts of a track, from a severity on, climb while nobody answers; and after how many seconds without a word
    whoever has one loses it again. ``zone``: what it is for, empty for everywhere; ``applies``: which alerts; ``limits``: those times in
    words, for all severities, then from which one on otherwise."""

    zone: str
    applies: str
    track: Track
    min_severity: Severity
    steps: list[LadderStep]
    repeat_seconds: int
    claimed_seconds: int
    on_way_seconds: int
    arrived_seconds: int
    limits: list[str]


class DeskQuery(BaseModel):
    """Which alerts a desk asks for. ``zone``: with all below it; ``severity``: at least; ``waiting``: whether somebody has
    yet to answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["open", "closed"] = "open"
    zone: UUID | None = None
    severity: Severity = Severity.NOT_REPORTED
    track: Track | None = None
    waiting: bool | None = None


class DeskAlert(AlertSummary):
    """``held_since``: since when whoever holds it is where they are with it. ``next_text``: what happens at ``due_at``.
    ``outcome_text``: what it was and what was done, of a closed one."""

    held_since: datetime | None
    next_text: str | None
    outcome_text: str | None


class DeskZone(Schema):
    """``depth``: how far below the topmost zone of the reader."""

    id: UUID
    name: str
    depth: int


class OnDuty(Schema):
    """Who is on duty in a zone now, whoever is paged first in front; who leads it and who repairs there."""

    zone: Named
    responders: list[PersonRef]
    leads: list[PersonRef]
    technical: list[PersonRef]


class Desk(Schema):
    """``zones``: those that can be chosen, each below its parent. ``more``: there are more alerts than are shown."""

    zones: list[DeskZone]
    alerts: list[DeskAlert]
    more: bool
    on_duty: list[OnDuty]
