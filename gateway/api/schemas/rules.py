"""Rules, and what they would have raised."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.model import Severity
from gateway.api.schemas.base import Named, PersonRef, Schema

ScopeName = Literal["kind", "zone", "resident", "device"]


class RuleScope(Schema):
    """What a rule is set for. ``id`` and ``text``: of the zone, resident or device; None and empty for a whole kind."""

    name: ScopeName
    id: UUID | None
    text: str


class ScopeRequest(BaseModel):
    """What a rule is to be set for: one of these by its id; none means the whole kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: UUID | None = None
    resident: UUID | None = None
    device: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.zone, self.resident, self.device)) > 1:
            raise ValueError("name one of zone, resident and device")
        return self

    @property
    def named(self) -> tuple[ScopeName, UUID] | None:
        """Which of them it is, and its id."""
        given: dict[ScopeName, UUID | None] = {"zone": self.zone, "resident": self.resident, "device": self.device}
        return next(((name, uid) for name, uid in given.items() if uid is not None), None)


class RuleWords(Schema):
    """A rule in the reader's language: when, and what then."""

    when: str
    then: str
    off: bool


class RuleView(Schema):
    """A rule as it stands. ``spec``: its data. ``words``: None where nobody can read it. ``since``, ``by``: when it was set,
    and by whom; nobody where it came with the program. ``may_change``: whether the reader may set it anew or withdraw it."""

    id: UUID
    kind: str
    name: str
    version: int
    scope: RuleScope
    spec: dict[str, Any]
    words: RuleWords | None
    since: datetime
    by: PersonRef | None
    withdrawn: bool
    may_change: bool


class RuleVersion(Schema):
    """One version of a rule."""

    version: int
    spec: dict[str, Any]
    words: RuleWords | None
    since: datetime
    by: PersonRef | None
    withdrawn: bool


class RuleDetail(RuleView):
    """A rule with its versions, the newest first."""

    versions: list[RuleVersion]


class RuleList(Schema):
    """Rules in force that the reader may see: by kind and name, the widest first."""

    rules: list[RuleView]


class RuleType(Schema):
    """A type of rule, and the JSON Schema of its data."""

    type: str
    schema_: Annotated[dict[str, Any], Field(alias="schema")]

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class RuleRequest(BaseModel):
    """A rule to be set or previewed. ``spec``: its data, as its type's schema has it. ``version``: of the rule that is set for
    just this now, 0 where there is none; needed to set it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, Field(min_length=1, max_length=64)]
    scope: ScopeRequest
    spec: dict[str, Any]
    version: Annotated[int, Field(ge=0)] = 0


class WithdrawRequest(BaseModel):
    """``version``: of the rule that was looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=1)]


class PreviewAlert(Schema):
    """An alert as it would have been. ``times``: how often it was raised while it would have been open."""

    raised_at: datetime
    title: str
    severity: Severity
    severity_text: str
    times: int
    zone: str
    resident: Named | None
    device: Named | None


class PreviewDay(Schema):
    """How many alerts on a local day."""

    day: date
    before: int
    after: int


class PreviewMost(Schema):
    """Who or what they were most about."""

    resident: Named | None
    device: Named | None
    zone: str
    before: int
    after: int


class Preview(Schema):
    """What a rule would have raised, from ``since`` (30 days ago, or the oldest that is stored) until now, beside what the
    rules of its name as they are would have. ``observations``: how many were looked at; ``cut``: whether there were too many,
    and only the newest were. ``crashed``: rules that failed. The newest ten of each are shown."""

    kind: str
    name: str
    since: datetime
    until: datetime
    observations: int
    devices: int
    cut: bool
    before: int
    after: int
    days: list[PreviewDay]
    most: list[PreviewMost]
    newest_before: list[PreviewAlert]
    newest_after: list[PreviewAlert]
    only_before: int
    only_after: int
    newest_only_before: list[PreviewAlert]
    newest_only_after: list[PreviewAlert]
    crashed: list[str]


class ScopeOption(Schema):
    """Something that a rule can be set for. ``version``: of the rule that is set for just this, 0 where there is none."""

    scope: RuleScope
    version: int


class RuleDraft(Schema):
    """What the form to set a rule begins with: the rule that applies now, and what it can be set for, the nearest first."""

    kind: str
    name: str
    spec: dict[str, Any]
    applies: RuleScope
    chosen: RuleScope
    scopes: list[ScopeOption]
