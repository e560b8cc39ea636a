"""The rulebook: rules, policies and zones, read again when they have changed, and the defaults that come with us. With the
register it is all that the gateway remembers of the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from alerts.policy import DEFAULT_POLICIES
from alerts.rulebook import Rulebook
from alerts.rules import Rule, parse_rule
from devices.kinds import kinds
from gateway.register import Register
from gateway.store import policies, rules, versions, zones
from gateway.store.db import Connection
from gateway.store.versions import Versions


async def install_defaults(connection: Connection, now: datetime) -> int:
    """Bring the kinds' default rules and the policies that a municipality starts with into the database."""
    specs = {kind.name: [parse_rule(each) for each in kind.default_rules] for kind in kinds().values()}
    changed = await rules.set_kind_rules(connection, specs, now)
    return changed + await policies.add_missing(connection, DEFAULT_POLICIES, now)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is remembered, as a transaction found it to stand."""

    book: Rulebook
    register: Register
    versions: Versions

    async def still_stands(self, connection: Connection) -> bool:
        """Whether nothing of it has changed since."""
        return await versions.now(connection) == self.versions


class RulebookCache:
    """The rulebook and the register as they stand in the database; only what has changed is read again.

    A register that has changed is left to whoever is in the middle of using it, and another one begun: what they have read
    must not get into the new one.
    """

    def __init__(self, local: ZoneInfo, channels: tuple[str, ...]) -> None:
        self.local = local
        self._channels = channels
        self._versions = Versions((), ())
        self._book: Rulebook | None = None
        self._register = Register()

    async def read(self, connection: Connection) -> Rulebook:
        """The rulebook."""
        return (await self.standing(connection)).book

    async def standing(self, connection: Connection) -> Standing:
        """Both, as they stand now."""
        found = await versions.now(connection)
        if found.register != self._versions.register:
            self._register = Register()
        register, book = self._register, self._book
        known, self._versions = self._versions, Versions(self._versions.rulebook, found.register)
        if book is None or found.rulebook != known.rulebook:
            book = self._book = await self._load(connection)
            self._versions = Versions(found.rulebook, self._versions.register)
        return Standing(book, register, found)

    async def _load(self, connection: Connection) -> Rulebook:
        every, unreadable = await rules.all_rules(connection)
        return Rulebook(
            rules=_by_kind(every),
            ancestry=await zones.ancestry(connection),
            local=self.local,
            policies=await policies.in_force(connection),
            channels=self._channels,
            unreadable=unreadable,
        )


def _by_kind(every: list[Rule]) -> Mapping[str, list[Rule]]:
    by_kind: dict[str, list[Rule]] = {}
    for rule in every:
        by_kind.setdefault(rule.kind, []).append(rule)
    return by_kind
