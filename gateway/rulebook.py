"""The rulebook: rules, policies and zones, read again when they have changed, and the defaults that come with us."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from alerts.policy import DEFAULT_POLICIES
from alerts.rulebook import Rulebook
from alerts.rules import Rule, parse_rule
from devices.kinds import kinds
from gateway.store import rules, zones
from gateway.store.db import Connection


async def install_defaults(connection: Connection, now: datetime) -> int:
    """Bring the kinds' default rules and the policies that a municipality starts with into the database."""
    specs = {kind.name: [parse_rule(each) for each in kind.default_rules] for kind in kinds().values()}
    changed = await rules.set_kind_rules(connection, specs, now)
    return changed + await rules.add_missing_policies(connection, DEFAULT_POLICIES, now)


class RulebookCache:
    """The rulebook as it stands in the database; only what has changed is read again."""

    def __init__(self, local: ZoneInfo, channels: tuple[str, ...]) -> None:
        self.local = local
        self._channels = channels
        self._version: tuple[int, ...] | None = None
        self._book: Rulebook | None = None

    async def read(self, connection: Connection) -> Rulebook:
        version = await rules.rulebook_version(connection)
        if self._book is None or version != self._version:
            self._book = await self._load(connection)
            self._version = version
        return self._book

    async def _load(self, connection: Connection) -> Rulebook:
        every, unreadable = await rules.all_rules(connection)
        return Rulebook(
            rules=_by_kind(every),
            ancestry=await zones.ancestry(connection),
            local=self.local,
            policies=await rules.all_policies(connection),
            channels=self._channels,
            unreadable=unreadable,
        )


def _by_kind(every: list[Rule]) -> Mapping[str, list[Rule]]:
    by_kind: dict[str, list[Rule]] = {}
    for rule in every:
        by_kind.setdefault(rule.kind, []).append(rule)
    return by_kind
