"""Erasing: every table is cleared of what belongs to a resident. See :mod:`gateway.store.belonging` for what that is.

Rules
    What was said goes first, a window of time a transaction; then the register and all that hangs on it in one, in the
    order of locks and references. That one is short, and looks at nothing that grows without end: whoever stores what a
    device says waits for it. Then, each in a transaction of its own, what has to be looked for in a whole table.
    Everything can be done again: what is gone already is not missed.
    Compressed chunks are opened where this device's segment lies, and nowhere else: device and time are constants of the
    statement.
    Others' rows stay. What in them was said by the resident's devices, or names them, is taken out of it.
    Timeline and audit are append-only, but for a transaction that says that it is lawful (``begin_lawful``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from psycopg import errors, sql

from gateway.errors import GatewayError
from gateway.store import rollups
from gateway.store.aside import refuse
from gateway.store.belonging import (
    AS_ALONE,
    AS_STRETCHES,
    HELD_BACK,
    QUARANTINED,
    THEIR_ALERTS,
    THEIR_COMMANDS,
    Scope,
    Stretch,
    within,
)
from gateway.store.db import Connection

SAID = ("observation", "device_health")
RAW = "raw_message"
WINDOW = timedelta(days=30)
ERASED = "[erased]"
FREE_TEXT = (
    ("dwelling", "access"),
    ("silence", "note"),
    ("alert_note", "note"),
    ("resident", "notes"),
    ("installation", "placed"),
    ("device", "model"),
    ("page", "reason"),
    ("contact", "broken_reason"),
    ("rotation", "name"),
)
"""Where people write what they like, and where what others say is kept."""
FREE_JSON = (
    ("alert_entry", "params"),
    ("audit", "params"),
    ("answer", "reply"),
    ("watch", "facts"),
    ("held_back", "evidence"),
)

NAMED = {
    "policy.name": """UPDATE policy x SET name = left(regexp_replace(name, %(terms)s, '[erased ' || id || ']', 'gi'), 64)
        WHERE name ~* %(terms)s""",
    "policy_version.spec": """UPDATE policy_version x SET spec = jsonb_set(spec, '{name}', to_jsonb(left(
            regexp_replace(spec ->> 'name', %(terms)s, '[erased ' || policy_id || ']', 'gi'), 64)))
        WHERE spec ->> 'name' ~* %(terms)s""",
    "team.name": """UPDATE team x SET name = left(regexp_replace(name, %(terms)s, '[erased ' || id || ']', 'gi'), 64)
        WHERE name ~* %(terms)s""",
}
"""What people have named, and is called by its name: there is each name once, and none is longer than 64 letters. Few rows; they go with the
register, so that every process reads its policies anew."""
ALERT_POLICY = """UPDATE alert SET policy = jsonb_set(policy, '{name}', to_jsonb(left(
        regexp_replace(policy ->> 'name', %(terms)s, '[erased]', 'gi'), 64)))
    WHERE policy ->> 'name' ~* %(terms)s"""
"""The policy that others' alerts go by."""

Counts = dict[str, int]


async def begin_lawful(connection: Connection) -> None:
    """This transaction may remove what is append-only, and as much of compressed chunks as it has to. HalfWay while rows are
    in two places (gateway/store/aside.py)."""
    await refuse(connection)
    await connection.execute("SET LOCAL hjemmevakt.lawful = 'erasure'")
    await connection.execute("SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
    await connection.execute("SET LOCAL statement_timeout = '10min'")


# What was said ----------------------------------------------------------------------------------------------------------


async def windows(connection: Connection, device_id: int) -> list[tuple[datetime, datetime]]:
    """The times in which a device said anything that is still stored, in pieces."""
    bounds = " UNION ALL ".join(
        f"SELECT min(received_at) AS first, max(received_at) AS last FROM {table} WHERE device_id = %(device)s"
        for table in SAID
    )
    cursor = await connection.execute(
        f"SELECT min(first) AS first, max(last) AS last FROM ({bounds}) b", {"device": device_id}
    )
    row = await cursor.fetchone()
    return list(_pieces(row["first"], row["last"])) if row and row["first"] else []


def _pieces(first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    at = first
    while at <= last:
        yield at, at + WINDOW
        at += WINDOW


_BELONGS = """
    (o.installation_id = %(installation)s AND %(own)s
     OR (o.installation_id = %(installation)s OR o.installation_id IS NULL)
        AND o.occurred_at >= coalesce(%(since)s::timestamptz, '-infinity')
        AND o.occurred_at < coalesce(%(until)s::timestamptz, 'infinity')
     OR o.installation_id IS NULL AND o.fields::text ~* %(terms)s)"""


async def said(connection: Connection, scope: Scope, part: Stretch, since: datetime, until: datetime) -> Counts:
    """What a device said in a stretch and was received in a window, with its bytes, and that it was seen."""
    counts: Counts = {}
    given = {
        "device": part.device_id,
        "installation": part.installation_id,
        "own": part.own,
        "since": part.since,
        "until": part.until,
        "from": since,
        "to": until,
        "terms": scope.pattern,
    }
    for table in SAID:
        cursor = await connection.execute(
            f"""WITH gone AS (
                    DELETE FROM {table} o WHERE o.device_id = %(device)s AND o.received_at >= %(from)s
                      AND o.received_at < %(to)s AND {_BELONGS} RETURNING o.id, o.received_at, o.message_id),
                bytes AS (
                    DELETE FROM {RAW} r USING gone g
                    WHERE r.device_id = %(device)s AND r.received_at >= %(from)s AND r.received_at < %(to)s
                      AND r.received_at = g.received_at AND r.id = g.id RETURNING 1),
                known AS (
                    DELETE FROM seen k WHERE k.device_id = %(device)s
                      AND k.message_id IN (SELECT message_id FROM gone) RETURNING 1)
                SELECT (SELECT count(*) FROM gone) AS "{table}", (SELECT count(*) FROM bytes) AS "{RAW}",
                       (SELECT count(*) FROM known) AS seen""",
            given,
        )
        counts = _sum(counts, await cursor.fetchone() or {})
    return counts


async def bytes_alone(connection: Connection, part: Stretch) -> Counts:
    """The bytes of what is gone already: what a device said is not kept as long."""
    cursor = await connection.execute(
        f"""DELETE FROM {RAW} r WHERE r.device_id = %(device)s
              AND r.received_at >= coalesce(%(since)s::timestamptz, '-infinity')
              AND r.received_at < coalesce(%(until)s::timestamptz, 'infinity')
              AND NOT EXISTS (SELECT 1 FROM said o WHERE o.device_id = %(device)s AND o.received_at = r.received_at
                                AND o.id = r.id)""",
        {"device": part.device_id, "since": part.since, "until": part.until},
    )
    return {RAW: cursor.rowcount}


async def counted(connection: Connection, part: Stretch) -> Counts:
    """What was counted of a stretch, per hour and per day. After what was said is gone: else it is counted again."""
    since, until = (None, None) if part.own else (part.since, part.until)
    return {"rollups": await rollups.forget_between(connection, part.device_id, part.installation_id, since, until)}


# The register, and all that hangs on it -----------------------------------------------------------------------------------

_OF_DEVICE = f"""EXISTS (SELECT 1 FROM {AS_STRETCHES} WHERE s.device_id = x.device_id AND {{}})"""

_FIRST = {
    "seen": f"DELETE FROM seen x WHERE {_OF_DEVICE.format(within('x.received_at', 's'))}",
    "device_state": f"""UPDATE device_state x SET fields = '{{}}' WHERE fields <> '{{}}'
        AND {_OF_DEVICE.format(f"(s.own OR {within('x.last_said_at', 's')})")}
        AND NOT EXISTS (SELECT 1 FROM installation i WHERE i.device_id = x.device_id AND i.during @> x.last_said_at
                          AND i.id <> ALL(SELECT s.installation_id FROM {AS_STRETCHES}))""",
    "device_part": f"DELETE FROM device_part x WHERE {_OF_DEVICE.format(within('x.occurred_at', 's'))}",
    "watch": f"""DELETE FROM watch w WHERE w.resident_id = %(resident)s OR w.installation_id = ANY(%(own)s)
        OR w.rule_id = ANY(%(rules)s)
        OR w.due_at IS NULL AND EXISTS (SELECT 1 FROM {AS_STRETCHES}
            WHERE s.installation_id = w.installation_id AND {within("w.since", "s")})""",
    "home_word": f"""DELETE FROM home_word x WHERE EXISTS (SELECT 1 FROM {AS_ALONE}
        WHERE h.dwelling_id = x.dwelling_id AND {within("x.occurred_at", "h")})""",
    "command": f"DELETE FROM command c WHERE {THEIR_COMMANDS}",
    "sign_of_life": "DELETE FROM sign_of_life WHERE silence_id = ANY(%(silences)s)",
    "held_back": f"""DELETE FROM held_back x WHERE x.silence_id = ANY(%(silences)s) OR x.alert_id = ANY(%(alerts)s)
        OR {HELD_BACK}""",
    "silence": "DELETE FROM silence WHERE id = ANY(%(silences)s)",
    "page": "DELETE FROM page WHERE alert_id = ANY(%(alerts)s)",
    "answer": "DELETE FROM answer WHERE alert_id = ANY(%(alerts)s)",
    "alert_note": "DELETE FROM alert_note WHERE alert_id = ANY(%(alerts)s)",
    "alert_entry": "DELETE FROM alert_entry WHERE alert_id = ANY(%(alerts)s)",
    "alert": "DELETE FROM alert WHERE id = ANY(%(alerts)s)",
    "position": f"""DELETE FROM position x WHERE x.installation_id = ANY(%(own)s) OR EXISTS (SELECT 1 FROM {AS_STRETCHES}
        WHERE s.device_id = x.device_id AND {within("x.occurred_at", "s")}
          AND (x.installation_id IS NULL OR x.installation_id = s.installation_id))""",
    "dose_schedule": "DELETE FROM dose_schedule WHERE installation_id = ANY(%(own)s)",
    "reach_gap": "DELETE FROM reach_gap WHERE policy_id = ANY(%(policies)s)",
    "policy_version": "DELETE FROM policy_version WHERE policy_id = ANY(%(policies)s)",
    "policy": "DELETE FROM policy WHERE id = ANY(%(policies)s)",
    "rule_version": "DELETE FROM rule_version WHERE rule_id = ANY(%(rules)s)",
}
"""By table, in the order of locks and references."""

_LAST = {
    "rule": "DELETE FROM rule WHERE id = ANY(%(rules)s)",
    "installation": "DELETE FROM installation WHERE id = ANY(%(own)s)",
    "residency": "DELETE FROM residency WHERE resident_id = %(resident)s",
    "resident": "DELETE FROM resident WHERE id = %(resident)s",
}

_GONE = {
    "alert": "alerts", "rule": "rules", "command": "commands", "silence": "silences", "policy": "policies",
    "dose_schedule": "doses",
}  # fmt: skip
"""What the audit tells of, by its word for it: and the argument that has the ids."""

_AUDIT = f"""
    DELETE FROM audit x WHERE x.object = 'resident' AND x.object_id = %(resident)s
        OR (x.object, x.object_id) IN (
            SELECT g.key, n.id::bigint FROM jsonb_each(%(gone)s::jsonb) g CROSS JOIN jsonb_array_elements_text(g.value) n (id))
        OR x.params -> 'resident' = to_jsonb(%(resident)s::bigint) OR x.params -> 'resident_id' = to_jsonb(%(resident)s::bigint)
        OR x.params -> 'residents' = jsonb_build_array(%(resident)s::bigint)
        OR jsonb_typeof(x.params -> 'alert') = 'number' AND (x.params ->> 'alert')::numeric = ANY(%(gone_alerts)s::numeric[])
        OR x.object = 'device' AND (x.params -> 'dwelling') IN (SELECT to_jsonb(d) FROM unnest(%(dwellings)s::bigint[]) d)
           AND EXISTS (SELECT 1 FROM {AS_STRETCHES} WHERE s.own AND s.device_id = x.object_id)"""

_AUDIT_OF_MANY = """
    UPDATE audit SET params = jsonb_set(params, '{residents}', (
        SELECT coalesce(jsonb_agg(r), '[]') FROM jsonb_array_elements(params -> 'residents') r
        WHERE r <> to_jsonb(%(resident)s::bigint)))
    WHERE params -> 'residents' @> to_jsonb(%(resident)s::bigint)"""

_EVIDENCE = f"""
    UPDATE alert_entry x SET params = jsonb_set(jsonb_set(x.params, '{{evidence,fields}}', '{{}}'),
                                                '{{evidence,device}}', 'null')
    WHERE x.params -> 'evidence' ->> 'device' IS NOT NULL
      AND EXISTS (SELECT 1 FROM {AS_STRETCHES} JOIN site n ON n.id = s.site_id
                  WHERE concat_ws('/', n.name, s.ecosystem, s.address) = x.params -> 'evidence' ->> 'device'
                    AND {within("(x.params -> 'evidence' ->> 'occurred_at')::timestamptz", "s")})"""


class StillOpen(GatewayError):
    """An alert is open."""


async def open_alerts(connection: Connection, scope: Scope) -> list[tuple[UUID, str]]:
    """Alerts that would go and are not over: uid and condition."""
    cursor = await connection.execute(
        f"SELECT uid, condition FROM alert WHERE closed_at IS NULL AND id IN ({THEIR_ALERTS}) ORDER BY id",
        scope.arguments,
    )
    return [(row["uid"], row["condition"]) for row in await cursor.fetchall()]


async def require_closed(connection: Connection, scope: Scope) -> None:
    """StillOpen where an alert was raised since it was looked."""
    if await open_alerts(connection, scope):
        raise StillOpen("an alert was raised meanwhile: deal with it, then erase again")


async def register(connection: Connection, scope: Scope) -> tuple[Scope, Counts]:
    """The register and what hangs on it: afterwards no list has them, and no row leads to them. The scope with what is gone."""
    given = scope.arguments
    given["rules"] = await _ids(
        connection, "SELECT id FROM rule WHERE resident_id = %(resident)s OR installation_id = ANY(%(own)s)", given
    )
    given["alerts"] = await _ids(connection, f"{THEIR_ALERTS} ORDER BY a.id FOR UPDATE OF a", given)
    given["commands"] = await _ids(connection, f"SELECT c.id FROM command c WHERE {THEIR_COMMANDS}", given)
    given["silences"] = await _ids(
        connection, "SELECT id FROM silence WHERE resident_id = %(resident)s OR installation_id = ANY(%(own)s)", given
    )
    given["policies"] = await _ids(connection, "SELECT id FROM policy WHERE resident_id = %(resident)s", given)
    given["doses"] = await _ids(connection, "SELECT id FROM dose_schedule WHERE installation_id = ANY(%(own)s)", given)
    counts: Counts = {}
    for table, statement in _FIRST.items():
        counts[table] = (await connection.execute(statement, given)).rowcount
    await connection.execute("UPDATE alert SET rule_id = NULL WHERE rule_id = ANY(%(rules)s)", given)
    for table, statement in _LAST.items():
        counts[table] = (await connection.execute(statement, given)).rowcount
    for statement in NAMED.values():
        await connection.execute(statement, given)
    empty = await _empty_dwellings(connection, scope)
    gone = {name: tuple(given[of]) for name, of in _GONE.items()}
    return scope.model_copy(update={"gone": {**gone, "dwelling": tuple(empty)}}), {**counts, "dwelling": len(empty)}


async def _quarantine(connection: Connection, scope: Scope) -> Counts:
    given = scope.arguments
    given["quarantined"] = await _ids(connection, f"SELECT q.id FROM quarantine q WHERE {QUARANTINED}", given)
    lines = await connection.execute(
        "DELETE FROM audit WHERE object = 'quarantine' AND object_id = ANY(%(quarantined)s)", given
    )
    gone = await connection.execute("DELETE FROM quarantine WHERE id = ANY(%(quarantined)s)", given)
    return {"quarantine": gone.rowcount, "audit": lines.rowcount}


async def _audit(connection: Connection, scope: Scope) -> Counts:
    gone = await connection.execute(_AUDIT, scope.arguments)
    await connection.execute(_AUDIT_OF_MANY, scope.arguments)
    return {"audit": gone.rowcount}


async def _evidence(connection: Connection, scope: Scope) -> Counts:
    await connection.execute(_EVIDENCE, scope.arguments)
    return {}


async def _policies(connection: Connection, scope: Scope) -> Counts:
    await connection.execute(ALERT_POLICY, scope.arguments)
    return {}


def throughout() -> Iterator[Callable[[Connection, Scope], Awaitable[Counts]]]:
    """What has to be looked for in whole tables once the register is gone: each a transaction of its own, which may last."""
    yield _quarantine
    yield _audit
    yield _evidence
    yield _policies
    for columns, cast in ((FREE_TEXT, "text"), (FREE_JSON, "jsonb")):
        for table, column in columns:
            yield partial(_free_text, table=table, column=column, cast=cast)


async def what_came_late(connection: Connection, scope: Scope) -> Counts:
    """What was stored while the register went: of devices and times, since there are no fittings any more."""
    late = ("device_part", "position", "home_word")
    given = scope.arguments
    return {table: (await connection.execute(_FIRST[table], given)).rowcount for table in late}


async def _empty_dwellings(connection: Connection, scope: Scope) -> list[int]:
    """A home that nothing is known of any more goes. One that somebody else had and nobody has now keeps its address; how
    to get in was told of whoever lived there."""
    gone = []
    for each in scope.dwellings:
        try:
            async with connection.transaction():
                await connection.execute("DELETE FROM dwelling WHERE id = %s", (each,))
            gone.append(each)
        except errors.ForeignKeyViolation:
            await connection.execute(
                """UPDATE dwelling w SET access = '' WHERE id = %s AND access <> '' AND NOT EXISTS (
                       SELECT 1 FROM residency y WHERE y.dwelling_id = w.id AND upper_inf(y.during))""",
                (each,),
            )
    return gone


async def _free_text(connection: Connection, scope: Scope, table: str, column: str, cast: str) -> Counts:
    """What others wrote or were told keeps its sense without the name, the number and the uid."""
    await connection.execute(
        sql.SQL(
            """UPDATE {table} SET {column} = regexp_replace({column}::text, %(terms)s, %(instead)s, 'gi')::{cast}
               WHERE {column}::text ~* %(terms)s"""
        ).format(table=sql.Identifier(table), column=sql.Identifier(column), cast=sql.SQL(cast)),
        {"terms": scope.pattern, "instead": ERASED},
    )
    return {}


async def _ids(connection: Connection, query: str, given: dict[str, object]) -> list[int]:
    cursor = await connection.execute(query, given)
    return [row["id"] for row in await cursor.fetchall()]


def _sum(counts: Counts, more: dict[str, int]) -> Counts:
    return {name: counts.get(name, 0) + more.get(name, 0) for name in {*counts, *more}}


def searched() -> set[str]:
    """Every column in which others' words are looked through, as ``table.column``."""
    return {f"{table}.{column}" for table, column in (*FREE_TEXT, *FREE_JSON)} | {*NAMED, "alert.policy"}


def tables() -> Sequence[str]:
    """Every table that rows are taken from."""
    return [*SAID, RAW, *_FIRST, *_LAST, "quarantine", "audit", "dwelling"]
