"""Quarantine: what could not be decoded, with its raw bytes and the reason; and what could later."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from devices.model import DecodeError, Message
from devices.position import masked
from gateway.store.db import Connection, new_uid
from gateway.store.sites import Site


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message and why it is here. ``of_site``: if it is an alarm, it is raised as nobody's, to the zone of its site."""

    message: Message
    error: DecodeError
    of_site: bool = False

    @property
    def content_hash(self) -> bytes | None:
        """What a re-sent copy shares; None for a message without a readable id, which is never taken for a copy.

        Except what the broker keeps: it sends the same again to whoever connects.
        """
        if self.error.message_id is None and not self.message.retained:
            return None
        whole = self.message.topic.encode() + b"\x00" + self.message.payload
        return hashlib.blake2b(whole, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages are asked for; what is None is not asked about. ``q`` is looked for in topic, detail, site and
    the message itself, small letters or capitals (of letters beyond ASCII in the message: as they are)."""

    q: str | None = None
    reason: str | None = None
    site: str | None = None
    state: str | None = "waiting"


@dataclass(frozen=True, slots=True)
class Kept:
    """A message in quarantine, locked."""

    id: int
    site: Site
    message: Message
    decoded: bool


async def add(connection: Connection, site_id: int, each: Quarantined) -> bool:
    """Whether it is new. It is kept without coordinates: where somebody was is not for quarantine."""
    device = each.error.device
    cursor = await connection.execute(
        """INSERT INTO quarantine (uid, site_id, topic, raw, reason, detail, message_class, retained, content_hash,
                                   received_at, ecosystem, address, kind)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id""",
        (
            new_uid(),
            site_id,
            _storable(each.message.topic),
            masked(each.message.payload),
            each.error.reason,
            _storable(each.error.detail),
            each.error.message_class,
            each.message.retained,
            each.content_hash,
            each.message.received_at,
            device.ecosystem if device else None,
            device.address if device else None,
            each.error.kind,
        ),
    )
    return await cursor.fetchone() is not None


def _storable(detail: str) -> str:
    return detail.replace("\x00", "\\x00")


_OF_SITES = """WITH RECURSIVE around AS (
        SELECT id, parent_id FROM zone WHERE id = ANY(%(zones)s)
        UNION SELECT z.id, z.parent_id FROM zone z JOIN around a ON z.id = a.parent_id)"""
"""``around``: the zones whose sites serve the given ones."""

_MATCHES = """s.zone_id IN (SELECT id FROM around)
           AND (%(state)s::text IS NULL OR q.state = %(state)s)
           AND (%(reason)s::text IS NULL OR q.reason = %(reason)s)
           AND (%(site)s::text IS NULL OR s.name = %(site)s)
           AND (%(q)s::text IS NULL
                OR strpos(lower(q.topic), lower(%(q)s)) > 0
                OR strpos(lower(q.detail), lower(%(q)s)) > 0
                OR strpos(lower(s.name), lower(%(q)s)) > 0
                OR strpos(lower(encode(substr(q.raw, 1, 65536), 'escape')),
                          lower(encode(convert_to(%(q)s, 'UTF8'), 'escape'))) > 0)"""


async def newest(
    connection: Connection, zones: Sequence[int], wanted: Wanted, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Of the sites that serve these zones (or are within them), newest first, from before a given one."""
    cursor = await connection.execute(
        f"""{_OF_SITES}
           SELECT q.uid, s.name AS site, q.topic, q.raw, q.reason, q.detail, q.message_class, q.retained, q.received_at,
                  q.address AS device, q.kind AS device_kind, q.state, q.decoded_at, q.decoded_by_id
           FROM quarantine q JOIN site s ON s.id = q.site_id
           WHERE {_MATCHES} AND (%(before)s::uuid IS NULL OR q.uid < %(before)s)
           ORDER BY q.uid DESC LIMIT %(limit)s""",
        {"zones": list(zones), "before": before, "limit": limit, **asdict(wanted)},
    )
    return await cursor.fetchall()


async def oldest_waiting(
    connection: Connection, zones: Sequence[int], wanted: Wanted, after: UUID | None, limit: int
) -> list[UUID]:
    """Of the same those that wait, oldest first, from after a given one."""
    cursor = await connection.execute(
        f"""{_OF_SITES}
           SELECT q.uid FROM quarantine q JOIN site s ON s.id = q.site_id
           WHERE {_MATCHES} AND (%(after)s::uuid IS NULL OR q.uid > %(after)s)
           ORDER BY q.uid LIMIT %(limit)s""",
        {"zones": list(zones), "after": after, "limit": limit, **asdict(replace(wanted, state="waiting"))},
    )
    return [row["uid"] for row in await cursor.fetchall()]


async def lock(connection: Connection, uid: UUID, zones: Sequence[int]) -> Kept | None:
    """One of these sites' messages, locked: the first lock of whoever decodes it again. None where there is none."""
    cursor = await connection.execute(
        f"""{_OF_SITES}
           SELECT q.id, q.topic, q.raw, q.received_at, q.retained, q.state, q.site_id, s.name, s.zone_id
           FROM quarantine q JOIN site s ON s.id = q.site_id
           WHERE q.uid = %(uid)s AND s.zone_id IN (SELECT id FROM around) FOR UPDATE OF q""",
        {"zones": list(zones), "uid": uid},
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    message = Message(row["topic"], bytes(row["raw"]), row["received_at"], row["retained"])
    return Kept(row["id"], Site(row["site_id"], row["name"], row["zone_id"]), message, row["state"] == "decoded")


async def still_waiting(connection: Connection, id_: int, error: DecodeError) -> None:
    """It cannot be read yet; why not, as of now."""
    await connection.execute(
        "UPDATE quarantine SET reason = %s, detail = %s WHERE id = %s AND state = 'waiting'",
        (error.reason, _storable(error.detail), id_),
    )


async def mark_decoded(connection: Connection, id_: int, person_id: int, now: datetime) -> None:
    """It has been read, and is stored as what it is."""
    await connection.execute(
        "UPDATE quarantine SET state = 'decoded', decoded_at = %s, decoded_by_id = %s WHERE id = %s AND state = 'waiting'",
        (now, person_id, id_),
    )
