"""A municipality of many devices, filled in by the thousand: 20,000 homes' worth of devices with fittings and rules on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from gateway.rulebook import install_defaults
from gateway.seed import SITE, seed
from gateway.store.db import Database, new_uid
from tests.bench.load import named

FITTED = timedelta(days=1)
"""For so long the devices have been where they are: whatever they say, also before the bench got to it, is of that fitting."""


@dataclass(frozen=True, slots=True)
class Town:
    """The site, and its devices as (kind, address)."""

    site: str
    devices: tuple[tuple[str, str], ...]


async def fill(url: str, devices: int, now: datetime) -> Town:
    """A municipality with staff and roster, and this many devices, six in the home of each resident. Staff is paged by e-mail."""
    database = Database(url)
    await database.open()
    try:
        await database.run(lambda each: install_defaults(each, now))
        await database.run(lambda each: seed(each, now, "bench", residents=1))
    finally:
        await database.close()
    all_of_them = named(devices)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await _homes(connection, all_of_them, now - FITTED)
        await connection.execute("DELETE FROM contact WHERE channel <> 'email'")
        await connection.execute("VACUUM ANALYZE")
    return Town(SITE, all_of_them)


async def _homes(
    connection: psycopg.AsyncConnection[psycopg.rows.TupleRow], devices: tuple[tuple[str, str], ...], since: datetime
) -> None:
    """Six devices a home, as the kinds go round."""
    homes = [f"Benchveien {number}" for number in range((len(devices) + 5) // 6)]
    uids = [[new_uid() for _ in homes] for _ in range(2)] + [[new_uid() for _ in devices] for _ in range(2)]
    await connection.execute(
        """INSERT INTO dwelling (uid, zone_id, address)
           SELECT u.uid, z.ids[1 + u.n %% cardinality(z.ids)], u.address
           FROM unnest(%s::uuid[], %s::text[]) WITH ORDINALITY AS u (uid, address, n),
                (SELECT array_agg(id) AS ids FROM zone WHERE kind = 'zone') z""",
        (uids[0], homes),
    )
    await connection.execute(
        "INSERT INTO resident (uid, name) SELECT * FROM unnest(%s::uuid[], %s::text[])", (uids[1], homes)
    )
    await connection.execute(
        """INSERT INTO residency (resident_id, dwelling_id, during)
           SELECT r.id, w.id, tstzrange(%s, NULL) FROM resident r JOIN dwelling w ON w.address = r.name""",
        (since,),
    )
    await connection.execute(
        """INSERT INTO device (uid, site_id, ecosystem, address, kind)
           SELECT u.uid, s.id, 'native', u.address, u.kind
           FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS u (uid, kind, address), site s""",
        (uids[2], [kind for kind, _ in devices], [address for _, address in devices]),
    )
    await connection.execute(
        """INSERT INTO installation (uid, device_id, dwelling_id, resident_id, during)
           SELECT u.uid, d.id, w.id, r.id, tstzrange(%s, NULL)
           FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS u (uid, address, home)
           JOIN device d ON d.address = u.address JOIN dwelling w ON w.address = u.home
           JOIN resident r ON r.name = u.home""",
        (since, uids[3], [address for _, address in devices], [homes[n // 6] for n in range(len(devices))]),
    )
