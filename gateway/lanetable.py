"""`hjemmevakt lanes`: which process has which lane, and who stands by. Two tables for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.columns import columns
from gateway.database import up_to_date
from gateway.health import Part, part_of
from gateway.store import gateways, sites
from gateway.store.db import Connection
from gateway.store.gateways import Process
from gateway.store.sites import LaneRow

NOTHING = "-"
PARTS = {
    Part.HEARS: "hears",
    Part.STANDS_BY: "stands by",
    Part.UNABLE: "takes none: no broker, or it was away",
    Part.GONE: "gone",
}


async def look(url: str) -> tuple[list[LaneRow], list[Process]]:
    """Every lane, and every process that is known. OldSchema; DatabaseGone."""

    async def both(connection: Connection) -> tuple[list[LaneRow], list[Process]]:
        return await sites.every_lane(connection), await gateways.processes(connection)

    async with up_to_date(url) as database:
        return await database.run(both)


def table(rows: Sequence[LaneRow], known: Sequence[Process], local: ZoneInfo) -> Iterator[str]:
    """Lines. Times are local; a lease is the seconds until others may take the lane."""
    processes = {each.holder: each for each in known}
    yield from columns(
        ("site", "lane", "holder", "since", "lease", "heard until"),
        (
            (
                row.name,
                row.lane,
                row.holder or NOTHING,
                _time(row.taken_at, local),
                _lease(processes.get(row.holder)) if row.holder else NOTHING,
                _time(row.heard_until, local),
            )
            for row in rows
        ),
    )
    yield ""
    yield from columns(
        ("process", "since", "lease", "lanes", ""),
        (
            (each.holder, _time(each.started_at, local), _lease(each), str(many), PARTS[part_of(each, many)])
            for each in known
            for many in (sum(row.holder == each.holder for row in rows),)
        ),
    )


def _time(at: datetime | None, local: ZoneInfo) -> str:
    return at.astimezone(local).strftime("%Y-%m-%d %H:%M:%S") if at else NOTHING


def _lease(process: Process | None) -> str:
    """Seconds that are left."""
    if process is None or process.left < timedelta(0):
        return "over"
    return f"{process.left.total_seconds():.1f} s"
