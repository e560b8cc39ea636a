"""Whether a rule can be set: what is wrong with it, field by field, in words that say how to mend it. Pure.

Rules
    Every event it names is one that its kind says; ``kind/type`` is of a kind we know. Every field it looks at is one that
    those events have. The VKP code exists.
    A name has one type of rule for ever: what waits under it could not be judged by another.
    What is critical care by default (a fire, a fall) stays so: switching it off, or anything else that lets it raise less,
    is :func:`weakens`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from alerts.model import Severity, Track
from alerts.rules import RuleType, parse_rule, rule_types
from alerts.rules.compound import Compound
from alerts.rules.threshold import Threshold
from devices.kinds import Event, Kind, kinds
from devices.position import COORDINATES, DISTANCE, Located
from devices.vkp import ALERT_CODES, code_list

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
EVENT_FIELDS = ("on", "inform_on", "still_on", "met_by", "answered_by", "after", "enters", "leaves", "unless")
"""The fields of rules that name events."""
RAISES_ON = ("on", "enters")
"""Those of them that lead to an alert: one more raises more."""
TELLS_ONLY = frozenset({"inform_on", "vkp_code", "name", "type"})
"""Fields that make no difference to what is raised."""
SEE_TYPES = "GET /api/v1/rule-types has what each type of rule takes"


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a field. ``code``: missing, unknown, range, choice, event, field, vkp, type, name or value."""

    field: str
    code: str
    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The rule, or what is wrong with it."""

    spec: RuleType | None
    wrong: tuple[Wrong, ...] = ()


def default_of(kind: Kind, name: str) -> RuleType | None:
    """The rule of a name that comes with a kind."""
    return next((parse_rule(data) for data in kind.default_rules if data["name"] == name), None)


def check(kind: Kind, data: Mapping[str, Any], others: Iterable[RuleType] = ()) -> Checked:
    """``others``: the rules of this kind and name that are there already."""
    try:
        spec = parse_rule(data)
    except ValidationError as error:
        return Checked(None, tuple(_told(each) for each in error.errors()))
    default = default_of(kind, spec.name)
    known = [*([default] if default else []), *others]
    wrong = (*_names(spec), *_same_type(spec, known), *_events(kind, spec), *_fields(kind, spec), *_code(spec))
    return Checked(None if wrong else spec, wrong)


def weakens(kind: Kind, spec: RuleType) -> bool:
    """Whether it lets something raise less that is critical care by default, or may do so."""
    default = default_of(kind, spec.name)
    if default is None or default.track is not Track.CARE or default.severity < Severity.CRITICAL:
        return False
    ours, theirs = spec.model_dump(mode="json"), default.model_dump(mode="json")
    if type(spec) is not type(default):
        return True
    different = {name for name in theirs if ours[name] != theirs[name]} - TELLS_ONLY
    return any(name not in RAISES_ON or not set(theirs[name]) <= set(ours[name]) for name in different)


# Parts ----------------------------------------------------------------------------------------------------------------


def _told(error: Any) -> Wrong:
    parts = [str(part) for part in error["loc"]]
    field = ".".join(parts[1:] if parts and parts[0] in rule_types() else parts) or "rule"
    what, context = error["msg"], error.get("ctx", {})
    match error["type"]:
        case "missing":
            return Wrong(field, "missing", "it is missing", "give it")
        case "extra_forbidden":
            return Wrong(field, "unknown", "this type of rule has no such field", f"leave it out; {SEE_TYPES}")
        case "union_tag_invalid" | "union_tag_not_found":
            return Wrong("type", "type", "there is no such type of rule", f"one of: {', '.join(sorted(rule_types()))}")
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than":
            limit = ", ".join(f"{name} {value}" for name, value in context.items())
            return Wrong(field, "range", what, f"choose a number within the limits ({limit})")
        case "enum" | "literal_error":
            return Wrong(field, "choice", what, f"one of: {context.get('expected', '')}")
        case "too_short" | "string_too_short":
            return Wrong(field, "missing", "nothing is named here", "name at least one")
        case _:
            return Wrong(field, "value", what, SEE_TYPES)


def _names(spec: RuleType) -> Iterable[Wrong]:
    for field, value in (("name", spec.name), ("condition", spec.condition)):
        if not NAME.fullmatch(value):
            yield Wrong(field, "name", f"{value!r} is no name", "small letters, digits and _, as in door_at_night")


def _same_type(spec: RuleType, known: Sequence[RuleType]) -> Iterable[Wrong]:
    other = next((each for each in known if type(each) is not type(spec)), None)
    if other is not None:
        there, here = _type(other), _type(spec)
        yield Wrong(
            "type", "type", f"{spec.name} is of type {there}, not {here}", f"make it {there}, or choose a new name"
        )


def _events(kind: Kind, spec: RuleType) -> Iterable[Wrong]:
    for field in EVENT_FIELDS:
        for name in getattr(spec, field, ()):
            if "/" in name:
                yield from _word(field, name)
            elif name not in kind.events:
                yield Wrong(
                    field, "event", f"a {kind.name} says no {name!r}", f"one of: {', '.join(sorted(kind.events))}"
                )
    if isinstance(spec, Compound):
        for number, given in enumerate(spec.given):
            for field, words in (("of", given.of), ("is_one_of", given.is_one_of)):
                for word in words:
                    yield from _word(f"given.{number}.{field}", word)
            for word in set(given.is_one_of) - set(given.of):
                yield Wrong(f"given.{number}.is_one_of", "event", f"{word!r} is not among 'of'", "add it there, too")


def _word(field: str, word: str) -> Iterable[Wrong]:
    name, _, event = word.partition("/")
    known = kinds().get(name)
    if known is None:
        return  # the word of a kind that another release knows: nothing says it, and nothing is broken
    if event not in known.events:
        yield Wrong(field, "event", f"a {name} says no {event!r}", f"one of: {', '.join(sorted(known.events))}")


def _fields(kind: Kind, spec: RuleType) -> Iterable[Wrong]:
    looked_at = [*getattr(spec, "only_if", {}), *getattr(spec, "except_if", {})]
    events = [each for name in (*RAISES_ON, "leaves") for each in getattr(spec, name, ())]
    if isinstance(spec, Threshold):
        looked_at.append(spec.field)
    known = {name for each in events if each in kind.events for name in _seen_by_rules(kind.events[each])}
    for name in looked_at:
        if name not in known:
            where = "field" if isinstance(spec, Threshold) and name == spec.field else _condition(spec, name)
            has = ", ".join(sorted(known)) or "none"
            yield Wrong(where, "field", f"these events have no field {name!r}", f"they have: {has}")


def _condition(spec: RuleType, name: str) -> str:
    return f"only_if.{name}" if name in getattr(spec, "only_if", {}) else f"except_if.{name}"


def _seen_by_rules(event: type[Event]) -> frozenset[str]:
    """The fields of an event as rules see them: where it was is set apart, and only how far from home is told."""
    located = frozenset({DISTANCE}) if issubclass(event, Located) else frozenset()
    return frozenset(event.model_fields) - COORDINATES | located


def _code(spec: RuleType) -> Iterable[Wrong]:
    if spec.vkp_code is not None and spec.vkp_code not in code_list(ALERT_CODES):
        mend = "a code of the national list, as 4.15, or none"
        yield Wrong("vkp_code", "vkp", f"{spec.vkp_code!r} is no VKP alert code", mend)


def _type(spec: RuleType) -> str:
    return str(type(spec).model_fields["type"].default)
