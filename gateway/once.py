"""The same request twice is one: what was asked under a key is kept with what was replied, and replied again.

Rules
    A key is its sender's, a person's. With another request it is refused: nobody takes the reply to one thing for that to another.
    Look before anything is held, as most that come again come late; and again when it is held, as the same one may have been
    taken while we waited.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.errors import Conflict
from gateway.store import answers
from gateway.store.answers import Taken
from gateway.store.db import Connection


async def before(connection: Connection, person_id: int, key: str, asked: bytes) -> dict[str, Any] | None:
    """What was replied; None where it has not been asked yet. ``asked``: a hash of the request. Conflict for another request."""
    taken = await answers.find(connection, person_id, key)
    if taken is not None and taken.request != asked:
        raise Conflict("key_reused", "this Idempotency-Key came with another request before", "make a new key")
    return taken.reply if taken is not None else None


async def keep(
    connection: Connection, person_id: int, key: str, alert_id: int, asked: bytes, reply: dict[str, Any], now: datetime
) -> None:
    """It was asked, and this was replied. The alert is held."""
    await answers.add(connection, person_id, key, alert_id, Taken(asked, reply), now)
