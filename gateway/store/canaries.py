"""The canary resident in the database: its zone, person, homes and devices, and its passages.

Its zone is a root of its own that nobody but the canary is assigned to, and of the kind ``canary``: what goes through all zones or
counts all alerts leaves it out. Each site has a device of it, by a name that is ours.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row

from alerts.channels.canary import ADDRESS as CONTACT
from alerts.model import Track
from alerts.policy import Policy, PolicyStep, StageLimits, Target
from gateway.passages import Passage
from gateway.store import municipality, policies
from gateway.store.db import Connection, new_uid
from gateway.store.policies import Scope
from gateway.store.sites import Site

ADDRESS = municipality.CANARY
"""Of its device at each site; a name of ours."""
KIND = "fall_alarm"
SAYS = "fall"
ZONE = "Canary"
KEPT = timedelta(days=1)
SILENT_AFTER = 10 * 365 * 24 * 3600
"""Seconds: a passage that is missing is found in another way."""
_ONCE = 7_211_038
"""An advisory lock: two processes make it once."""
_SOME = 500
_OF_ALERT = ("page", "answer", "command", "alert_entry")


# What there is of it ----------------------------------------------------------------------------------------------------


async def ensure(connection: Connection, site: Site, now: datetime) -> bool:
    """Its home and device at a site are there. Whether they were not before."""
    if await _device(connection, site.id) is not None:
        return False
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ONCE,))
    if await _device(connection, site.id) is not None:
        return False
    zone = await _zone(connection, now)
    dwelling = await municipality.add_dwelling(connection, zone, f"{ZONE} {site.name}", "", "", "")
    device = await municipality.add_device(connection, site.name, ADDRESS, KIND, "Canary")
    await connection.execute("UPDATE device SET silent_after_seconds = %s WHERE id = %s", (SILENT_AFTER, device))
    await municipality.fit(connection, device, dwelling, None, "", now)
    return True


async def _device(connection: Connection, site_id: int) -> int | None:
    cursor = await connection.execute(
        "SELECT id FROM device WHERE site_id = %s AND ecosystem = 'native' AND address = %s", (site_id, ADDRESS)
    )
    row = await cursor.fetchone()
    return row["id"] if row else None


async def _zone(connection: Connection, now: datetime) -> int:
    """The zone with its person, who is called for whatever there is in it."""
    cursor = await connection.execute("SELECT id FROM zone WHERE kind = 'canary'")
    row = await cursor.fetchone()
    if row is not None:
        return int(row["id"])
    zone = await municipality.add_zone(connection, None, "canary", ZONE)
    cursor = await connection.execute(
        "INSERT INTO person (uid, name) VALUES (%s, %s) RETURNING id, uid", (new_uid(), ZONE)
    )
    person = await cursor.fetchone()
    assert person is not None
    await municipality.assign(connection, person["id"], "responder", zone, now)
    await municipality.add_contact(connection, person["id"], "canary", CONTACT, 0)
    for track in Track:
        await policies.add(connection, _policy(track, person["uid"]), Scope("zone", zone), None, now)
    return zone


def _policy(track: Track, person: UUID) -> Policy:
    """Its own, so that what people set for everywhere never calls anybody for it."""
    limits = StageLimits(claimed=60, on_way=60, arrived=60)
    step = PolicyStep(target=Target.PERSON, id=person, wait_seconds=60)
    return Policy(name=f"canary_{track}", track=track, steps=(step,), repeat_seconds=60, limits=limits)


# Passages ---------------------------------------------------------------------------------------------------------------


async def begin(connection: Connection, site_id: int, message_id: str, now: datetime) -> None:
    """An alarm is about to be published."""
    await connection.execute(
        "INSERT INTO canary_passage (site_id, published_at, message_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (site_id, now, message_id),
    )


async def receipted(connection: Connection, site_id: int, message_id: str, now: datetime) -> None:
    """The device has our receipt for it."""
    await connection.execute(
        """UPDATE canary_passage SET receipted_at = %s
           WHERE site_id = %s AND message_id = %s AND receipted_at IS NULL""",
        (now, site_id, message_id),
    )


async def follow(connection: Connection, now: datetime) -> list[Passage]:
    """Note which legs are done of those that have not passed. Those that have now: each is answered by this once.

    An alarm that joined an alert, which nobody had answered, is raised with the page that it led to.
    """
    cursor = connection.cursor(row_factory=class_row(Passage))
    await cursor.execute(
        f"""WITH waiting AS (
                SELECT c.site_id, c.published_at, d.id AS device_id, s.received_at
                FROM canary_passage c
                JOIN device d ON d.site_id = c.site_id AND d.ecosystem = 'native' AND d.address = %(address)s
                JOIN LATERAL (SELECT min(received_at) AS received_at FROM seen
                              WHERE device_id = d.id AND message_id = c.message_id) s ON s.received_at IS NOT NULL
                WHERE c.answered_at IS NULL AND c.published_at > %(since)s
                ORDER BY c.site_id, c.published_at FOR UPDATE OF c SKIP LOCKED),
            done AS (
                SELECT w.*, CASE WHEN a.raised_at >= w.received_at THEN a.raised_at ELSE p.queued_at END AS raised_at,
                       p.queued_at, p.leased_at, p.handed_over_at, p.answered_at
                FROM waiting w
                LEFT JOIN LATERAL (
                    SELECT l.id, l.raised_at FROM (
                        SELECT id, raised_at, closed_at, condition FROM alert WHERE device_id = w.device_id
                        ORDER BY id DESC LIMIT 20) l
                    WHERE l.condition = '{SAYS}' AND (l.closed_at IS NULL OR l.closed_at >= w.received_at)
                    ORDER BY l.id LIMIT 1) a ON true
                LEFT JOIN LATERAL (
                    SELECT min(created_at) AS queued_at, min(leased_at) AS leased_at,
                           min(handed_over_at) AS handed_over_at, min(answered_at) AS answered_at
                    FROM page WHERE alert_id = a.id AND created_at >= w.received_at) p ON true)
            UPDATE canary_passage c SET stored_at = d.received_at, raised_at = d.raised_at, queued_at = d.queued_at,
                   leased_at = d.leased_at, handed_over_at = d.handed_over_at, answered_at = d.answered_at
            FROM done d WHERE c.site_id = d.site_id AND c.published_at = d.published_at
            RETURNING {_PASSAGE}""",
        {"address": ADDRESS, "since": now - FOLLOWED},
    )
    return [each for each in await cursor.fetchall() if each.passed]


FOLLOWED = timedelta(minutes=15)
"""What has not passed by then is not waited for any more; a later one has, or the path is lost."""
_PASSAGE = """c.site_id, c.published_at, c.message_id, c.stored_at, c.receipted_at, c.raised_at, c.queued_at, c.leased_at,
              c.handed_over_at, c.answered_at"""


async def since(connection: Connection, at: datetime, sites: Collection[int] | None = None) -> dict[int, list[Passage]]:
    """All passages that began from a time on, by site; of these sites where they are named."""
    cursor = connection.cursor(row_factory=class_row(Passage))
    await cursor.execute(
        f"""SELECT {_PASSAGE} FROM canary_passage c
            WHERE published_at >= %(since)s AND (%(sites)s::bigint[] IS NULL OR site_id = ANY(%(sites)s))
            ORDER BY site_id, published_at""",
        {"since": at, "sites": sorted(sites) if sites is not None else None},
    )
    found: dict[int, list[Passage]] = {}
    for each in await cursor.fetchall():
        found.setdefault(each.site_id, []).append(each)
    return found


async def is_its_own(connection: Connection, alert_uid: UUID) -> bool:
    """Whether an alert is the canary's: nobody else's is ever answered for them."""
    cursor = await connection.execute(
        "SELECT 1 FROM alert a JOIN zone z ON z.id = a.zone_id AND z.kind = 'canary' WHERE a.uid = %s", (alert_uid,)
    )
    return await cursor.fetchone() is not None


# What goes --------------------------------------------------------------------------------------------------------------


async def forget_alerts(connection: Connection, before: datetime) -> int:
    """Some of its alerts that were closed before, with all that belongs to them. How many."""
    await connection.execute(
        "SELECT set_config('hjemmevakt.lawful', 'retention', true), set_config('hjemmevakt.kept_from', %s, true)",
        (before.isoformat(),),
    )
    cursor = await connection.execute(
        """SELECT a.id FROM alert a JOIN zone z ON z.id = a.zone_id AND z.kind = 'canary'
           WHERE a.closed_at < %s ORDER BY a.id LIMIT %s FOR UPDATE OF a SKIP LOCKED""",
        (before, _SOME),
    )
    ids = [row["id"] for row in await cursor.fetchall()]
    if not ids:
        return 0
    for table in _OF_ALERT:
        await connection.execute(f"DELETE FROM {table} WHERE alert_id = ANY(%s)", (ids,))
    await connection.execute(
        "DELETE FROM audit WHERE object = 'alert' AND object_id = ANY(%s) AND at < %s", (ids, before)
    )
    await connection.execute("DELETE FROM alert WHERE id = ANY(%s)", (ids,))
    return len(ids)


async def forget_said(connection: Connection, before: datetime) -> int:
    """Some of what it said before, with the identities and the bytes of it; and its passages. How many."""
    cursor = await connection.execute(
        """SELECT o.id, o.received_at, o.device_id FROM observation o JOIN device d ON d.id = o.device_id
           WHERE d.ecosystem = 'native' AND d.address = %s AND o.received_at < %s
           ORDER BY o.received_at LIMIT %s""",
        (ADDRESS, before, _SOME),
    )
    rows = await cursor.fetchall()
    if rows:
        times: Sequence[datetime] = [row["received_at"] for row in rows]
        told = {"ids": [row["id"] for row in rows], "from": min(times), "to": max(times)}
        within = "id = ANY(%(ids)s) AND received_at BETWEEN %(from)s AND %(to)s"
        for table in ("observation", "raw_message"):
            await connection.execute(f"DELETE FROM {table} WHERE {within}", told)
    await connection.execute(
        """DELETE FROM seen s USING device d
           WHERE d.id = s.device_id AND d.ecosystem = 'native' AND d.address = %s AND s.received_at < %s""",
        (ADDRESS, before),
    )
    cursor = await connection.execute("DELETE FROM canary_passage WHERE published_at < %s", (before,))
    return len(rows) + cursor.rowcount
