"""What could not be read, and how far sites are heard."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from devices.model import Reason as Unreadable
from gateway.api.schemas.base import PersonRef, Schema

QuarantineState = Literal["waiting", "decoded"]


class QuarantineItem(Schema):
    """A message that could not be read. ``raw``: its bytes without secrets, base64; ``text``: as far as they are text;
    ``device`` and ``device_kind``: as its topic has them. ``reason``: why it could not be read when that was last tried.
    """

    id: UUID
    site: str
    topic: str
    reason: str
    detail: str
    message_class: str | None
    retained: bool
    raw: str
    text: str
    received_at: datetime
    device: str | None = None
    device_kind: str | None = None
    state: QuarantineState = "waiting"
    decoded_at: datetime | None = None
    decoded_by: PersonRef | None = None


class QuarantinePage(Schema):
    """A page of quarantined messages, newest first."""

    items: list[QuarantineItem]
    next_cursor: str | None


class QuarantineQuery(BaseModel):
    """Which messages in quarantine. ``q``: a part of the topic, the reason's detail, the site or the message itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[str, Field(max_length=200)] | None = None
    reason: Unreadable | None = None
    site: Annotated[str, Field(max_length=64)] | None = None
    state: QuarantineState | None = "waiting"


class DecodedAgain(Schema):
    """What became of a message that was decoded again.

    ``decoded``: stored now, and judged as late as it is; ``seen_before``: it had come by another way; ``already_decoded``:
    somebody did it before; ``unreadable``: it stays, with the ``reason`` and ``detail`` why.
    """

    id: UUID
    outcome: Literal["decoded", "seen_before", "already_decoded", "unreadable"]
    reason: str | None = None
    detail: str | None = None


class DecodedAgainAll(Schema):
    """What became of many, by outcome. ``next_cursor``: where to go on; None when that was all."""

    decoded: int
    seen_before: int
    already_decoded: int
    unreadable: int
    next_cursor: str | None


class LegView(Schema):
    """How long a leg of the test alarms of the last hour took, in seconds: half of them no longer than ``p50``, 99 of 100 no
    longer than ``p99``. ``leg``: `whole` is all of them together."""

    leg: str
    p50: float
    p99: float


class CanaryView(Schema):
    """The test alarm that goes the whole way at a site every minute, and is answered by the gateway. ``passed_at``: when the
    newest one that was answered was sent; ``missing``: the leg at which it stops, None while it gets through."""

    passed_at: datetime | None
    missing: str | None
    legs: list[LegView]


class SiteView(Schema):
    """How far a site has been heard; ``deaf``: longer ago than it may be. ``canary``: None where no test alarm is sent."""

    name: str
    zone: str
    heard_until: datetime | None
    deaf: bool
    canary: CanaryView | None = None
