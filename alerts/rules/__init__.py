"""Rules: how observations and passing time turn into a watch, and a watch into an alert.

A rule is data: pydantic, stored with a version, set for a kind and overridden for a zone, a resident or a device (the
nearest wins, by name). One file a rule type; the file's class subclasses :class:`RuleType` and is found by itself.

    observe(heard, watches)       something was said; ``watches`` are the rule's own for that device
    elapse(watch, moment)         a watch is due, and the site has been heard up to ``moment.heard_until``

Both answer with a :class:`~alerts.model.Judgement` and touch nothing.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, reduce
from importlib import import_module
from operator import or_
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, TypeAdapter

from alerts.model import Evidence, Heard, Judgement, Raise, Severity, Subject, Track, Watch


class RuleType(BaseModel):
    """What every rule has: a name to be overridden by, and what it raises."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    condition: Annotated[str, Field(min_length=1, max_length=64)]
    vkp_code: str | None = None
    severity: Severity
    track: Track
    enabled: bool = True

    waits: ClassVar[bool] = False
    """Whether the rule keeps watches."""

    def observe(self, rule_id: int, heard: Heard, watches: Sequence[Watch]) -> Judgement:
        """What the rule makes of something a device said."""
        raise NotImplementedError

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        """What the rule makes of a due watch."""
        raise NotImplementedError

    def key(self, subject: Subject) -> str:
        """Alerts with the same key join while one is open."""
        return f"{self.condition}:{subject.scope}"

    def raised(self, rule_id: int, subject: Subject, evidence: Evidence) -> Raise:
        return Raise(
            key=self.key(subject),
            condition=self.condition,
            vkp_code=self.vkp_code,
            severity=self.severity,
            track=self.track,
            subject=subject,
            evidence=evidence,
            rule_id=rule_id,
        )


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


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule type's data with its identity. ``scope`` ranks how near it is: 0 kind, 1 zone, 2 resident, 3 device."""

    id: int
    version: int
    kind: str
    spec: RuleType
    scope: int = 0
    zone_id: int | None = None
    resident_id: int | None = None
    device_id: int | None = None

    def concerns(self, kind: str, subject: Subject, zones: Collection[int]) -> bool:
        """Whether this rule is set for the device: its kind, and the zone tree, resident or device where named."""
        return (
            self.kind == kind
            and (self.zone_id is None or self.zone_id in zones)
            and (self.resident_id is None or self.resident_id == subject.resident_id)
            and (self.device_id is None or self.device_id == subject.device_id)
        )


@cache
def rule_types() -> Mapping[str, type[RuleType]]:
    """Every rule type by the value of its ``type`` field."""
    for entry in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{entry.name}")
    return {each.model_fields["type"].default: each for each in RuleType.__subclasses__()}


def parse_rule(data: Mapping[str, Any]) -> RuleType:
    """A rule from its stored data. ValidationError says which field is wrong."""
    return _adapter().validate_python(data)


def nearest(rules: Sequence[Rule], kind: str, subject: Subject, zones: Collection[int]) -> tuple[Rule, ...]:
    """The rules that apply to a device: of each name the nearest, disabled ones left out. In order of name.

    ``zones``: the device's zone and those around it, from the inside out.
    """
    outwards = list(zones)
    concerned = [rule for rule in rules if rule.concerns(kind, subject, zones)]
    chosen = {rule.spec.name: rule for rule in sorted(concerned, key=lambda rule: _nearness(rule, subject, outwards))}
    return tuple(chosen[name] for name in sorted(chosen) if chosen[name].spec.enabled)


def _nearness(rule: Rule, subject: Subject, outwards: Sequence[int]) -> tuple[int, bool, int, int]:
    inwards = -outwards.index(rule.zone_id) if rule.zone_id is not None else 0
    return rule.scope, rule.zone_id == subject.zone_id, inwards, rule.id


@cache
def _adapter() -> TypeAdapter[RuleType]:
    every: tuple[Any, ...] = tuple(rule_types().values())
    union: Any = reduce(or_, every)
    return TypeAdapter(Annotated[union, Discriminator("type")])
