"""Versions: something that changes with all that the gateway remembers of the database.

What is remembered is good as long as they are the same; they are read in the transaction that makes use of it.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.store.db import Connection

Version = tuple[int, ...]

RULEBOOK = """ARRAY[(SELECT count(*) FROM rule_version), (SELECT coalesce(max(id), 0) FROM policy_version),
                     (SELECT coalesce(max(id), 0) FROM zone), (SELECT count(*) FROM erasure WHERE register_gone)]"""
"""SQL: changes with any rule, any policy and any zone, and where rules of somebody who was erased are gone."""


class Versions(NamedTuple):
    """Of the rulebook (rules, policies, zones), and of the register (which device is fitted where, who lives there)."""

    rulebook: Version
    register: Version


async def now(connection: Connection) -> Versions:
    """As they stand."""
    cursor = await connection.execute(
        f"""SELECT {RULEBOOK} AS rulebook,
                   (SELECT ARRAY[count(*), coalesce(max(id), 0), coalesce(sum(id), 0)::bigint] FROM register_change) AS register"""
    )
    row = await cursor.fetchone() or {"rulebook": (), "register": ()}
    return Versions(tuple(row["rulebook"]), tuple(row["register"]))
