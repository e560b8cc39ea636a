"""What devices are asked to do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from alerts.command import Reason, State
from gateway.api.schemas.base import Code, Moment, Named, Paged, PersonRef, Schema


class PartView(Schema):
    """The last word about a part of a device. ``part``: ``bolt`` or ``door`` of a lock; ``text``: in the reader's language."""

    part: str
    type: str
    text: str
    occurred_at: datetime
    received_at: datetime


class CommandOffer(Schema):
    """Something that the reader may ask a device to do now; ``label`` as a button says it."""

    command: str
    label: str


class CommandView(Schema):
    """A command and how far it has come. It is obeyed before ``valid_until``, or not at all.

    ``outcome``: the type of the device's report that settled it, or ``not_sent``, ``no_answer``, ``alert_closed``, ``not_allowed``,
    ``done_late``. Texts are in the language of whoever asks.
    """

    id: UUID
    command: str
    label: str
    reason: Reason
    reason_text: str
    state: State
    state_text: str
    outcome: str | None
    outcome_text: str | None
    requested_by: PersonRef
    requested_at: datetime
    valid_until: datetime
    sent_at: datetime | None
    settled_at: datetime | None


class LockView(Schema):
    """A device in the alert's home that can be asked to do something. ``parts``: what is known of it; ``commands``: what the
    reader may ask now; ``given``: what it was asked for this alert, the newest first."""

    device: UUID
    kind: str
    placed: str
    online: bool | None
    parts: list[PartView]
    commands: list[CommandOffer]
    given: list[CommandView]


class CommandRequest(BaseModel):
    """A command to a device in the home of an alert. ``valid_seconds``: how long the device may obey it, from now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: UUID
    command: Annotated[str, Field(min_length=1, max_length=64)]
    reason: Reason
    valid_seconds: Annotated[int, Field(ge=10, le=300)] = 60


class CommandItem(CommandView):
    """A command with the alert that it was for and the device that it is to (named by its address)."""

    alert: UUID
    device: Named
    kind: str
    zone: Named


class CommandPage(Schema):
    """Commands, the newest first. ``next_cursor``: for the next page, None at the end."""

    commands: list[CommandItem]
    next_cursor: str | None


class CommandQuery(Paged):
    """Which commands. ``zone``: of the alert, with what is below it; ``mine``: asked for by you, or not."""

    state: State | None = None
    device: UUID | None = None
    alert: UUID | None = None
    zone: UUID | None = None
    command: Code | None = None
    requested_since: Moment | None = None
    requested_until: Moment | None = None
    mine: bool | None = None
