"""Answers that were taken, by the key their sender gave them: the same answer twice is one answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.store.db import Connection, as_json


@dataclass(frozen=True, slots=True)
class Taken:
    """An answer that was taken before: a hash of what was asked, and what was replied."""

    request: bytes
    reply: dict[str, Any]


async def find(connection: Connection, person_id: int, key: str) -> Taken | None:
    cursor = await connection.execute(
        "SELECT request, reply FROM answer WHERE person_id = %s AND key = %s", (person_id, key)
    )
    row = await cursor.fetchone()
    return Taken(bytes(row["request"]), row["reply"]) if row else None


async def add(connection: Connection, person_id: int, key: str, alert_id: int, taken: Taken, now: datetime) -> None:
    await connection.execute(
        "INSERT INTO answer (person_id, key, alert_id, request, reply, received_at) VALUES (%s, %s, %s, %s, %s, %s)",
        (person_id, key, alert_id, taken.request, as_json(taken.reply), now),
    )
