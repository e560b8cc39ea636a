"""What devices said: one by one, and by buckets of time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from devices.model import MessageClass
from gateway.api.schemas.base import Moment, Named, Paged, Schema, Taken

ObservationOrder = Literal["newest", "oldest"]
Type = Annotated[str, Field(max_length=64)]


class ObservationView(Schema):
    """One thing a device said. ``text``: its type in words; ``received_at`` is ours, ``occurred_at`` the device's word;
    ``fitting``: the installation that it was said in, None while the device was fitted nowhere; ``raw``: the message as it
    came, without secrets and coordinates, as far as it is text: where it was asked for, and may be shown to you. ``id`` is
    opaque, and a cursor too: behind this one.
    """

    id: str
    device: Named
    device_kind: str
    fitting: UUID | None
    placed: str
    type: str
    text: str
    message_class: MessageClass
    message_id: str | None
    occurred_at: datetime
    received_at: datetime
    late_seconds: int
    flags: list[str]
    fields: dict[str, Any]
    raw: str | None = None


class ObservationPage(Schema):
    """A page of what was received from ``since`` until before ``until``. ``next_cursor``: for the next one, None at the end."""

    since: datetime
    until: datetime
    items: list[ObservationView]
    next_cursor: str | None


class WhoseQuery(Taken):
    """Of a device or of a resident, exactly one; received from ``since`` (by default 30 days ago) until before ``until`` (by
    default now). ``type`` (may be repeated) and ``class``: only these. ``fitted``: of a device, what it said in the fitting
    that it is in now (or while it has been fitted nowhere), or all that was said in your zones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    device: UUID | None = None
    resident: UUID | None = None
    since: Moment | None = None
    until: Moment | None = None
    types: Annotated[tuple[Type, ...], Field(alias="type", max_length=50)] = ()
    message_class: Annotated[MessageClass | None, Field(alias="class")] = None
    fitted: Literal["now", "all"] = "all"


class ObservationQuery(WhoseQuery, Paged):
    """``order``: by when we received it; ``raw``: with the messages as they came, for technical services."""

    order: ObservationOrder = "newest"
    raw: bool = False


class BucketQuery(WhoseQuery):
    """``bucket``: as ``15m``, ``6h`` or ``1d`` (a local day); ``field`` (may be repeated): of which numbers the values are
    wanted, as battery."""

    bucket: Annotated[str, Field(max_length=8)] = "1h"
    fields: Annotated[tuple[Type, ...], Field(alias="field", max_length=4)] = ()


class Measured(Schema):
    """The values of a field in a bucket; ``last``: as of reception."""

    count: int
    min: float
    avg: float
    max: float
    last: float


class Bucket(Schema):
    """From ``since`` until before ``until``: how many messages by type, and the values of the fields asked for."""

    since: datetime
    until: datetime
    count: int
    types: dict[str, int]
    values: dict[str, Measured]


class CountedQuery(WhoseQuery):
    """``step``: by the hour or by the local day (Europe/Oslo). Hours and days count as wholes."""

    step: Literal["hour", "day"] = "day"


class CountedHealth(Schema):
    """Of a device: how many signs of life; battery in percent, the least and the last; radio strength in dBm."""

    messages: int
    battery_min: float | None
    battery_last: float | None
    signal_min: float | None
    signal_mean: float | None


class Counted(Schema):
    """An hour or a day that begins at ``begin``: how often what was said, beside signs of life. ``health``: where a device was asked
    for, and gave one."""

    begin: datetime
    types: dict[str, int]
    health: CountedHealth | None = None


class CountedList(Schema):
    """In order of time, without those in which nothing was said. ``texts``: the types in words; ``counted_until``: what ended later
    is not counted yet."""

    since: datetime
    until: datetime
    counted_until: datetime | None
    lines: list[Counted]
    texts: dict[str, str]


class Period(Schema):
    """From when until when."""

    since: datetime
    until: datetime


class BucketList(Schema):
    """Buckets in order of time, empty ones too; they reach out to whole ones around what was asked for. ``texts``: the types
    in words. ``deaf``: when the site was not heard; ``silent``: when the device said nothing for longer than it may."""

    since: datetime
    until: datetime
    buckets: list[Bucket]
    texts: dict[str, str]
    deaf: list[Period]
    silent: list[Period]
