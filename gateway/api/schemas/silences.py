"""Silences, residents who are away, and what was held back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from alerts.model import Severity, Track
from alerts.silence import Kind, Reason, State
from alerts.silence_ends import Ended
from gateway.api.schemas.base import Code, Moment, Named, Paged, PersonRef, Schema, Taken

SilenceScopeName = Literal["zone", "resident", "device"]
SilenceAct = Literal["end", "extend", "consent"]
Note = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class SilenceScope(Schema):
    """What a silence is for: a device (``text``: its address), a resident (the name) or a zone."""

    name: SilenceScopeName
    id: UUID
    text: str


class LifeView(Schema):
    """That somebody shows to be in the home of a resident who is away: how often, and the newest sign."""

    at: datetime
    text: str
    times: int


class SilenceView(Schema):
    """A silence, or (``kind``: away) a resident who is away.

    ``condition``: the only one that it holds back, None for all; ``track``: care or technical alone, None for both;
    ``severity``: the highest; ``vital``: also what it takes two to silence. ``note``: None where it is not for the reader.
    ``dwelling``: where the device is fitted. ``asked_until``: a later end that somebody else has yet to agree to.
    ``events``: how often something was held back, ``open``: how many things of it are not known to be over, ``newest_at``:
    when, last. ``may``: what the reader may do about it.
    """

    id: UUID
    kind: Kind
    state: State
    state_text: str
    scope: SilenceScope
    zone: Named
    resident: Named | None
    dwelling: str | None
    condition: str | None
    condition_text: str | None
    track: Track | None
    severity: Severity
    severity_text: str
    vital: bool
    needs_consent: bool
    reason: Reason
    reason_text: str
    note: str | None
    owner: PersonRef
    since: datetime
    until: datetime
    asked_by: PersonRef
    asked_at: datetime
    asked_until: datetime | None
    consented_by: PersonRef | None
    consented_at: datetime | None
    ended_at: datetime | None
    ended_by: PersonRef | None
    ended_why: Ended | None
    ended_text: str | None
    version: int
    events: int
    open: int
    newest_at: datetime | None
    life: LifeView | None
    may: list[SilenceAct]


class HeldView(Schema):
    """Something that was held back. ``said``: what the device said, last; ``times``: how often. ``outcome``: over, raised when
    the silence ended (``alert``), held_on by another silence, passed without having been raised; None while it goes on."""

    title: str
    condition: str
    vkp_code: str | None
    severity: Severity
    severity_text: str
    track: Track
    zone: str
    resident: Named | None
    device: Named | None
    said: str
    first_at: datetime
    newest_at: datetime
    times: int
    outcome: Literal["over", "raised", "held_on", "passed"] | None
    outcome_text: str
    settled_at: datetime | None
    alert: UUID | None


class SilenceChange(Schema):
    """Something that somebody, or time, did to a silence."""

    at: datetime
    code: str
    text: str
    by: PersonRef | None


class SilenceDetail(SilenceView):
    """A silence with what it has held back, the newest first, and what was done to it."""

    held: list[HeldView]
    changes: list[SilenceChange]


class SilencePage(Schema):
    """Silences, the newest first. ``next_cursor``: for the next page, None at the end."""

    silences: list[SilenceView]
    next_cursor: str | None


class SilenceCount(Schema):
    """How many silences there are that are not over, how many of them wait for somebody, and how often they have held
    something back since yesterday."""

    silences: int
    waiting: int
    events: int


class SilenceQuery(Paged):
    """Which silences. ``state``: those that are not over, or the history; ``zone``: with what is below it."""

    state: Literal["current", "ended"] = "current"
    zone: UUID | None = None
    device: UUID | None = None
    resident: UUID | None = None
    kind: Kind | None = None


class SilenceFor(Taken):
    """What a silence is to be for: one of these by its id."""

    zone: UUID | None = None
    resident: UUID | None = None
    device: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.zone, self.resident, self.device)) != 1:
            raise ValueError("name one of zone, resident and device")
        return self

    @property
    def named(self) -> tuple[SilenceScopeName, UUID]:
        """Which of them it is, and its id."""
        given: dict[SilenceScopeName, UUID | None] = {
            "zone": self.zone,
            "resident": self.resident,
            "device": self.device,
        }
        return next((name, uid) for name, uid in given.items() if uid is not None)


class SilenceRequest(SilenceFor):
    """A silence, or a resident who is away (``kind``: away; then only resident, reason, note, since and until count).

    ``condition``: only this one; ``track``: only this one; ``severity``: the highest that it holds back, None for what the
    condition has now; ``vital``: also what it takes two to silence. ``since``: None for now. ``until``: at most 30 days
    later, of a resident who is away 92. ``note``: what else there is to say; with the reason *other* it has to be said.
    """

    kind: Kind = Kind.SILENCE
    condition: Code | None = None
    track: Track | None = None
    severity: Severity | None = None
    vital: bool = False
    reason: Reason
    note: Note = ""
    since: Moment | None = None
    until: Moment


class SilenceLonger(Taken):
    """Another end. ``version``: of the silence that was looked at."""

    until: Moment
    version: Version


class SilenceSeen(Taken):
    """``version``: of the silence that was looked at."""

    version: Version


class SilenceChoice(Schema):
    """A condition that can be silenced. ``vital``: it takes two."""

    condition: str
    text: str
    vital: bool


class SilenceDraft(Schema):
    """What the form begins with: what can be silenced there by the reader. ``may_silence``, ``may_away``: whether they may at
    all; ``tracks``: for whom; ``longest_hours``: for how long at most, of either kind."""

    scope: SilenceScope
    zone: Named
    resident: Named | None
    dwelling: str | None
    may_silence: bool
    may_away: bool
    tracks: list[Track]
    conditions: list[SilenceChoice]
    longest_hours: int
    longest_away_hours: int
    current: list[SilenceView]
