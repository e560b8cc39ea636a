"""What a desk asks beside the alerts themselves: how each stands on its ladder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from gateway.store.alerts import DUE_FOR
from gateway.store.db import Connection


async def standing(connection: Connection, uids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Of each alert what is due for, with the policy that it climbs; since when its holder is where they are with it; and
    what it was and what was done, where it is closed."""
    cursor = await connection.execute(
        f"""SELECT a.uid, a.policy, a.policy_version_id, a.step, {DUE_FOR} AS due_for, a.cause, a.action,
                  (SELECT max(e.at) FROM alert_entry e WHERE e.alert_id = a.id AND e.actor_id = a.holder_id
                     AND e.code IN ('claimed', 'taken_over', 'on_way', 'arrived')) AS held_since
           FROM alert a WHERE a.uid = ANY(%s)""",
        (list(uids),),
    )
    return {row["uid"]: row for row in await cursor.fetchall()}
