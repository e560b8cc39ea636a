"""What goes: found, counted and removed. What is due is decided in ``gateway/retention.py``.

Rules
    Nothing here decides. Each function is one step, short enough for a transaction of its own.
    Where a table is made of chunks, what goes whole is dropped with its chunk, and what goes of a chunk is deleted by segment:
    also where it is compressed, and without a limit, as one chunk is one. TimescaleDB unpacks what is deleted (bounds of time, and
    its own triggers, keep it from dropping batches whole) and nothing else: as long as each condition is one that it can ask of
    a batch. Elsewhere rows are deleted, some at a time.
    Audit and timelines are append-only. The one way past that is open in a transaction that says up to which time
    (``_lawful``); a trigger refuses what is younger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.retention import EPOCH, Cut, Rest, Table
from gateway.store import rollups
from gateway.store.db import Connection

PATIENCE = "10min"
"""For one step; a chunk of millions of rows takes its time."""
SOME = 20_000
"""Rows that are deleted in one transaction."""
SOME_WITH = 500
OF_ALERT = ("page", "answer", "command", "alert_note", "alert_entry")
OF_SILENCE = ("held_back", "sign_of_life")
"""All that belongs to an alert, or to a silence, and goes with it. What a silence held back stays with it, without its alert."""


@dataclass(frozen=True, slots=True)
class Due:
    """What would go: how many rows, of them from when the oldest; and of what stays, from when the oldest."""

    rows: int
    oldest: datetime | None
    oldest_kept: datetime | None
    chunks: int = 0


_REST = {
    "position": ("occurred_at", "true"),
    "seen": ("received_at", "true"),
    "watch": ("since", "due_at IS NULL AND (state <> 'raised' OR key LIKE 'dose:%%')"),
    "answer": ("received_at", "true"),
    "quarantine": ("received_at", "true"),
    "silence": ("ended_at", "ended_at IS NOT NULL"),
    "alert": ("closed_at", "closed_at IS NOT NULL"),
    "audit": ("at", "true"),
    "device_health_hourly": ("bucket", "true"),
    "activity_hourly": ("bucket", "true"),
    "device_health_daily": ("bucket", "true"),
    "activity_daily": ("bucket", "true"),
    "check_in": ("coalesce(out_at, in_at)", "true"),
    "planned_shift": ("upper(during)", "true"),
    "roster_override": ("upper(during)", "true"),
    "roster_swap": ("greatest(upper(asks_during), upper(gives_during))", "true"),
    "absence": ("upper(during)", "true"),
    "contact": ("removed_at", "NOT active AND address <> uid::text"),
    "roster_feed": ("revoked_at", "revoked_at IS NOT NULL"),
    "session": ("expires_at", "true"),
    "phone_link": ("expires_at", "true"),
    "sign_in_failure": ("at", "true"),
    "register_change": ("at", "true"),
}
"""By table: the time that counts, and what may go at all. A settled watch may, but what was raised is not over before
something says so; a dose is."""


async def be_patient(connection: Connection) -> None:
    """This transaction may take longer than others do."""
    await connection.execute(f"SET LOCAL statement_timeout = '{PATIENCE}'")


async def clock(connection: Connection) -> datetime:
    """What time it is by the database's clock."""
    cursor = await connection.execute("SELECT clock_timestamp() AS now")
    row = await cursor.fetchone()
    assert row is not None
    now: datetime = row["now"]
    return now


async def hypertables(connection: Connection) -> dict[str, bool]:
    """The tables that are made of chunks, and whether each can be compressed (not so under TimescaleDB's Apache licence)."""
    cursor = await connection.execute("SELECT to_regclass('timescaledb_information.hypertables') IS NOT NULL AS there")
    row = await cursor.fetchone()
    if row is None or not row["there"]:
        return {}
    cursor = await connection.execute(
        """SELECT hypertable_name AS name, compression_enabled FROM timescaledb_information.hypertables
           WHERE hypertable_schema = current_schema() AND hypertable_name = ANY(%s)""",
        ([each.value.name for each in Table],),
    )
    return {row["name"]: row["compression_enabled"] for row in await cursor.fetchall()}


# What devices said ------------------------------------------------------------------------------------------------------


async def due(connection: Connection, cut: Cut, after: datetime | None, *, chunked: bool) -> Due:
    """What would go by a cut; ``after``: what is older goes by another one."""
    name, (matches, arguments) = cut.table.value.name, _matches(cut)
    cursor = await connection.execute(
        f"""SELECT count(*) AS rows, min(received_at) AS oldest,
                   (SELECT received_at FROM {name} WHERE received_at >= %(before)s AND {matches}
                    ORDER BY received_at LIMIT 1) AS oldest_kept
            FROM {name} WHERE received_at < %(before)s AND received_at >= %(after)s AND {matches}""",
        {**arguments, "before": cut.before, "after": after or EPOCH},
    )
    row = await cursor.fetchone() or {}
    chunks = len(await chunks_before(connection, cut.table, cut.before)) if chunked and cut.whole else 0
    return Due(row["rows"], row["oldest"], row["oldest_kept"], chunks)


async def oldest(connection: Connection, cut: Cut) -> datetime | None:
    """From when the oldest row is that goes by a cut."""
    matches, arguments = _matches(cut)
    cursor = await connection.execute(
        f"""SELECT received_at FROM {cut.table.value.name} WHERE received_at < %(before)s AND {matches}
            ORDER BY received_at LIMIT 1""",
        {**arguments, "before": cut.before},
    )
    row = await cursor.fetchone()
    return row["received_at"] if row else None


async def chunks_before(connection: Connection, table: Table, before: datetime) -> list[str]:
    """The chunks that are over by then, the oldest first."""
    cursor = await connection.execute(
        """SELECT format('%%I.%%I', chunk_schema, chunk_name) AS name FROM timescaledb_information.chunks
           WHERE hypertable_schema = current_schema() AND hypertable_name = %s AND range_end <= %s ORDER BY range_start""",
        (table.value.name, before),
    )
    return [row["name"] for row in await cursor.fetchall()]


async def drop_chunks(connection: Connection, cut: Cut) -> int:
    """Drop every chunk that is due as a whole. How many."""
    cursor = await connection.execute(
        "SELECT count(*) AS n FROM drop_chunks(%s::regclass, older_than => %s::timestamptz)",
        (cut.table.value.name, cut.before),
    )
    row = await cursor.fetchone()
    return int(row["n"]) if row else 0


async def delete_segments(connection: Connection, cut: Cut, since: datetime) -> int:
    """Delete what is due of the chunk that begins then, compressed or not. How many rows."""
    matches, arguments = _matches(cut)
    await connection.execute("SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
    cursor = await connection.execute(
        f"""DELETE FROM {cut.table.value.name}
            WHERE received_at >= %(since)s AND received_at < %(until)s AND {matches}""",
        {**arguments, "since": since, "until": min(since + cut.table.value.width, cut.before)},
    )
    return cursor.rowcount


async def delete_rows(connection: Connection, cut: Cut, since: datetime) -> int:
    """Delete some of what is due from where a chunk would begin to where it would end. How many rows. Where chunks have been made
    meanwhile a ``ctid`` is one row's in each of them: so both say what is due."""
    name, (matches, arguments) = cut.table.value.name, _matches(cut)
    cursor = await connection.execute(
        f"""DELETE FROM {name} WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM {name} WHERE received_at >= %(since)s AND received_at < %(until)s AND {matches}
                LIMIT %(some)s)) AND received_at >= %(since)s AND received_at < %(until)s AND {matches}""",
        {**arguments, "since": since, "until": min(since + cut.table.value.width, cut.before), "some": SOME},
    )
    return cursor.rowcount


async def compress(connection: Connection, chunk: str) -> int:
    """Compress a chunk; one that is compressed in part, as something was deleted from it, as a whole. Nothing goes."""
    await connection.execute("SELECT compress_chunk(%s::regclass, if_not_compressed => true)", (chunk,))
    return 0


def _matches(cut: Cut) -> tuple[str, dict[str, Any]]:
    if cut.whole:
        return "true", {}
    kinds = [f"kind <> %(kind_{n})s" for n in range(len(cut.kinds))] if cut.but else ["kind = ANY(%(kinds)s)"]
    each = {
        f"kind_{n}": kind for n, kind in enumerate(cut.kinds)
    }  # `<> ALL` is asked of no batch: all would be unpacked
    return (
        " AND ".join(["message_class = %(class)s", *kinds]),
        {**each, "class": cut.message_class, "kinds": list(cut.kinds)},
    )


# All else ---------------------------------------------------------------------------------------------------------------


async def due_of(connection: Connection, each: Rest) -> Due:
    """What would go."""
    at, may_go = _REST[each.name]
    cursor = await connection.execute(
        f"""SELECT count(*) FILTER (WHERE {at} < {_BEFORE} AND {may_go}) AS rows,
                   min({at}) FILTER (WHERE {at} < {_BEFORE} AND {may_go}) AS oldest,
                   nullif(min({at}) FILTER (WHERE ({at} < {_BEFORE} AND {may_go}) IS NOT TRUE), 'infinity') AS oldest_kept
            FROM {each.name}""",
        _arguments(each),
    )
    row = await cursor.fetchone() or {}
    return Due(row["rows"], row["oldest"], row["oldest_kept"])


async def delete(connection: Connection, each: Rest) -> int:
    """Delete some of what is due; rows that somebody has are left to the next time. How many."""
    if each.before is not None and each.name in ("alert", "audit"):
        await _lawful(connection, each.before)
    if each.name == "alert":
        return await _delete_with(connection, each, "alert_id", OF_ALERT)
    if each.name == "silence":
        return await _delete_with(connection, each, "silence_id", OF_SILENCE)
    at, may_go = _REST[each.name]
    if each.name == "contact":
        return await _forget_addresses(connection, each)
    if each.before is not None and at == "bucket":
        return await rollups.prune(connection, each.name, each.before)
    cursor = await connection.execute(
        f"""DELETE FROM {each.name} WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM {each.name} WHERE {at} < {_BEFORE} AND {may_go} LIMIT %(some)s FOR UPDATE SKIP LOCKED))""",
        {**_arguments(each), "some": SOME},
    )
    return cursor.rowcount


async def _forget_addresses(connection: Connection, each: Rest) -> int:
    """Pages name contacts that were taken away, whose rows stay; where they led to does not."""
    at, may_go = _REST[each.name]
    cursor = await connection.execute(
        f"UPDATE contact SET address = uid::text, broken_reason = NULL WHERE {at} < {_BEFORE} AND {may_go}",
        _arguments(each),
    )
    return cursor.rowcount


_BEFORE = "coalesce(%(before)s::timestamptz, now() - make_interval(days => %(days)s::integer))"


def _arguments(each: Rest) -> dict[str, Any]:
    return {"before": each.before, "days": each.days}


async def _lawful(connection: Connection, before: datetime) -> None:
    """What is append-only may lose what is older, in this transaction."""
    await connection.execute(
        "SELECT set_config('hjemmevakt.lawful', 'retention', true), set_config('hjemmevakt.kept_from', %s, true)",
        (before.isoformat(),),
    )


async def _delete_with(connection: Connection, each: Rest, key: str, belonging: Sequence[str]) -> int:
    """Some alerts or silences, with all that belongs to them."""
    at, _ = _REST[each.name]
    cursor = await connection.execute(
        f"SELECT id FROM {each.name} WHERE {at} < %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
        (each.before, SOME_WITH),
    )
    ids = [row["id"] for row in await cursor.fetchall()]
    if not ids:
        return 0
    if each.name == "alert":
        await connection.execute("UPDATE held_back SET alert_id = NULL WHERE alert_id = ANY(%s)", (ids,))
    for table in belonging:
        await connection.execute(f"DELETE FROM {table} WHERE {key} = ANY(%s)", (ids,))
    await connection.execute(f"DELETE FROM {each.name} WHERE id = ANY(%s)", (ids,))
    return len(ids)
