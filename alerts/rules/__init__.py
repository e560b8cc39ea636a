"""Rules: how observations and passing time turn into a watch, and a watch into an alert.

A rule is data: pydantic, stored with a version, set for a kind and overridden for a zone, a resident or a device (the
nearest wins, by name). One file a rule type; the file's class subclasses :class:`RuleType` and is found by itself.

    wants(said)                    which of its watches the rule needs to see for something that was said
    observe(rule_id, heard, scene) something was said
    elapse(watch, moment)          a watch is due, and the site has been heard up to ``moment.heard_until``
    begin(rule_id, subject, start) the watch that a standing rule keeps for a fitting from its beginning

All answer with values (a :class:`~alerts.model.Judgement`, a watch) and touch nothing. ``elapse`` reckons anew from the
watch's ``since`` when it is due: a watch that falls due too early (the rule was changed) is moved on, nothing else.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from functools import cache, cached_property, reduce
from importlib import import_module
from operator import or_
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, TypeAdapter, model_validator

from alerts.model import Clear, Evidence, Heard, Inform, Judgement, Raise, Severity, Signal, Subject, Track, Watch
from devices.model import Observation
from devices.value import value

Scalar = str | int | float | bool
EventTypes = Annotated[tuple[str, ...], Field(min_length=1)]
OnlyIf = Mapping[str, tuple[Scalar, ...]]
"""Field to the values that count. A field that was not sent counts, too: rules fail towards the alarm."""


class Wanted(StrEnum):
    """Which of its watches a rule needs to see: none, those that something may still come of, or also settled ones."""

    NOTHING = "nothing"
    OUTSTANDING = "outstanding"
    ANY = "any"


OUTSTANDING, ANY = Wanted.OUTSTANDING, Wanted.ANY
"""By these names every message asks for them, several times: to look a member up in its enum takes ten times as long."""


@dataclass(frozen=True, slots=True)
class LastWord:
    """When a device of a home last said something of a type."""

    occurred_at: datetime
    received_at: datetime

    @property
    def rank(self) -> tuple[datetime, datetime]:
        return self.occurred_at, self.received_at


@value(frozen=True, slots=True)
class Scene:
    """What an observation is judged in: local time, the rule's own watches of the fitting, and the home's last words.

    ``home``: by ``kind/type``, of every device fitted in the dwelling; only words that some rule asks for. ``ended``: whether
    this word has ended a wait of the same rule at another device of the home.
    """

    local: tzinfo = UTC
    watches: Sequence[Watch] = ()
    home: Mapping[str, LastWord] = field(default_factory=dict)
    ended: bool = False

    @property
    def watch(self) -> Watch | None:
        """The watch of a rule that keeps one a fitting."""
        return self.watches[0] if self.watches else None


@dataclass(frozen=True, slots=True)
class Start:
    """What the watch of a standing rule begins with. ``silent_after_seconds``: the device's contract;
    ``deaf_seconds``: the site's total so far."""

    now: datetime
    local: tzinfo
    silent_after_seconds: float
    deaf_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What a due watch is judged against.

    ``heard_until``: everything the site said before it is known. ``resumed_at``: the end of the site's last deaf
    period. ``last_seen``: the device's last sign of life, ``silent_after_seconds`` its contract.
    """

    now: datetime
    heard_until: datetime
    resumed_at: datetime | None = None
    deaf_seconds: float = 0.0
    last_seen: datetime | None = None
    silent_after_seconds: float | None = None
    local: tzinfo = UTC

    @property
    def known_until(self) -> datetime:
        return min(self.now, self.heard_until)


class RuleType(BaseModel):
    """What every rule has: a name to be overridden by, and what it raises.

    ``per``: what has one open alert of this condition at a time, a fitting or a whole dwelling. ``while_away``: whether it
    raises while the resident is known to be away; None: as the rule of its name that comes with the kind has it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    condition: Annotated[str, Field(min_length=1, max_length=64)]
    vkp_code: str | None = None
    severity: Severity
    track: Track
    enabled: bool = True
    per: Literal["fitting", "dwelling"] = "fitting"
    while_away: Literal["raise", "rest"] | None = None

    NEWER: ClassVar[frozenset[str]] = frozenset({"while_away"})
    """Fields that the first release does not know (``alerts.stored``)."""
    waits: ClassVar[bool] = False
    """Whether the rule keeps watches."""

    @model_validator(mode="after")
    def _per_dwelling_is_care(self) -> Self:
        if self.per == "dwelling" and self.track is Track.TECHNICAL:
            raise ValueError("a technical rule is per fitting: one device that is well again says nothing of another")
        return self

    @property
    def standing(self) -> bool:
        """Whether the rule keeps a watch for every fitting all the time."""
        return False

    @property
    def lasting(self) -> bool:
        """Whether what it raises goes on until a device says that it is over; else it is over as soon as it has happened."""
        return False

    def wants(self, said: Observation) -> Wanted:
        """Which watches it needs to see for this; asked, as ``observe`` is, for what it hears only. Of what it looks for
        outstanding watches only, it makes nothing where there is none."""
        return Wanted.NOTHING

    def hears(self) -> frozenset[str]:
        """The types of its own kind that it may make something of, perhaps as words (``kind/type``); it is asked about no
        others."""
        raise NotImplementedError

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        """What the rule makes of something a device said."""
        raise NotImplementedError

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        """What the rule makes of a due watch."""
        raise NotImplementedError

    def begin(self, rule_id: int, subject: Subject, start: Start) -> Watch:
        """The watch of a standing rule for a fitting."""
        raise NotImplementedError

    def watch_key(self, subject: Subject) -> str:
        """The watch of a rule that keeps one a fitting."""
        return f"{self.watch_prefix}{subject.scope}"

    @cached_property
    def watch_prefix(self) -> str:
        return f"{type(self).model_fields['type'].default}:{self.name}:"

    def key(self, subject: Subject) -> str:
        """Alerts with the same key join while one is open: of the same condition and track, about the same thing."""
        scope = f"dwelling:{subject.dwelling_id}" if self.per == "dwelling" and subject.dwelling_id else subject.scope
        technical = "technical:" if self.track is Track.TECHNICAL else ""
        return f"{technical}{self.condition}:{scope}"

    def raised(self, rule_id: int, subject: Subject, evidence: Evidence, *, repeats: int = 0) -> Raise:
        """``repeats``: how often it has happened, where that calls more people at once."""
        return Raise(
            key=self.key(subject),
            condition=self.condition,
            vkp_code=self.vkp_code,
            severity=self.severity,
            track=self.track,
            subject=subject,
            evidence=evidence,
            rule_id=rule_id,
            repeats=repeats,
        )

    def over(self, subject: Subject, evidence: Evidence) -> Signal:
        """What the alert was about is over: that closes a technical one. Of a care alert a human looks, and is told."""
        if self.track is Track.TECHNICAL:
            return Clear(self.key(subject), evidence)
        return Inform(self.key(subject), "device_said", evidence, over=True, device_id=subject.device_id)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule type's data with its identity. ``scope`` ranks how near it is: 0 kind, 1 zone, 2 resident, 3 device.

    ``installation_id``: the fitting for which a device's rule was set; in another home it says nothing. ``withdrawn``: it
    applies to nothing any more; watches and alerts may still point at it.
    """

    id: int
    version: int
    kind: str
    spec: RuleType
    scope: int = 0
    zone_id: int | None = None
    resident_id: int | None = None
    device_id: int | None = None
    installation_id: int | None = None
    withdrawn: bool = False

    def hears(self, type_: str) -> bool:
        """Whether it may make something of a type that a device of its kind says."""
        heard = self.spec.hears()
        return type_ in heard or f"{self.kind}/{type_}" in heard

    def concerns(self, kind: str, subject: Subject, zones: Collection[int]) -> bool:
        """Whether this rule is set for the device: its kind, and the zone tree, resident or device where named."""
        return (
            self.kind == kind
            and not self.withdrawn
            and (self.zone_id is None or self.zone_id in zones)
            and (self.resident_id is None or self.resident_id == subject.resident_id)
            and (self.device_id is None or self.device_id == subject.device_id)
            and (self.installation_id is None or self.installation_id == subject.installation_id)
        )


def fits(said: Observation, only_if: OnlyIf) -> bool:
    """Whether each named field has one of its values, or was not sent."""
    for name, values in only_if.items():  # all(…) would take twice as long, and nearly every message comes by here
        told = said.fields.get(name)
        if told is not None and told not in values:
            return False
    return True


def word_of(said: Observation) -> str:
    """What was said, as rules of other kinds name it."""
    return f"{said.kind}/{said.type}"


@cache
def rule_types() -> Mapping[str, type[RuleType]]:
    """Every rule type by the value of its ``type`` field."""
    for entry in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{entry.name}")
    return {each.model_fields["type"].default: each for each in RuleType.__subclasses__()}


def parse_rule(data: Mapping[str, Any]) -> RuleType:
    """A rule from its stored data. ValidationError says which field is wrong."""
    return _adapter().validate_python(data)


def concerning(rules: Sequence[Rule], kind: str, subject: Subject, zones: Collection[int]) -> tuple[Rule, ...]:
    """The rules that are set for a device, the nearest of a name last; disabled ones too.

    ``zones``: the device's zone and those around it, from the inside out.
    """
    outwards = list(zones)
    concerned = [rule for rule in rules if rule.concerns(kind, subject, zones)]
    return tuple(sorted(concerned, key=lambda rule: _nearness(rule, outwards)))


def nearest(rules: Sequence[Rule], kind: str, subject: Subject, zones: Collection[int]) -> tuple[Rule, ...]:
    """The rules that apply to a device: of each name the nearest, disabled ones left out. In order of name."""
    chosen = {rule.spec.name: rule for rule in concerning(rules, kind, subject, zones)}
    return tuple(chosen[name] for name in sorted(chosen) if chosen[name].spec.enabled)


def _nearness(rule: Rule, outwards: Sequence[int]) -> tuple[int, int, int]:
    inwards = -outwards.index(rule.zone_id) if rule.zone_id is not None else 0
    return rule.scope, inwards, rule.id


@cache
def _adapter() -> TypeAdapter[RuleType]:
    every: tuple[Any, ...] = tuple(rule_types().values())
    union: Any = reduce(or_, every)
    return TypeAdapter(Annotated[union, Discriminator("type")])
