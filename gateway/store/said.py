"""What devices said, as people look at it: one by one, and counted and measured by buckets of time.

Rules
    A reader gives the stretches that they may see; nothing else is looked at. A stretch is a device in one fitting (or
    while it was fitted nowhere), perhaps only for the time in which somebody lived there alone.
    The view ``said`` is read: what devices said, and what they said of their own state. Each of both is asked by its index.
    Every query has bounds on ``received_at``: it is what the index and the chunks of TimescaleDB are ordered by. It runs
    on plain PostgreSQL and on TimescaleDB alike, so it uses nothing of either alone.

Theory
    Each stretch is looked up by itself, by the index on (device, reception): no more is read than what that device said in
    the time asked for, and for a page often less. Buckets are edges that the caller makes (days of 23 and 25 hours are its business), found by
    ``width_bucket``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from psycopg.rows import class_row

from gateway.store.db import Connection

Order = Literal["newest", "oldest"]
LARGEST = 10**15
"""Numbers beyond this, either way, are junk and measure nothing."""
_A_MOMENT = timedelta(microseconds=1)
RAW = "(SELECT r.raw FROM raw_message r WHERE r.device_id = o.device_id AND r.received_at = o.received_at AND r.id = o.id)"
"""The bytes of ``said o``; null where they are kept no longer."""
LONGEST_LAST = 8
"""Seconds that one of these queries may take, by the database's clock."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A device in a fitting (None: while it was fitted nowhere), as far as ``occurred_at`` is from ``since`` to ``until``
    (exclusive; None: no such bound). ``resident_id``: whom it tells of, where it is somebody in particular."""

    device_id: int
    installation_id: int | None
    resident_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the order of reception: behind this observation."""

    received_at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which observations: received from ``since`` until before ``until``, of these types and this class where given."""

    since: datetime
    until: datetime
    types: Collection[str] = ()
    message_class: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "from": self.since,
            "to": self.until,
            "types": sorted(self.types) or None,
            "class": self.message_class,
        }


# Whose --------------------------------------------------------------------------------------------------------------------


async def device_in(connection: Connection, uid: UUID, zones: Collection[int]) -> tuple[int, list[Stretch]] | None:
    """A device's inner id and its fittings that lie in these zones; the time in which it was fitted nowhere too, where its
    site's zone is one of them. None where there is no such device."""
    cursor = await connection.execute(
        """SELECT d.id, s.zone_id = ANY(%(zones)s) AS nowhere FROM device d JOIN site s ON s.id = d.site_id
           WHERE d.uid = %(uid)s""",
        {"uid": uid, "zones": sorted(zones)},
    )
    device = await cursor.fetchone()
    if device is None:
        return None
    stretches = connection.cursor(row_factory=class_row(Stretch))
    await stretches.execute(
        """SELECT i.device_id, i.id AS installation_id, i.resident_id
           FROM installation i JOIN dwelling w ON w.id = i.dwelling_id
           WHERE i.device_id = %s AND w.zone_id = ANY(%s) ORDER BY lower(i.during)""",
        (device["id"], sorted(zones)),
    )
    nowhere = [Stretch(device["id"], None)] if device["nowhere"] else []
    return device["id"], [*nowhere, *await stretches.fetchall()]


async def fitted_now(connection: Connection, device_id: int, now: datetime) -> int | None:
    """The fitting that a device is in."""
    row = await _fitting(connection, device_id, now)
    return int(row["id"]) if row else None


async def fitted_since(connection: Connection, device_id: int, now: datetime) -> datetime | None:
    """Since when a device has been where it is."""
    row = await _fitting(connection, device_id, now)
    return row["since"] if row else None


async def _fitting(connection: Connection, device_id: int, now: datetime) -> dict[str, Any] | None:
    cursor = await connection.execute(
        "SELECT id, lower(during) AS since FROM installation WHERE device_id = %s AND during @> %s::timestamptz",
        (device_id, now),
    )
    return await cursor.fetchone()


async def resident_in(connection: Connection, uid: UUID, zones: Collection[int]) -> tuple[int, list[Stretch]] | None:
    """A resident's inner id, and what in these zones tells of them: devices that are fitted for them, and what is fitted for
    nobody in particular while they live there alone. None for whoever neither lives in these zones nor has anything there.
    """
    found = connection.cursor(row_factory=class_row(Stretch))
    await found.execute(
        """SELECT i.device_id, i.id AS installation_id, i.resident_id, NULL::timestamptz AS since,
                  NULL::timestamptz AS until
           FROM resident t JOIN installation i ON i.resident_id = t.id JOIN dwelling w ON w.id = i.dwelling_id
           WHERE t.uid = %(uid)s AND w.zone_id = ANY(%(zones)s)
           UNION ALL
           SELECT i.device_id, i.id, t.id, lower(alone.during), upper(alone.during)
           FROM resident t JOIN residency y ON y.resident_id = t.id JOIN dwelling w ON w.id = y.dwelling_id
           JOIN installation i ON i.dwelling_id = w.id AND i.resident_id IS NULL
           CROSS JOIN LATERAL unnest(tstzmultirange(y.during * i.during) - coalesce(
               (SELECT range_agg(x.during) FROM residency x
                WHERE x.dwelling_id = y.dwelling_id AND x.resident_id <> t.id), '{}')) AS alone (during)
           WHERE t.uid = %(uid)s AND w.zone_id = ANY(%(zones)s)
           ORDER BY 1, 2, 4""",
        {"uid": uid, "zones": sorted(zones)},
    )
    stretches = await found.fetchall()
    cursor = await connection.execute(
        """SELECT t.id, EXISTS (SELECT 1 FROM residency y JOIN dwelling w ON w.id = y.dwelling_id
                                WHERE y.resident_id = t.id AND w.zone_id = ANY(%s)) AS lives_here
           FROM resident t WHERE t.uid = %s""",
        (sorted(zones), uid),
    )
    resident = await cursor.fetchone()
    if resident is None or not (stretches or resident["lives_here"]):
        return None
    return resident["id"], stretches


async def lived_alone(connection: Connection, fittings: Collection[int], since: datetime, until: datetime) -> list[int]:
    """Who lived alone, at some time between, where these fittings are that are for nobody in particular."""
    cursor = await connection.execute(
        """SELECT DISTINCT y.resident_id FROM installation i JOIN residency y ON y.dwelling_id = i.dwelling_id
           WHERE i.id = ANY(%(fittings)s) AND i.resident_id IS NULL AND NOT isempty(
               tstzmultirange(y.during * i.during * tstzrange(%(since)s, %(until)s)) - coalesce(
                   (SELECT range_agg(x.during) FROM residency x
                    WHERE x.dwelling_id = y.dwelling_id AND x.resident_id <> y.resident_id), '{}'))""",
        {"fittings": sorted(fittings), "since": since, "until": until},
    )
    return [row["resident_id"] for row in await cursor.fetchall()]


# What -------------------------------------------------------------------------------------------------------------------

_OF = """
    unnest(%(devices)s::bigint[], %(installations)s::bigint[], %(sinces)s::timestamptz[], %(untils)s::timestamptz[])
        AS s (device_id, installation_id, since, until)"""

_MATCHES = """
    o.device_id = s.device_id
    AND (o.installation_id = s.installation_id OR (s.installation_id IS NULL AND o.installation_id IS NULL))
    AND o.received_at >= %(from)s AND o.received_at < %(to)s
    AND o.occurred_at >= coalesce(s.since, '-infinity') AND o.occurred_at < coalesce(s.until, 'infinity')
    AND (%(types)s::text[] IS NULL OR o.type = ANY(%(types)s))
    AND (%(class)s::text IS NULL OR o.message_class = %(class)s)"""


async def listed(
    connection: Connection, of: Sequence[Stretch], wanted: Wanted, order: Order, after: Spot | None, limit: int
) -> list[dict[str, Any]]:
    """What was said in order of reception, from behind a spot on, with device and fitting; ``raw`` while that is kept."""
    direction, beyond = ("DESC", "<") if order == "newest" else ("ASC", ">")
    cursor = await connection.execute(
        f"""SELECT o.*, d.uid AS device_uid, d.address, i.uid AS fitting, coalesce(i.placed, '') AS placed,
                   coalesce(w.zone_id, n.zone_id) AS zone_id, {RAW} AS raw
            FROM {_OF} CROSS JOIN LATERAL (
                SELECT * FROM said o WHERE {_MATCHES}
                  AND (%(at)s::timestamptz IS NULL OR (o.received_at, o.id) {beyond} (%(at)s, %(id)s::bigint))
                ORDER BY o.received_at {direction}, o.id {direction} LIMIT %(limit)s) o
            JOIN device d ON d.id = o.device_id JOIN site n ON n.id = d.site_id
            LEFT JOIN installation i ON i.id = o.installation_id LEFT JOIN dwelling w ON w.id = i.dwelling_id
            ORDER BY o.received_at {direction}, o.id {direction} LIMIT %(limit)s""",
        {
            **stretched(of),
            **_starting(wanted, order, after).arguments,
            "at": after.received_at if after else None,
            "id": after.id if after else None,
            "limit": limit,
        },
    )
    return await cursor.fetchall()


async def counted(
    connection: Connection, of: Sequence[Stretch], wanted: Wanted, edges: Sequence[datetime], limit: int
) -> list[dict[str, Any]]:
    """How many of each type are in each bucket: the first begins at the first edge. Empty ones are left out."""
    cursor = await connection.execute(
        f"""SELECT width_bucket(o.received_at, %(edges)s::timestamptz[]) - 1 AS bucket, o.type, count(*) AS count
            FROM {_OF} JOIN said o ON {_MATCHES}
            GROUP BY 1, 2 ORDER BY 1, 2 LIMIT %(limit)s""",
        {**stretched(of), **wanted.arguments, "edges": list(edges), "limit": limit},
    )
    return await cursor.fetchall()


async def measured(
    connection: Connection, of: Sequence[Stretch], wanted: Wanted, edges: Sequence[datetime], field: str
) -> list[dict[str, Any]]:
    """Least, mean, greatest and last value of a field in each bucket, and how many there were. What is no number, or none
    that anything measures, is left out."""
    cursor = await connection.execute(
        f"""SELECT bucket, count(*) AS count, min(value) AS min, avg(value) AS avg, max(value) AS max,
                   (array_agg(value ORDER BY received_at DESC, id DESC))[1] AS last
            FROM (SELECT width_bucket(o.received_at, %(edges)s::timestamptz[]) - 1 AS bucket, o.received_at, o.id,
                         CASE WHEN jsonb_typeof(o.fields -> %(field)s::text) = 'number'
                              THEN (o.fields ->> %(field)s::text)::numeric END AS value
                  FROM {_OF} JOIN said o ON {_MATCHES}) v
            WHERE abs(value) <= %(largest)s GROUP BY bucket ORDER BY bucket""",
        {**stretched(of), **wanted.arguments, "edges": list(edges), "field": field, "largest": LARGEST},
    )
    return await cursor.fetchall()


async def limit_time(connection: Connection) -> None:
    """No query of this transaction may take longer; ``db.TooMuch`` for one that does."""
    await connection.execute(f"SET LOCAL statement_timeout = '{LONGEST_LAST}s'")


def _starting(wanted: Wanted, order: Order, after: Spot | None) -> Wanted:
    """The same, without the times that lie before the spot: no chunk of them need be opened."""
    if after is None:
        return wanted
    if order == "newest":
        until = min(wanted.until, after.received_at + _A_MOMENT)
        return Wanted(wanted.since, until, wanted.types, wanted.message_class)
    return Wanted(max(wanted.since, after.received_at), wanted.until, wanted.types, wanted.message_class)


def stretched(of: Sequence[Stretch]) -> dict[str, Any]:
    """Stretches as arguments of a query."""
    return {
        "devices": [each.device_id for each in of],
        "installations": [each.installation_id for each in of],
        "sinces": [each.since for each in of],
        "untils": [each.until for each in of],
    }
