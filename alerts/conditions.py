"""What alerts are about: every condition that rules come with, and those that the gateway raises itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from alerts.model import Severity, Track
from alerts.render import CONDITIONS, condition_text
from alerts.rules import parse_rule
from devices.kinds import kinds


@dataclass(frozen=True, slots=True)
class Known:
    """A condition as the rules of a kind come with it; ``kind`` None: the gateway's own."""

    condition: str
    kind: str | None
    vkp_code: str | None
    severity: Severity
    track: Track

    def text(self, language: str) -> str:
        return condition_text(self.condition, self.kind, language)


@cache
def known() -> Mapping[str, Known]:
    """By name; where several kinds raise the same, the severest."""
    rules = [(kind.name, parse_rule(data)) for kind in kinds().values() for data in kind.default_rules]
    found = [Known(rule.condition, kind, rule.vkp_code, rule.severity, rule.track) for kind, rule in rules]
    own = [Known(each, None, None, Severity.SERIOUS, Track.TECHNICAL) for each in CONDITIONS]
    ranked = sorted([*own, *found], key=lambda each: (each.kind is not None, each.severity))
    return {each.condition: each for each in ranked}
