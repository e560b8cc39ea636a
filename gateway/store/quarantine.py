"""Quarantine: what could not be decoded, with its raw bytes and the reason."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from devices.model import DecodeError, Message
from devices.position import masked
from gateway.store.db import Connection, new_uid


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message and why it is here."""

    message: Message
    error: DecodeError

    @property
    def content_hash(self) -> bytes | None:
        """What a re-sent copy shares; None for a message without a readable id, which is never taken for a copy.

        Except what the broker keeps: it sends the same again to whoever connects.
        """
        if self.error.message_id is None and not self.message.retained:
            return None
        whole = self.message.topic.encode() + b"\x00" + self.message.payload
        return hashlib.blake2b(whole, digest_size=16).digest()


async def add(connection: Connection, site_id: int, each: Quarantined) -> bool:
    """Whether it is new. It is kept without coordinates: where somebody was is not for quarantine."""
    cursor = await connection.execute(
        """INSERT INTO quarantine (uid, site_id, topic, raw, reason, detail, message_class, retained, content_hash,
                                   received_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
        (
            new_uid(),
            site_id,
            each.message.topic,
            masked(each.message.payload),
            each.error.reason,
            each.error.detail.replace("\x00", "\\x00"),
            each.error.message_class,
            each.message.retained,
            each.content_hash,
            each.message.received_at,
        ),
    )
    return cursor.rowcount == 1


async def newest(connection: Connection, zones: Sequence[int], before: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Of the sites that serve these zones (or are within them), newest first, from before a given one."""
    cursor = await connection.execute(
        """WITH RECURSIVE around AS (
               SELECT id, parent_id FROM zone WHERE id = ANY(%(zones)s)
               UNION SELECT z.id, z.parent_id FROM zone z JOIN around a ON z.id = a.parent_id)
           SELECT q.uid, s.name AS site, q.topic, q.raw, q.reason, q.detail, q.message_class, q.retained, q.received_at
           FROM quarantine q JOIN site s ON s.id = q.site_id
           WHERE s.zone_id IN (SELECT id FROM around) AND (%(before)s::uuid IS NULL OR q.uid < %(before)s)
           ORDER BY q.uid DESC LIMIT %(limit)s""",
        {"zones": list(zones), "before": before, "limit": limit},
    )
    return await cursor.fetchall()
