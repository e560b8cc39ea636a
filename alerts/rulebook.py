"""The rulebook: rules, policies and the zone tree as they stand, and which rule applies to a device. Pure.

Rules
    Of each name the nearest rule applies: set for the device, its resident, its zone or one around it, else its kind.
    A watch follows: whichever rule opened it, the one that applies now judges it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property
from typing import NamedTuple

from alerts.model import Subject, Watch
from alerts.policy import StoredPolicy
from alerts.rules import Rule, nearest
from alerts.rules.compound import Compound
from alerts.rules.dose import Dose


class Hearing(NamedTuple):
    """What a type of message from some device may concern: the rules that hear it, each with what the key of its watch begins
    with where it keeps one a fitting (else nothing); and of its word (``kind/type``), whether some rule asks when a home said it
    last (``kept``), looks at the home's last words on it (``looks``), or is waiting for it at another device of the home
    (``awaited``)."""

    word: str
    rules: tuple[tuple[Rule, str], ...]
    kept: bool
    looks: bool
    awaited: bool


@dataclass(frozen=True, slots=True)
class _Applying:
    """Rules that apply to some device, in order of name; and what was found out of types of message."""

    rules: tuple[Rule, ...]
    by_type: dict[str, Hearing] = field(default_factory=dict, compare=False, repr=False)


_Key = tuple[str | int | None, ...]


class _Named(NamedTuple):
    """Whom and what rules of a kind name: for all others they say the same, but for the zone."""

    residents: frozenset[int | None]
    devices: frozenset[int | None]
    installations: frozenset[int | None]
    anybody: bool


@dataclass(frozen=True)
class Rulebook:
    """``rules`` by kind. ``ancestry``: a zone to itself and those around it, from the inside out. ``channels`` that are set
    up. ``unreadable``: ids of rules that nobody here can read."""

    rules: Mapping[str, Sequence[Rule]]
    ancestry: Mapping[int, tuple[int, ...]]
    local: tzinfo
    policies: Sequence[StoredPolicy] = ()
    channels: tuple[str, ...] = ()
    unreadable: tuple[int, ...] = ()
    _found: dict[_Key, _Applying] = field(default_factory=dict, compare=False, repr=False)
    _named: dict[str, _Named] = field(default_factory=dict, compare=False, repr=False)
    _alike: dict[tuple[str, tuple[int, ...]], _Applying] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def by_id(self) -> Mapping[int, Rule]:
        return {rule.id: rule for rules in self.rules.values() for rule in rules}

    def applying(self, kind: str, subject: Subject) -> tuple[Rule, ...]:
        """The rules that apply to a device of a kind, in order of name."""
        return self._applying(kind, subject).rules

    def hearing(self, kind: str, subject: Subject, type_: str) -> Hearing:
        """What a type of message may concern; the rules that are not among it would make nothing of it.

        A device can say what nobody has thought of, so not more than some types are remembered."""
        applying = self._applying(kind, subject)
        found = applying.by_type.get(type_)
        if found is None:
            if len(applying.by_type) > MOST_TYPES:
                applying.by_type.clear()
            found = applying.by_type[type_] = self._hearing(f"{kind}/{type_}", applying.rules, type_)
        return found

    def _hearing(self, word: str, rules: Sequence[Rule], type_: str) -> Hearing:
        hear = tuple((rule, _prefix(rule)) for rule in rules if rule.hears(type_))
        return Hearing(word, hear, word in self.asked_for, word in self.asked_on, word in self.listened_for)

    def _applying(self, kind: str, subject: Subject) -> _Applying:
        """Remembered for all devices to which no rule can make a difference; and those to which the same apply share them."""
        named = self._named.get(kind) or self._names(kind)
        key: _Key = (kind, subject.zone_id)
        if named.anybody:
            key += (
                subject.resident_id if subject.resident_id in named.residents else None,
                subject.device_id if subject.device_id in named.devices else None,
                subject.installation_id if subject.installation_id in named.installations else None,
            )
        found = self._found.get(key)
        if found is None:
            if len(self._found) > REMEMBERED:
                self._found.clear()
            rules = nearest(self.rules.get(kind, ()), kind, subject, self.ancestry.get(subject.zone_id, ()))
            found = self._alike.setdefault((kind, tuple(rule.id for rule in rules)), _Applying(rules))
            self._found[key] = found
        return found

    def _names(self, kind: str) -> _Named:
        rules = self.rules.get(kind, ())
        residents = frozenset(rule.resident_id for rule in rules)
        devices = frozenset(rule.device_id for rule in rules)
        installations = frozenset(rule.installation_id for rule in rules)
        anybody = not residents | devices | installations <= {None}
        named = self._named[kind] = _Named(residents, devices, installations, anybody)
        return named

    def following(self, watch: Watch) -> Rule | None:
        """The rule that judges a watch now; None where none of its name applies any more, or of another type."""
        opened = self.by_id.get(watch.rule_id)
        if opened is None:
            return None
        applying = self.applying(opened.kind, watch.subject)
        now = next((rule for rule in applying if rule.spec.name == opened.spec.name), None)
        if now is None or type(now.spec) is not type(opened.spec):
            return None
        its_own = isinstance(now.spec, Dose) or now.spec.watch_key(watch.subject) == watch.key
        return now if its_own else None

    @cached_property
    def in_force(self) -> Sequence[Rule]:
        """Every rule but those that were withdrawn."""
        return [rule for rule in self.by_id.values() if not rule.withdrawn]

    @cached_property
    def compounds(self) -> Sequence[tuple[str, Compound]]:
        """Every compound rule with its kind."""
        return [(rule.kind, rule.spec) for rule in self.in_force if isinstance(rule.spec, Compound)]

    @cached_property
    def asked_for(self) -> frozenset[str]:
        """The words (``kind/type``) of a home that some rule has to know of."""
        return frozenset(word for _, compound in self.compounds for word in compound.asks())

    @cached_property
    def asked_on(self) -> frozenset[str]:
        """The words at which some rule looks at what the home last said."""
        given = [(kind, compound) for kind, compound in self.compounds if compound.enabled and compound.given]
        return frozenset(f"{kind}/{type_}" for kind, compound in given for type_ in compound.on)

    @cached_property
    def listened_for(self) -> frozenset[str]:
        """The words that may end a wait of another device of the home; a rule that is off follows no watch."""
        waiting = [(kind, compound) for kind, compound in self.compounds if compound.enabled]
        return frozenset(word for kind, compound in waiting for word in compound.listens(kind))

    @cached_property
    def standing(self) -> frozenset[tuple[str, str]]:
        """Kind and key prefix of the watches that fitted devices keep all the time."""
        return frozenset(
            (rule.kind, rule.spec.watch_prefix) for rule in self.in_force if rule.spec.standing and rule.spec.enabled
        )


def _prefix(rule: Rule) -> str:
    return rule.spec.watch_prefix if rule.spec.waits and not isinstance(rule.spec, Dose) else ""


REMEMBERED = 20_000
"""Zones, and devices that rules name, for which it is remembered which rules apply."""
MOST_TYPES = 200
"""Types of message whose rules are remembered."""
