"""Residents, dwellings, and who lives where from when to when."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from gateway.api.schemas.alerts import AlertSummary
from gateway.api.schemas.base import Filled, Line, Moment, Named, Paged, Part, PersonRef, Schema, Taken, Text
from gateway.api.schemas.silences import SilenceView

Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class ResidencyView(Schema):
    """A time in which somebody lives, or lived, somewhere. ``until``: None for as long as nobody says otherwise. ``dwelling``:
    named by its address."""

    dwelling: Named
    zone: Named
    since: datetime | None
    until: datetime | None


class ResidentItem(Schema):
    """A resident, and where they live; where nowhere any more, ``home`` is None and ``zone`` that of the last home.
    ``away_until``: when they are to be back, where they are said to be away now; for care staff."""

    id: UUID
    name: str
    phone: str
    home: Named | None
    zone: Named
    away_until: datetime | None


class ResidentPage(Schema):
    """Residents in order of name. ``next_cursor``: for the next page, None at the end."""

    residents: list[ResidentItem]
    next_cursor: str | None


class FittedView(Schema):
    """A device that is fitted. ``placed``: where in the dwelling."""

    id: UUID
    kind: str
    address: str
    placed: str
    since: datetime | None
    dwelling: Named
    last_seen: datetime | None
    online: bool | None


class ResidentDetail(ResidentItem):
    """A resident with all that concerns them now. ``born`` and ``notes``: for care staff only, else None. ``alerts``: open
    ones that the reader may see; ``silences``: theirs, and whether they are away."""

    born: date | None
    notes: str | None
    residencies: list[ResidencyView]
    devices: list[FittedView]
    alerts: list[AlertSummary]
    silences: list[SilenceView]


class ResidentQuery(Paged):
    """Which residents. ``q``: a part of name, phone or address; ``zone``: with what is below it."""

    q: Part = ""
    zone: UUID | None = None


class Look(Schema):
    """Something that was done with a resident's data. ``person``: None for whoever did it on the gateway's own machine, and for
    the gateway itself; ``what``: a code, and ``text`` in words; ``alert``: because of which, named by what it is."""

    at: datetime
    person: PersonRef | None
    what: str
    text: str
    alert: Named | None


class AccessLog(Schema):
    """Who looked at a resident, the newest first. ``next_cursor``: for the next page, None at the end."""

    resident: Named
    looks: list[Look]
    next_cursor: str | None


class AccessLogQuery(Paged):
    """Which page of an access log."""


class ResidentRequest(Taken):
    """Somebody new, who lives in a dwelling. ``since``: None for now."""

    name: Filled
    phone: Line = ""
    born: date | None = None
    notes: Text = ""
    dwelling: UUID
    since: Moment | None = None


class ResidentChange(Taken):
    """What is to be another way; what is left out stays."""

    name: Filled | None = None
    phone: Line | None = None
    born: date | None = None
    notes: Text | None = None


class MoveIn(Taken):
    """Where somebody lives from a time on; None for now. ``with_devices``: what is fitted for them in their home now comes
    along, with its planned doses."""

    dwelling: UUID
    at: Moment | None = None
    with_devices: bool = False


class MoveOut(Taken):
    """When somebody stops to live where they do; None for now."""

    at: Moment | None = None


class DwellingItem(Schema):
    """A dwelling. ``access``: how to get in."""

    id: UUID
    zone: Named
    address: str
    postal_code: str
    city: str
    access: str
    latitude: float | None
    longitude: float | None


class DwellingPage(Schema):
    """Dwellings in order of address. ``next_cursor``: for the next page, None at the end."""

    dwellings: list[DwellingItem]
    next_cursor: str | None


class DwellingDetail(DwellingItem):
    """A dwelling with who lives there and what is fitted there now."""

    residents: list[Named]
    devices: list[FittedView]


class DwellingQuery(Paged):
    """Which dwellings. ``q``: a part of address, postal code or city; ``zone``: with what is below it."""

    q: Part = ""
    zone: UUID | None = None


class DwellingRequest(Taken):
    """A new dwelling. ``access``: how to get in; no codes."""

    zone: UUID
    address: Filled
    postal_code: Line = ""
    city: Line = ""
    access: Text = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None


class DwellingChange(Taken):
    """What is to be another way; what is left out stays."""

    zone: UUID | None = None
    address: Filled | None = None
    postal_code: Line | None = None
    city: Line | None = None
    access: Text | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
