"""How people are reached, as they keep it; links for phones, and where they are signed in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from alerts.contacts import MOST_CONTACTS, State
from gateway.api.schemas.base import LocalTime, Schema, Taken, WallTime


class ContactState(Schema):
    """A colleague's contact: of which kind, and how it stands. Where it leads to is nobody else's business."""

    channel: str
    state: State


class ContactView(Schema):
    """A contact of yours. ``address``: empty for the app and for a phone that has registered itself. ``set_up``: this gateway has
    the channel. ``reason``: what its channel said when it broke. ``tested_at``: since when a test is open; ``test_until``: when
    your lead is told of that, None once they have been. Quiet hours are local, both or none. Of a phone
    that has registered itself: ``opened_at``, when the app was last opened on it, and ``machine``, what it is (`iPhone`)."""

    id: UUID
    channel: str
    address: str
    state: State
    set_up: bool
    reason: str | None
    broken_at: datetime | None
    confirmed_at: datetime | None
    tested_at: datetime | None
    test_until: datetime | None
    added_at: datetime | None
    opened_at: datetime | None = None
    machine: str | None = None
    quiet_from: WallTime | None
    quiet_to: WallTime | None


class ContactList(Schema):
    """Your contacts, in the order in which they are tried. ``may_add``: the channels that you can add one of; ``by_phone``: a
    phone can register itself; ``told_after``: seconds after which your lead is told of a test that is not confirmed."""

    contacts: list[ContactView]
    may_add: list[str]
    by_phone: bool
    told_after: int


class ContactRequest(Taken):
    """A new contact: a channel and an address as that wants it, empty for the app."""

    channel: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,31}$")]
    address: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] = ""


class ContactOrder(Taken):
    """All of your contacts by id, as they are to be tried."""

    ids: Annotated[list[UUID], Field(max_length=4 * MOST_CONTACTS)]


class QuietHours(Taken):
    """Local times between which this contact is not disturbed by what is neither serious nor critical; both None: never quiet."""

    quiet_from: LocalTime | None
    quiet_to: LocalTime | None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("`quiet_from` and `quiet_to` come together, or not at all")
        if self.quiet_from is not None and self.quiet_from == self.quiet_to:
            raise ValueError("`quiet_from` and `quiet_to` are the same: that would be no time, or all of it")
        return self


class RemovalQuery(Taken):
    """``confirmed``: also if nothing else reaches you while you serve."""

    confirmed: bool = False


class PhoneLink(Schema):
    """An address that signs a phone in as you when it is opened there: once, until then. It is shown this once."""

    url: str
    until: datetime


class SignedInView(Schema):
    """A session of yours. ``agent``: what the browser or program calls itself; ``this``: the one that asks."""

    id: UUID
    agent: str
    since: datetime
    until: datetime
    this: bool
