"""Sites and their lanes: who holds a lane, and until when a site has been heard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg import AsyncCursor
from psycopg.rows import DictRow, class_row

from devices.model import Lane
from gateway.store import audit
from gateway.store.audit import Changed
from gateway.store.db import Connection
from gateway.store.gateways import ALIVE, end_transactions_of_the_gone

MARK = "hjemmevakt_restore"
"""The table that says that a restore has not ended (:mod:`gateway.store.backups`)."""


class LaneLost(Exception):
    """Another gateway process holds the lane now; what this one was about to store must not be stored."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site and the zone that an alarm of nobody's goes to."""

    id: int
    name: str
    zone_id: int


@dataclass(frozen=True, slots=True)
class Hearing:
    """How far one lane has been heard, in domain time. ``deaf_seconds``: how long it was not, in all."""

    heard_until: datetime | None
    resumed_at: datetime | None
    settling_since: datetime | None
    deaf_seconds: float


@dataclass(frozen=True, slots=True)
class LaneRow:
    """Who has a lane. ``taken_at`` and ``held_for`` by the database's clock, ``heard_until`` in domain time."""

    site_id: int
    name: str
    zone_id: int
    lane: str
    epoch: int
    holder: str | None
    taken_at: datetime | None
    held_for: timedelta | None
    heard_until: datetime | None

    @property
    def key(self) -> tuple[int, Lane]:
        return self.site_id, Lane(self.lane)

    @property
    def site(self) -> Site:
        return Site(self.site_id, self.name, self.zone_id)


@dataclass(frozen=True, slots=True)
class SiteHearing:
    """How far a site has been heard on all its lanes; None while a lane never was."""

    site_id: int
    name: str
    zone_id: int
    heard_until: datetime | None
    resumed_at: datetime | None
    deaf_seconds: float


async def all_sites(connection: Connection) -> list[Site]:
    cursor = connection.cursor(row_factory=class_row(Site))
    await cursor.execute("SELECT id, name, zone_id FROM site ORDER BY name")
    return await cursor.fetchall()


async def take_lane(connection: Connection, site_id: int, lane: Lane, holder: str) -> int | None:
    """The new epoch, or None while another process holds the lane and has a lease. In the database's clock."""
    await connection.execute(
        "INSERT INTO site_lane (site_id, lane) VALUES (%s, %s) ON CONFLICT DO NOTHING", (site_id, lane)
    )
    await end_transactions_of_the_gone(connection, site_id, lane, holder)
    cursor = await connection.execute(
        f"""UPDATE site_lane l SET holder = %(holder)s, epoch = epoch + 1, taken_at = clock_timestamp()
            WHERE site_id = %(site)s AND lane = %(lane)s AND (holder IS NULL OR holder = %(holder)s OR NOT {ALIVE})
            RETURNING epoch""",
        {"holder": holder, "site": site_id, "lane": lane},
    )
    row = await cursor.fetchone()
    return row["epoch"] if row else None


async def give_lane_back(connection: Connection, site_id: int, lane: Lane, epoch: int) -> None:
    """So that another process need not wait for the lease to run out; whoever waits is told."""
    await connection.execute(
        "UPDATE site_lane SET holder = NULL, taken_at = NULL WHERE site_id = %s AND lane = %s AND epoch = %s",
        (site_id, lane, epoch),
    )
    await audit.announce(connection, Changed(lanes=True))


async def every_lane(connection: Connection) -> list[LaneRow]:
    """Both lanes of every site, also those that nobody has ever taken."""
    cursor = connection.cursor(row_factory=class_row(LaneRow))
    await cursor.execute(
        """SELECT s.id AS site_id, s.name, s.zone_id, n.lane, coalesce(l.epoch, 0) AS epoch, l.holder, l.taken_at,
                  clock_timestamp() - l.taken_at AS held_for, l.heard_until
           FROM site s CROSS JOIN unnest(%s::text[]) AS n(lane)
           LEFT JOIN site_lane l ON l.site_id = s.id AND l.lane = n.lane ORDER BY s.name, n.lane""",
        (list(Lane),),
    )
    return await cursor.fetchall()


async def fence(connection: Connection, site_id: int, lane: Lane, epoch: int) -> None:
    """Hold the epoch until the end of the transaction. LaneLost when it is another's."""
    await (await fence_asked(connection, site_id, lane, epoch)).is_held()


@dataclass(frozen=True, slots=True)
class Fence:
    """That an epoch is held was asked; in a pipeline, the answer comes with that of what is asked next."""

    lane: str
    _answer: AsyncCursor[DictRow]

    async def is_held(self) -> None:
        """LaneLost when it is another's."""
        if await self._answer.fetchone() is None:
            raise LaneLost(f"{self.lane} is another process's now")


async def fence_asked(connection: Connection, site_id: int, lane: Lane, epoch: int) -> Fence:
    """Ask to hold the epoch until the end of the transaction; whoever asks looks at the answer before anything is final.
    Nobody's is held while a restore into the database has not ended."""
    answer = await connection.execute(
        f"""SELECT 1 FROM site_lane WHERE site_id = %s AND lane = %s AND epoch = %s AND to_regclass('{MARK}') IS NULL
            FOR SHARE""",
        (site_id, lane, epoch),
    )
    return Fence(f"lane {lane} of site {site_id}", answer)


async def hearing(connection: Connection, site_id: int, lane: Lane, epoch: int) -> Hearing:
    """How far the lane has been heard; locked until the end of the transaction. LaneLost when it is another's."""
    cursor = connection.cursor(row_factory=class_row(Hearing))
    await cursor.execute(
        """SELECT heard_until, resumed_at, settling_since, deaf_seconds FROM site_lane
           WHERE site_id = %s AND lane = %s AND epoch = %s FOR UPDATE""",
        (site_id, lane, epoch),
    )
    found = await cursor.fetchone()
    if found is None:
        raise LaneLost(f"lane {lane} of site {site_id} is another process's now")
    return found


async def settle_anew(connection: Connection, site_id: int, lane: Lane, epoch: int) -> Hearing:
    """A new connection: whatever deaf period is not over yet, its settling begins again."""
    before = await hearing(connection, site_id, lane, epoch)
    after = replace(before, settling_since=None)
    await save_hearing(connection, site_id, lane, after)
    return after


async def save_hearing(connection: Connection, site_id: int, lane: Lane, heard: Hearing) -> None:
    await connection.execute(
        """UPDATE site_lane SET heard_until = %s, resumed_at = %s, settling_since = %s, deaf_seconds = %s
           WHERE site_id = %s AND lane = %s""",
        (heard.heard_until, heard.resumed_at, heard.settling_since, heard.deaf_seconds, site_id, lane),
    )


async def site_hearings(connection: Connection) -> list[SiteHearing]:
    """Every site with the least that any of its two lanes has been heard."""
    cursor = connection.cursor(row_factory=class_row(SiteHearing))
    await cursor.execute(
        """SELECT s.id AS site_id, s.name, s.zone_id,
                  CASE WHEN count(l.heard_until) = 2 THEN min(l.heard_until) END AS heard_until,
                  max(l.resumed_at) AS resumed_at, coalesce(max(l.deaf_seconds), 0) AS deaf_seconds
           FROM site s LEFT JOIN site_lane l ON l.site_id = s.id GROUP BY s.id ORDER BY s.name"""
    )
    return await cursor.fetchall()
