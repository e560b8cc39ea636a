"""Devices, their fittings and their state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from alerts.model import Subject
from devices.model import DeviceAddress
from gateway.store.columns import bigints, jsons, texts, times, truths
from gateway.store.db import Connection, json_bytes, new_uid

LIVES_ALONE = """LEFT JOIN LATERAL (
               SELECT min(y.resident_id) AS resident_id FROM residency y
               WHERE y.dwelling_id = i.dwelling_id AND y.during @> {at} HAVING count(*) = 1) alone ON true"""
"""Who is meant by a device that is fitted for nobody in particular: whoever lives alone there at a time."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device as ingest knows it: what it is, and what it tells of from ``since`` until before ``until`` (None: no such
    bound), a time in which neither its fitting nor who lives there changes."""

    id: int
    ecosystem: str
    address: str
    kind: str
    registered: bool
    subject: Subject
    since: datetime | None
    until: datetime | None

    def tells_of(self, at: datetime) -> bool:
        """Whether ``subject`` is what it tells of at a time."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


class Sign(NamedTuple):
    """A device's newest sign of life in a batch, if there is one, and what the batch says of the device's state."""

    device_id: int
    seen_at: datetime | None
    said_at: datetime
    online: bool | None
    fields: Mapping[str, Any]


async def known(
    connection: Connection, site_id: int, addresses: Collection[DeviceAddress], now: datetime
) -> list[Device]:
    """The site's devices among these addresses, as they are fitted now."""
    cursor = await connection.execute(
        f"""SELECT d.id, d.ecosystem, d.address, d.kind, d.registered, d.site_id, coalesce(w.zone_id, s.zone_id) AS zone_id,
                   i.id AS installation_id, i.dwelling_id,
                   coalesce(i.resident_id, alone.resident_id) AS resident_id, stretch.since, stretch.until
            FROM unnest(%(ecosystems)b::text[], %(addresses)b::text[]) AS a (ecosystem, address)
            JOIN device d ON d.site_id = %(site)s AND d.ecosystem = a.ecosystem AND d.address = a.address
            JOIN site s ON s.id = d.site_id
            LEFT JOIN installation i ON i.device_id = d.id AND i.during @> %(now)s
            LEFT JOIN dwelling w ON w.id = i.dwelling_id
            {LIVES_ALONE.format(at="%(now)s")}
            CROSS JOIN LATERAL (
                SELECT max(edge) FILTER (WHERE edge <= %(now)s) AS since, min(edge) FILTER (WHERE edge > %(now)s) AS until
                FROM (SELECT during FROM installation WHERE device_id = d.id
                      UNION ALL SELECT during FROM residency WHERE dwelling_id = i.dwelling_id) p,
                     LATERAL (VALUES (lower(p.during)), (upper(p.during))) AS e (edge)) stretch""",
        {
            "ecosystems": texts([each.ecosystem for each in addresses]),
            "addresses": texts([each.address for each in addresses]),
            "site": site_id,
            "now": now,
        },
    )
    return [_device(row) for row in await cursor.fetchall()]


def _device(row: Mapping[str, Any]) -> Device:
    own = (row["id"], intern(row["ecosystem"]), row["address"], intern(row["kind"]), row["registered"])
    subject = Subject(row["site_id"], row["zone_id"], row["id"], *(row[name] for name in _FITTED))
    return Device(*own, subject, row["since"], row["until"])


_FITTED = ("installation_id", "dwelling_id", "resident_id")


async def add_unregistered(connection: Connection, site_id: int, kinds: Mapping[DeviceAddress, str]) -> None:
    """Devices that nobody registered but that speak: kept, and shown as such."""
    ordered = sorted(kinds, key=str)
    await connection.execute(
        """INSERT INTO device (uid, site_id, ecosystem, address, kind, registered)
           SELECT uid, %s, ecosystem, address, kind, false
           FROM unnest(%s::uuid[], %b::text[], %b::text[], %b::text[]) AS a (uid, ecosystem, address, kind)
           ON CONFLICT DO NOTHING""",
        (
            site_id,
            [new_uid() for _ in ordered],
            [each.ecosystem for each in ordered],
            [each.address for each in ordered],
            [kinds[each] for each in ordered],
        ),
    )


async def subjects_at(connection: Connection, moments: Sequence[tuple[int, datetime]]) -> list[Subject]:
    """For each (device, time) what the device was fitted to at that time; its site's zone where it was nowhere.

    A device that is fitted for nobody in particular is whoever's lives alone there.
    """
    cursor = connection.cursor(row_factory=class_row(Subject))
    await cursor.execute(
        f"""SELECT d.site_id, coalesce(w.zone_id, s.zone_id) AS zone_id, d.id AS device_id,
                  i.id AS installation_id, i.dwelling_id, coalesce(i.resident_id, alone.resident_id) AS resident_id
           FROM unnest(%b::bigint[], %b::timestamptz[]) WITH ORDINALITY AS m (device_id, at, position)
           JOIN device d ON d.id = m.device_id
           JOIN site s ON s.id = d.site_id
           LEFT JOIN installation i ON i.device_id = d.id AND i.during @> m.at
           LEFT JOIN dwelling w ON w.id = i.dwelling_id
           {LIVES_ALONE.format(at="m.at")}
           ORDER BY m.position""",
        (bigints([device for device, _ in moments]), times([at for _, at in moments])),
    )
    return await cursor.fetchall()


async def save_signs(connection: Connection, signs: Sequence[Sign]) -> None:
    """Move last signs of life on, never back; state folds by the device's own time."""
    ordered = sorted(signs, key=lambda sign: sign.device_id)
    await connection.execute(
        """INSERT INTO device_state AS s (device_id, last_seen, last_said_at, online, fields)
           SELECT device_id, last_seen, last_said_at, online, fields::jsonb
           FROM unnest(%b::bigint[], %b::timestamptz[], %b::timestamptz[], %b::boolean[], %b::text[])
                AS u (device_id, last_seen, last_said_at, online, fields)
           ON CONFLICT (device_id) DO UPDATE SET
               last_seen = greatest(s.last_seen, excluded.last_seen),
               last_said_at = greatest(s.last_said_at, excluded.last_said_at),
               online = CASE WHEN excluded.last_said_at >= s.last_said_at
                             THEN coalesce(excluded.online, s.online) ELSE s.online END,
               fields = CASE WHEN excluded.fields = '{}' THEN s.fields
                             WHEN excluded.last_said_at >= s.last_said_at
                             THEN s.fields || excluded.fields ELSE excluded.fields || s.fields END""",
        (
            bigints([sign.device_id for sign in ordered]),
            times([sign.seen_at for sign in ordered]),
            times([sign.said_at for sign in ordered]),
            truths([sign.online for sign in ordered]),
            jsons([json_bytes(sign.fields) if sign.fields else b"{}" for sign in ordered]),
        ),
    )


class PartWord(NamedTuple):
    """What a device last said of one of its parts: a lock of its bolt, or of its door."""

    device_id: int
    part: str
    type: str
    occurred_at: datetime
    received_at: datetime


async def save_parts(connection: Connection, said: Sequence[PartWord]) -> None:
    """Keep the newest word of each part, by the device's own time; what comes late changes nothing newer."""
    newest = {(each.device_id, each.part): each for each in sorted(said, key=lambda each: each.occurred_at)}
    ordered = [newest[key] for key in sorted(newest)]
    await connection.execute(
        """INSERT INTO device_part AS p (device_id, part, type, occurred_at, received_at)
           SELECT * FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::timestamptz[], %b::timestamptz[])
           ON CONFLICT (device_id, part) DO UPDATE
           SET type = excluded.type, occurred_at = excluded.occurred_at, received_at = excluded.received_at
           WHERE excluded.occurred_at >= p.occurred_at""",
        (
            bigints([each.device_id for each in ordered]),
            texts([each.part for each in ordered]),
            texts([each.type for each in ordered]),
            times([each.occurred_at for each in ordered]),
            times([each.received_at for each in ordered]),
        ),
    )


async def parts(connection: Connection, device_ids: Sequence[int]) -> list[PartWord]:
    """The last word of each part of these devices."""
    cursor = connection.cursor(row_factory=class_row(PartWord))
    await cursor.execute(
        """SELECT device_id, part, type, occurred_at, received_at FROM device_part WHERE device_id = ANY(%s)
           ORDER BY device_id, part""",
        (list(device_ids),),
    )
    return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Fitted:
    """A device that is fitted in a dwelling now."""

    id: int
    uid: UUID
    site: str
    ecosystem: str
    address: str
    kind: str
    placed: str
    online: bool | None
    subject: Subject


async def fitted_in(connection: Connection, dwelling_id: int, kinds: Sequence[str], now: datetime) -> list[Fitted]:
    """The devices of these kinds that are fitted in a dwelling, in order."""
    cursor = await connection.execute(
        """SELECT d.id, d.uid, s.name AS site, d.ecosystem, d.address, d.kind, i.placed, t.online, d.site_id,
                  w.zone_id, d.id AS device_id, i.id AS installation_id, i.dwelling_id, i.resident_id
           FROM installation i JOIN device d ON d.id = i.device_id JOIN site s ON s.id = d.site_id
           JOIN dwelling w ON w.id = i.dwelling_id LEFT JOIN device_state t ON t.device_id = d.id
           WHERE i.dwelling_id = %s AND i.during @> %s::timestamptz AND d.kind = ANY(%s) ORDER BY i.placed, d.id""",
        (dwelling_id, now, list(kinds)),
    )
    own = ("id", "uid", "site", "ecosystem", "address", "kind", "placed", "online")
    return [
        Fitted(**{name: row[name] for name in own}, subject=Subject(*(row[name] for name in _SUBJECT)))
        for row in await cursor.fetchall()
    ]


async def last_seen(connection: Connection, device_ids: Sequence[int]) -> dict[int, datetime]:
    cursor = await connection.execute(
        "SELECT device_id, last_seen FROM device_state WHERE device_id = ANY(%s) AND last_seen IS NOT NULL",
        (list(device_ids),),
    )
    return {row["device_id"]: row["last_seen"] for row in await cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Contract:
    """What is expected of a device: its kind, and its own limit of silence in seconds where it has one."""

    device_id: int
    kind: str
    silent_after_seconds: int | None


async def contracts(connection: Connection, device_ids: Sequence[int]) -> dict[int, Contract]:
    cursor = connection.cursor(row_factory=class_row(Contract))
    await cursor.execute(
        "SELECT id AS device_id, kind, silent_after_seconds FROM device WHERE id = ANY(%s)", (list(device_ids),)
    )
    return {each.device_id: each for each in await cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Fitting:
    """A device that is fitted, with its kind, its own limit of silence where it has one, and the prefix of the keys of the
    standing watches that it lacks."""

    subject: Subject
    kind: str
    silent_after_seconds: int | None
    lacks: str


async def unwatched(
    connection: Connection, standing: Collection[tuple[str, str]], now: datetime, after: tuple[int, str], limit: int
) -> list[Fitting]:
    """Fitted devices that lack a standing watch of their kind, in order of id and prefix, from beyond such a pair on.
    ``standing``: (kind, prefix of the watch's key)."""
    cursor = await connection.execute(
        f"""WITH i AS MATERIALIZED (
               SELECT d.site_id, w.zone_id, d.id AS device_id, i.id AS installation_id, i.dwelling_id, i.resident_id, d.kind,
                      d.silent_after_seconds, s.prefix
               FROM installation i JOIN device d ON d.id = i.device_id JOIN dwelling w ON w.id = i.dwelling_id
               JOIN unnest(%(kinds)s::text[], %(prefixes)s::text[]) AS s (kind, prefix) ON s.kind = d.kind
               WHERE i.during @> %(now)s AND (d.id, s.prefix) > (%(device)s, %(prefix)s)
                 AND NOT EXISTS (SELECT 1 FROM watch x
                                 WHERE x.key = s.prefix || 'installation:' || i.id AND x.due_at IS NOT NULL)
               ORDER BY d.id, s.prefix LIMIT %(limit)s)
           SELECT i.site_id, i.zone_id, i.device_id, i.installation_id, i.dwelling_id,
                  coalesce(i.resident_id, alone.resident_id) AS resident_id, i.kind, i.silent_after_seconds, i.prefix
           FROM i {LIVES_ALONE.format(at="%(now)s")} ORDER BY i.device_id, i.prefix""",
        {
            "kinds": [kind for kind, _ in standing],
            "prefixes": [prefix for _, prefix in standing],
            "now": now,
            "device": after[0],
            "prefix": after[1],
            "limit": limit,
        },
    )
    return [
        Fitting(Subject(*(row[name] for name in _SUBJECT)), row["kind"], row["silent_after_seconds"], row["prefix"])
        for row in await cursor.fetchall()
    ]


_SUBJECT = ("site_id", "zone_id", "device_id", "installation_id", "dwelling_id", "resident_id")


async def take_down(connection: Connection, device_id: int, at: datetime) -> None:
    """A device's fitting ends. What waits for it ends with it; see ``watches.due``."""
    await connection.execute(
        """UPDATE watch SET due_at = %(at)s WHERE key = ANY(ARRAY(
               SELECT w.key FROM watch w JOIN installation i ON i.id = w.installation_id
               WHERE i.device_id = %(device)s AND i.during @> %(at)s AND w.state = 'raised' AND w.due_at IS NULL
               ORDER BY w.key FOR UPDATE OF w))""",
        {"device": device_id, "at": at},
    )
    await connection.execute(
        """UPDATE installation SET during = tstzrange(lower(during), %(at)s)
           WHERE device_id = %(device)s AND during @> %(at)s""",
        {"device": device_id, "at": at},
    )


async def move(
    connection: Connection, device_id: int, dwelling_id: int, resident_id: int | None, at: datetime, placed: str = ""
) -> UUID:
    """Fit a device somewhere, and nowhere else any more, from a time on."""
    await take_down(connection, device_id, at)
    uid = new_uid()
    await connection.execute(
        """INSERT INTO installation (uid, device_id, dwelling_id, resident_id, placed, during)
           VALUES (%s, %s, %s, %s, %s, tstzrange(%s, NULL))""",
        (uid, device_id, dwelling_id, resident_id, placed, at),
    )
    return uid
