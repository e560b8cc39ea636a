"""When the broker is tried, and what is done with what was found.

    a lane's new connection → a moment's rest → probe → verdict → noted, raised or cleared

Once at start and once whenever we had to connect again, in the background and by one process: the one that holds the
alarm lane of the first site. What was found is in the audit, so every process shows it in /health, and the next check knows
which witness the broker was left with. What would be lost is one technical alert, which a better check clears.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from alerts.model import Clear, Evidence, Raise, Severity, Signal, Subject, Track
from gateway.broker import check
from gateway.broker.check import Finding, Result, Witness
from gateway.broker.probe import NotTried, Place, probe
from gateway.clock import Clock, monotonic, pause
from gateway.engine import act
from gateway.mqtt import BrokerSettings
from gateway.rulebook import RulebookCache
from gateway.store import alerts as alert_store
from gateway.store import audit, broker, sites
from gateway.store.broker import Checked
from gateway.store.db import Connection, Database
from gateway.store.sites import Site

log = structlog.get_logger()

LOSES = "broker_loses"
LOOK_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds. ``rest``: how long a connection has stood before the broker is tried: what waited comes first.
    ``between``: two checks, however often the connection is lost."""

    rest: float = 10.0
    between: float = 300.0


@dataclass
class BrokerWatch:
    """Tries the broker when there is reason to. ``connection``: names the present connection of a site's alarm lane in this
    process, None while it has none."""

    database: Database
    clock: Clock
    cache: RulebookCache
    settings: BrokerSettings
    connection: Callable[[Site], int | None]
    pace: Pace = field(default_factory=Pace)

    async def run(self) -> None:
        """For ever; a check that fails is told and made again later."""
        tried: int | None = None
        met: tuple[int, float] | None = None
        last = -self.pace.between
        while True:
            await pause(LOOK_EVERY)
            site = await self.database.read(first_site)
            now, current = monotonic(), self.connection(site) if site is not None else None
            if site is None or current is None or current == tried:
                continue
            if met is None or met[0] != current:
                met = (current, now)
            if now - met[1] >= self.pace.rest and now - last >= self.pace.between:
                last = now
                tried = current if await self._try(site) else tried

    async def _try(self, site: Site) -> bool:
        """Whether it could be tried."""
        try:
            await check_broker(self.database, self.clock, self.cache, Place(self.settings, site.name), site)
        except NotTried as error:
            log.warning("broker.not_checked", why=str(error))
            return False
        return True


async def first_site(connection: Connection) -> Site | None:
    """The one below whose topics the broker is tried."""
    return next(iter(await sites.all_sites(connection)), None)


async def check_broker(
    database: Database, clock: Clock, cache: RulebookCache, place: Place, site: Site, messages: int = check.MESSAGES
) -> Result:
    """Try the broker, and note what was found: in the log, in the audit, as an alert. NotTried when it cannot be done."""
    last = await database.read(lambda each: broker.last_checked(each, site.id))
    found = await probe(place, clock, messages)
    now = clock.now()
    known = _witness_of(last, place.broker)
    result = Result(now, found, known, check.verdict(found, known))

    async def note(connection: Connection) -> None:
        await broker.note_checked(connection, site.id, Checked(now, _as_noted(result, place.broker)))
        signal = await _signal(connection, site, result, _findings_of(last))
        if signal is not None:
            await audit.announce(connection, await act(connection, (signal,), now, await cache.read(connection)))

    await database.run(note)
    _tell(result)
    return result


def _as_noted(result: Result, where: BrokerSettings) -> dict[str, Any]:
    left = result.found.left
    return {
        "broker": f"{where.host}:{where.port}",
        "findings": [{"code": each.code, "about": dict(each.about)} for each in result.findings],
        "witness": {"name": left.name, "since": left.since.isoformat()} if left else None,
        "release": result.found.release,
        "kept_over_a_restart": check.kept_over_a_restart(result.found, result.known, result.at),
    }


def _witness_of(last: Checked | None, where: BrokerSettings) -> Witness | None:
    """What this broker was left with; None where that is not known, or was another broker."""
    told = last.params.get("witness") if last and last.params.get("broker") == f"{where.host}:{where.port}" else None
    return Witness(told["name"], datetime.fromisoformat(told["since"])) if told else None


async def broker_findings(connection: Connection) -> tuple[Finding, ...]:
    """What was not as it should be when the broker was last tried, by whichever process."""
    site = await first_site(connection)
    return _findings_of(await broker.last_checked(connection, site.id)) if site is not None else ()


def _findings_of(checked: Checked | None) -> tuple[Finding, ...]:
    """What an earlier version called otherwise is left out."""
    told = checked.params["findings"] if checked else []
    return tuple(Finding(each["code"], each["about"]) for each in told if each["code"] in check.WORDS)


async def _signal(connection: Connection, site: Site, result: Result, before: Sequence[Finding]) -> Signal | None:
    """Raised when something would be lost that was not known, cleared when nothing would be."""
    key, losing = f"{LOSES}:site:{site.id}", [each for each in result.findings if each.loses]
    standing = key in await alert_store.lock_open(connection, [key])
    if not losing:
        return Clear(key, Evidence("broker_keeps", result.at, result.at)) if standing else None
    if standing and {each.code for each in losing} <= {each.code for each in before}:
        return None
    evidence = Evidence("broker_tried", result.at, result.at, {"broker": losing[0].code, "remedy": "broker_check"})
    subject = Subject(site.id, site.zone_id)
    return Raise(key, LOSES, None, Severity.SERIOUS, Track.TECHNICAL, subject, evidence)


def _tell(result: Result) -> None:
    told = {"release": result.found.release, "sent": result.found.sent, "came": result.found.came}
    for each in result.findings:
        log.warning("broker.finding", finding=each.code, what=each.words, mend=each.mend, loses=each.loses)
    unknown = check.unknown(result.found, result.known, result.at)
    log.info("broker.checked", **told, findings=[each.code for each in result.findings], unknown=unknown)
