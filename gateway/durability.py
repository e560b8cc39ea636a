"""Whether the database keeps what it says that it has stored: looked at when a gateway starts, and every few minutes.

    settings of the server ──▶ verdict (pure) ──▶ the log and /health; one technical alert, which goes when it is mended

Theory
    A receipt is our word that a message outlives a power cut, and it follows from a COMMIT. That is worth no more than two
    settings of the server, which no client can change, and which a reload takes away while we are connected. The third,
    ``synchronous_commit``, our connections put right themselves (``gateway/store/db.py``); whether they could is looked at, too.
    What no server knows is whether the disk keeps what it says that it has written.

    A gateway over such a database works all the same: an alarm that may be lost is better than one that is not taken at all. In the
    environment ``test`` databases are fast and not durable on purpose: it is said, and nobody is called for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import structlog

from alerts.model import Clear, Evidence, Raise, Severity, Signal, Subject, Track
from gateway.clock import Clock, pause
from gateway.engine import act
from gateway.rulebook import RulebookCache
from gateway.store import alerts as alert_store
from gateway.store import audit, sites
from gateway.store.db import Connection, Database
from gateway.store.durability import Setup, setup
from gateway.store.sites import Site

log = structlog.get_logger()

LOSES = "database_loses"
LOOK_EVERY = 300.0
"""Seconds."""


class _Words(NamedTuple):
    words: str
    mend: str


_RELOAD = "then SELECT pg_reload_conf(), and look whether the server's command line says otherwise"
WORDS: Mapping[str, _Words] = {
    "fsync": _Words(
        words="fsync is off: when the database's machine fails, what was receipted is lost, and perhaps the whole database",
        mend=f"ALTER SYSTEM SET fsync = on, {_RELOAD}; then `sync` on its machine, and a backup",
    ),
    "full_page_writes": _Words(
        words="full_page_writes is off: a page that is half written when the database's machine fails cannot be mended",
        mend=f"ALTER SYSTEM SET full_page_writes = on, {_RELOAD}",
    ),
    "synchronous_commit": _Words(
        words="synchronous_commit is off although we have set it: when the database fails, what was receipted last is lost",
        mend="something between us and the server takes back what a session sets: connect to the server itself",
    ),
}
"""Every finding there is, the worst first."""


def verdict(found: Setup) -> tuple[str, ...]:
    """What is not as it should be: codes of :data:`WORDS`. All but ``off`` writes to our own disk before it answers."""
    return tuple(code for code in WORDS if getattr(found, code) == "off")


def told(findings: Sequence[str]) -> list[str]:
    """Each in words, with how to mend it."""
    return [f"{WORDS[each].words}; {WORDS[each].mend}" for each in findings]


@dataclass
class DurabilityWatch:
    """Looks, and tells what has changed. ``on_purpose``: nobody is called for what is found."""

    database: Database
    clock: Clock
    cache: RulebookCache
    on_purpose: bool
    _known: tuple[str, ...] | None = field(default=None, init=False)
    _told: tuple[str, ...] | None = field(default=None, init=False)

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.look()
            await pause(LOOK_EVERY)

    async def look(self) -> None:
        """Once. What this process has told it does not tell again: somebody may have closed the alert, and knows."""
        found = await self.database.read(setup)
        findings = verdict(found)
        if findings != self._known:
            _log(found, findings)
            self._known = findings
        if findings != self._told and not self.on_purpose:
            self._told = findings if await self.database.run(lambda each: self._tell(each, findings)) else None

    async def _tell(self, connection: Connection, findings: Sequence[str]) -> bool:
        """Whether there is a site whose people can be told."""
        now, known = self.clock.now(), await sites.all_sites(connection)
        standing = await alert_store.lock_open(connection, [_key(each) for each in known])
        signals = _signals(known, standing, findings, now)
        if signals:
            await audit.announce(connection, await act(connection, signals, now, await self.cache.read(connection)))
        return bool(known)


def _signals(known: Sequence[Site], standing: Collection[str], findings: Sequence[str], now: datetime) -> list[Signal]:
    """Raised at the first site, unless it stands at any; cleared wherever it stands."""
    if not findings:
        return [Clear(key, Evidence("database_keeps", now, now)) for key in standing]
    evidence = Evidence("database_looked_at", now, now, {"database": findings[0], "remedy": "durable_database"})
    return [
        Raise(_key(site), LOSES, None, Severity.SERIOUS, Track.TECHNICAL, Subject(site.id, site.zone_id), evidence)
        for site in known[:1]
        if not standing
    ]


def _key(site: Site) -> str:
    return f"{LOSES}:site:{site.id}"


def _log(found: Setup, findings: Sequence[str]) -> None:
    log.info("database.looked_at", **found._asdict())
    for each in findings:
        log.warning("database.not_durable", finding=each, what=WORDS[each].words, mend=WORDS[each].mend)
