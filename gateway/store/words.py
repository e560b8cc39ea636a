"""The last words of homes: when a device of a home last said something that a rule asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from psycopg.rows import DictRow

from alerts.rules import LastWord
from gateway.store.columns import bigints, texts, times
from gateway.store.db import Asked, Connection

Words = dict[int, dict[str, LastWord]]
"""By dwelling and word (``kind/type``)."""


async def of_homes(connection: Connection, dwellings: Collection[int], asked_for: Collection[str]) -> Asked[Words]:
    """Ask for the last words of homes."""
    answer = await connection.execute(
        """SELECT dwelling_id, word, occurred_at, received_at FROM home_word
           WHERE dwelling_id = ANY(%b) AND word = ANY(%b)""",
        (bigints(sorted(dwellings)), texts(sorted(asked_for))),
    )
    return Asked(answer, _words)


def _words(rows: Iterable[DictRow]) -> Words:
    found: Words = {}
    for row in rows:
        found.setdefault(row["dwelling_id"], {})[row["word"]] = LastWord(row["occurred_at"], row["received_at"])
    return found


async def save(connection: Connection, words: Mapping[tuple[int, str], LastWord]) -> None:
    """Move last words on, never back."""
    ordered = sorted(words)
    if not ordered:
        return
    await connection.execute(
        """INSERT INTO home_word AS w (dwelling_id, word, occurred_at, received_at)
           SELECT * FROM unnest(%b::bigint[], %b::text[], %b::timestamptz[], %b::timestamptz[])
           ON CONFLICT (dwelling_id, word) DO UPDATE
           SET occurred_at = excluded.occurred_at, received_at = excluded.received_at
           WHERE (excluded.occurred_at, excluded.received_at) > (w.occurred_at, w.received_at)""",
        (
            bigints([dwelling for dwelling, _ in ordered]),
            texts([word for _, word in ordered]),
            times([words[each].occurred_at for each in ordered]),
            times([words[each].received_at for each in ordered]),
        ),
    )
