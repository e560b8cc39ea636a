"""Rosters as they are planned and changed: what escalation and the pages make duties of, and the rows that people keep.

Everything that changes a zone's roster first locks the zone: two planners at once see each other's work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from alerts.checkin import CheckIn
from alerts.roster import A_MONDAY, EVERY_DAY, Absence, Change, Layer, Part, Plan, Planned, Rotation, Shift
from gateway.store.db import Connection, new_uid
from gateway.store.zones import UP

Row = Mapping[str, Any]
Dated = tuple[int, datetime, datetime, str]
"""A shift of a date: person, from, until, and the id that its source knows it by."""
BEFORE = timedelta(days=2)
"""Shifts of single dates are read from so long before: one may have begun then, and duty without a break is counted from its
beginning."""

# Reading --------------------------------------------------------------------------------------------------------------


async def read(
    connection: Connection, zone_id: int, since: datetime, until: datetime
) -> tuple[dict[str, Plan], dict[int, timedelta]]:
    """What there is to know of a zone's duty from a time until another, by role; and by nearness of the zones around it, how
    long whoever serves there may take to check in (none of those that do not ask). One way to the server and back."""
    span = {"zone": zone_id, "since": since - BEFORE, "until": until}
    async with connection.pipeline():
        asked = [
            await connection.execute(query.encode(), span)
            for query in (_SHIFTS, _ROTATIONS, _PLANNED, _CHANGES, _ABSENCES, _GRACES)
        ]
    shifts, rotations, planned, changes, away, minutes = [await each.fetchall() for each in asked]
    absences = [_absence(row) for row in away]
    roles = {row["role"] for row in (*shifts, *rotations, *planned, *changes)}
    plans = {
        role: Plan(
            [_shift(row) for row in shifts if row["role"] == role],
            [_rotation(row) for row in rotations if row["role"] == role],
            [_planned(row) for row in planned if row["role"] == role],
            [_change(row) for row in changes if row["role"] == role],
            absences,
        )
        for role in roles
    }
    return plans, _graces(minutes)


def _graces(rows: Sequence[Row]) -> dict[int, timedelta]:
    found, minutes = dict[int, timedelta](), 0
    for row in rows:  # from the outside in: what a zone does not say, the one around it does
        minutes = minutes if row["minutes"] is None else row["minutes"]
        if minutes:
            found[row["nearness"]] = timedelta(minutes=minutes)
    return found


async def _rows(connection: Connection, query: str, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    cursor = await connection.execute(query.encode(), arguments)
    return await cursor.fetchall()


_SHIFTS = f"""{UP}
    SELECT r.role, r.person_id, r.weekday, r.start_time, r.end_time, r.position, r.from_date, r.to_date, r.weeks, r.week,
           r.anchor, r.on_days, up.nearness
    FROM up JOIN roster_shift r ON r.zone_id = up.id
    WHERE r.to_date IS NULL OR r.to_date >= (%(since)s::timestamptz AT TIME ZONE 'UTC')::date - 1"""

_ROTATIONS = f"""{UP}
    SELECT r.role, r.first_day, r.hand_over, r.turn_days, r.start_time, r.end_time, r.weekdays, r.position, r.to_date,
           up.nearness, ARRAY(SELECT t.person_id FROM rotation_person t WHERE t.rotation_id = r.id ORDER BY t.turn) AS persons
    FROM up JOIN rotation r ON r.zone_id = up.id
    WHERE r.to_date IS NULL OR r.to_date >= (%(since)s::timestamptz AT TIME ZONE 'UTC')::date - 1 ORDER BY r.id"""

_PLANNED = f"""{UP}
    SELECT p.role, p.person_id, lower(p.during) AS begins, upper(p.during) AS ends, p.position, up.nearness
    FROM up JOIN planned_shift p ON p.zone_id = up.id AND p.during && tstzrange(%(since)s, %(until)s, '[]')"""

_CHANGES = f"""{UP}
    SELECT o.id, 0 AS layer, o.role, up.nearness, o.position, o.leaves_id, o.comes_id, lower(o.during) AS begins,
           upper(o.during) AS ends, NULL::timestamptz AS back_begins, NULL::timestamptz AS back_ends
    FROM up JOIN roster_override o ON o.zone_id = up.id AND o.withdrawn_at IS NULL
         AND o.during && tstzrange(%(since)s, %(until)s, '[]')
    UNION ALL
    SELECT s.id, 1, s.role, up.nearness, 0, s.asks_id, s.gives_id, lower(s.asks_during), upper(s.asks_during),
           lower(s.gives_during), upper(s.gives_during)
    FROM up JOIN roster_swap s ON s.zone_id = up.id AND s.state = 'accepted'
         AND (s.asks_during && tstzrange(%(since)s, %(until)s, '[]') OR s.gives_during && tstzrange(%(since)s, %(until)s, '[]'))
    ORDER BY layer, id"""

_GRACES = (
    f"{UP} SELECT up.nearness, z.check_in_minutes AS minutes FROM up JOIN zone z ON z.id = up.id ORDER BY nearness DESC"
)

_ABSENCES = """SELECT a.person_id, lower(a.during) AS begins, upper(a.during) AS ends, a.cover_id FROM absence a
    WHERE a.withdrawn_at IS NULL AND a.during && tstzrange(%(since)s, %(until)s, '[]') ORDER BY a.id"""


def _shift(row: Row) -> Shift:
    return Shift(
        person_id=row["person_id"],
        weekday=row["weekday"],
        start=row["start_time"],
        end=row["end_time"],
        position=row["position"],
        from_date=row["from_date"] or date.min,
        to_date=row["to_date"],
        weeks=row["weeks"],
        week=row["week"],
        anchor=row["anchor"] or A_MONDAY,
        days=frozenset(row["on_days"] or ()),
        nearness=row["nearness"],
    )


def _rotation(row: Row) -> Rotation:
    return Rotation(
        persons=tuple(row["persons"]),
        first_day=row["first_day"],
        hand_over=row["hand_over"],
        turn_days=row["turn_days"],
        start=row["start_time"],
        end=row["end_time"],
        weekdays=frozenset(row["weekdays"]) or EVERY_DAY,
        position=row["position"],
        to_date=row["to_date"],
        nearness=row["nearness"],
    )


def _planned(row: Row) -> Planned:
    return Planned(row["person_id"], row["begins"], row["ends"], row["position"], row["nearness"])


def _change(row: Row) -> Change:
    there = Part(row["leaves_id"], row["comes_id"], row["begins"], row["ends"])
    if row["layer"] == 0:
        return Change(Layer.OVERRIDE, (there,), row["position"], row["nearness"])
    back = Part(row["comes_id"], row["leaves_id"], row["back_begins"], row["back_ends"])
    return Change(Layer.SWAP, (there, back), nearness=row["nearness"])


def _absence(row: Row) -> Absence:
    return Absence(row["person_id"], row["begins"], row["ends"], row["cover_id"])


# Check-in -------------------------------------------------------------------------------------------------------------


async def set_grace(
    connection: Connection, zone_id: int, minutes: int | None, now: datetime, *, tests: bool | None = None
) -> None:
    """None: as the zone above. Every zone that uses check-in, or did until now, is looked at anew."""
    await connection.execute(
        "UPDATE zone SET check_in_minutes = %s, check_in_tests = %s WHERE id = %s", (minutes, tests, zone_id)
    )
    await connection.execute(
        f"INSERT INTO roster_look (zone_id, due_at) SELECT id, %(now)s FROM ({_USING}) z ON CONFLICT (zone_id) DO NOTHING",
        {"now": now},
    )
    await look_again(connection, [zone_id], now)


_USING = """WITH RECURSIVE uses AS (
    SELECT id, coalesce(check_in_minutes, 0) AS minutes FROM zone WHERE parent_id IS NULL
    UNION ALL SELECT z.id, coalesce(z.check_in_minutes, u.minutes) FROM zone z JOIN uses u ON z.parent_id = u.id)
    SELECT id FROM uses WHERE minutes > 0"""


async def check_ins(connection: Connection, persons: Collection[int], now: datetime) -> dict[int, CheckIn]:
    """When these persons last checked in, by then."""
    rows = await _rows(
        connection,
        """SELECT DISTINCT ON (person_id) person_id, in_at, out_at FROM check_in
           WHERE person_id = ANY(%(persons)s) AND in_at <= %(now)s ORDER BY person_id, id DESC""",
        {"persons": sorted(persons), "now": now},
    )
    return {row["person_id"]: CheckIn(**row) for row in rows}


async def check_in(connection: Connection, person_id: int, now: datetime) -> None:
    """Somebody is on duty from now on; what they forgot to check out of is over."""
    await check_out(connection, person_id, now)
    await connection.execute("INSERT INTO check_in (person_id, in_at) VALUES (%s, %s)", (person_id, now))


async def check_out(connection: Connection, person_id: int, now: datetime) -> bool:
    """Whether there was anything to check out of."""
    cursor = await connection.execute(
        "UPDATE check_in SET out_at = greatest(in_at, %s) WHERE person_id = %s AND out_at IS NULL", (now, person_id)
    )
    return cursor.rowcount > 0


async def look_again(connection: Connection, zones: Collection[int], now: datetime) -> None:
    """The roster of these zones has changed: whoever is missed there, or below, is looked for at once."""
    await connection.execute(
        """WITH RECURSIVE below AS (
               SELECT unnest(%(zones)s::bigint[]) AS id
               UNION SELECT z.id FROM zone z JOIN below b ON z.parent_id = b.id)
           UPDATE roster_look SET due_at = %(now)s WHERE due_at > %(now)s AND zone_id IN (SELECT id FROM below)""",
        {"zones": sorted(zones), "now": now},
    )


async def look_again_for(connection: Connection, persons: Collection[int], now: datetime) -> None:
    """These came, went, or are away: wherever they have a role whose shifts are checked in to."""
    rows = await _rows(
        connection,
        "SELECT DISTINCT zone_id FROM assignment WHERE person_id = ANY(%(persons)s) AND role = 'responder'",
        {"persons": sorted(persons)},
    )
    await look_again(connection, [row["zone_id"] for row in rows], now)


async def oldest_overdue(connection: Connection, now: datetime) -> datetime | None:
    """Since when a zone waits to be looked at."""
    rows = await _rows(connection, "SELECT min(due_at) AS due FROM roster_look WHERE due_at <= %(now)s", {"now": now})
    return rows[0]["due"] if rows else None


async def looked_at(connection: Connection) -> list[int]:
    """The zones that use check-in."""
    return [row["zone_id"] for row in await _rows(connection, "SELECT zone_id FROM roster_look ORDER BY zone_id", {})]


async def lock_looks(connection: Connection, now: datetime, limit: int) -> list[int]:
    """The zones that are to be looked at, also those that are new below one that uses check-in; those that another process has
    are left to it."""
    await connection.execute(
        f"""INSERT INTO roster_look (zone_id, due_at) SELECT id, %(now)s FROM ({_USING}) z
            WHERE NOT EXISTS (SELECT 1 FROM roster_look l WHERE l.zone_id = z.id) ON CONFLICT (zone_id) DO NOTHING""",
        {"now": now},
    )
    rows = await _rows(
        connection,
        """SELECT zone_id FROM roster_look WHERE due_at <= %(now)s ORDER BY zone_id
           FOR UPDATE SKIP LOCKED LIMIT %(limit)s""",
        {"now": now, "limit": limit},
    )
    return [row["zone_id"] for row in rows]


async def look_next(connection: Connection, zone_id: int, due_at: datetime | None) -> None:
    """None: never again, until check-in is used there."""
    if due_at is None:
        await connection.execute("DELETE FROM roster_look WHERE zone_id = %s", (zone_id,))
    else:
        await connection.execute("UPDATE roster_look SET due_at = %s WHERE zone_id = %s", (due_at, zone_id))


async def missed_keys(connection: Connection, prefix: str) -> list[str]:
    """The keys of open alerts that begin so."""
    rows = await _rows(
        connection,
        "SELECT key FROM alert WHERE closed_at IS NULL AND starts_with(key, %(prefix)s) ORDER BY key",
        {"prefix": prefix},
    )
    return [row["key"] for row in rows]


async def was_missed(connection: Connection, zone_id: int, key: str, since: datetime) -> bool:
    """Whether an alert of this key was raised in a zone since then, be it closed by now."""
    rows = await _rows(
        connection,
        "SELECT 1 FROM alert WHERE zone_id = %(zone)s AND key = %(key)s AND raised_at >= %(since)s LIMIT 1",
        {"zone": zone_id, "key": key, "since": since},
    )
    return bool(rows)


async def site_for(connection: Connection, zone_id: int) -> int | None:
    """A site that what concerns a zone's staff can be raised at: the zone's, else the nearest around it, else any."""
    rows = await _rows(
        connection,
        f"{UP} SELECT s.id FROM site s LEFT JOIN up ON up.id = s.zone_id ORDER BY up.nearness NULLS LAST, s.id LIMIT 1",
        {"zone": zone_id},
    )
    return int(rows[0]["id"]) if rows else None


# What people keep -----------------------------------------------------------------------------------------------------


async def lock_zone(connection: Connection, zone_id: int) -> None:
    await connection.execute("SELECT 1 FROM zone WHERE id = %s FOR NO KEY UPDATE", (zone_id,))


async def lock_person(connection: Connection, person_id: int) -> None:
    await connection.execute("SELECT 1 FROM person WHERE id = %s FOR NO KEY UPDATE", (person_id,))


async def add(connection: Connection, table: str, values: Mapping[str, Any]) -> tuple[int, UUID]:
    """A row of one of these tables. ``values`` by column; a pair of times is a range."""
    given = {"uid": new_uid(), **values}
    names, places = ", ".join(given), ", ".join(_place(value) for value in given.values())
    cursor = await connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING id, uid".encode(), _flat(given.values())
    )
    row = await cursor.fetchone()
    if row is None:
        raise LookupError("an INSERT answered no row")
    return row["id"], row["uid"]


async def change(connection: Connection, table: str, id_: int, version: int, values: Mapping[str, Any]) -> bool:
    """Whether it still was as it is in that version, and is changed."""
    sets = ", ".join(f"{name} = {_place(value)}" for name, value in values.items())
    cursor = await connection.execute(
        f"UPDATE {table} SET {sets}, version = version + 1 WHERE id = %s AND version = %s".encode(),
        (*_flat(values.values()), id_, version),
    )
    return cursor.rowcount == 1


async def remove(connection: Connection, table: str, id_: int, version: int) -> bool:
    """A recurring plan that has not begun is taken back. Whether it still was as it is in that version."""
    if table == "rotation":
        await connection.execute(
            """DELETE FROM rotation_person t USING rotation r
               WHERE t.rotation_id = r.id AND r.id = %s AND r.version = %s""",
            (id_, version),
        )
    cursor = await connection.execute(f"DELETE FROM {table} WHERE id = %s AND version = %s".encode(), (id_, version))
    return cursor.rowcount == 1


def _place(value: object) -> str:
    return "tstzrange(%s, %s)" if isinstance(value, tuple) else "%s"


def _flat(values: Iterable[Any]) -> list[Any]:
    return [each for value in values for each in (value if isinstance(value, tuple) else (value,))]


async def add_turns(connection: Connection, rotation_id: int, persons: Sequence[int]) -> None:
    for turn, person in enumerate(persons):
        await connection.execute("INSERT INTO rotation_person VALUES (%s, %s, %s)", (rotation_id, turn, person))


async def find(connection: Connection, table: str, uid: UUID) -> dict[str, Any] | None:
    """A row of one of these tables as it is, with the ends of its ranges."""
    rows = await _rows(
        connection, f"SELECT t.*{_ENDS.get(table, '')} FROM {table} t WHERE t.uid = %(uid)s", {"uid": uid}
    )
    return rows[0] if rows else None


_ENDS = {
    "roster_override": ", lower(t.during) AS begins, upper(t.during) AS ends",
    "absence": ", lower(t.during) AS begins, upper(t.during) AS ends",
    "roster_swap": """, lower(t.asks_during) AS asks_begins, upper(t.asks_during) AS asks_ends,
                      lower(t.gives_during) AS gives_begins, upper(t.gives_during) AS gives_ends""",
}


async def rotations(connection: Connection, zone_id: int) -> list[dict[str, Any]]:
    """Those that cover a zone, with their zone and persons in order."""
    return await _rows(
        connection,
        f"""{UP} SELECT r.*, z.uid AS zone_uid, z.name AS zone,
                  ARRAY(SELECT t.person_id FROM rotation_person t WHERE t.rotation_id = r.id ORDER BY t.turn) AS persons
           FROM up JOIN zone z ON z.id = up.id JOIN rotation r ON r.zone_id = up.id ORDER BY r.role, r.name, r.id""",
        {"zone": zone_id},
    )


async def overrides(connection: Connection, zone_id: int, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Those of a zone and around it that are not withdrawn."""
    return await _rows(
        connection,
        f"""{UP} SELECT t.*{_ENDS["roster_override"]}, z.uid AS zone_uid, z.name AS zone
            FROM up JOIN zone z ON z.id = up.id JOIN roster_override t ON t.zone_id = up.id
            WHERE t.withdrawn_at IS NULL AND t.during && tstzrange(%(since)s, %(until)s) ORDER BY begins, t.id""",
        {"zone": zone_id, "since": since, "until": until},
    )


async def swaps(connection: Connection, zone_id: int, since: datetime) -> list[dict[str, Any]]:
    """Those of a zone and around it that are proposed or accepted, and not over."""
    return await _rows(
        connection,
        f"""{UP} SELECT t.*{_ENDS["roster_swap"]}, z.uid AS zone_uid, z.name AS zone
            FROM up JOIN zone z ON z.id = up.id JOIN roster_swap t ON t.zone_id = up.id
            WHERE t.state IN ('proposed', 'accepted') AND greatest(upper(t.asks_during), upper(t.gives_during)) > %(since)s
            ORDER BY t.id""",
        {"zone": zone_id, "since": since},
    )


async def absences(
    connection: Connection, persons: Collection[int], since: datetime, until: datetime | None
) -> list[dict[str, Any]]:
    """Those of these persons that are not withdrawn."""
    return await _rows(
        connection,
        f"""SELECT t.*{_ENDS["absence"]} FROM absence t
            WHERE t.withdrawn_at IS NULL AND t.person_id = ANY(%(persons)s) AND t.during && tstzrange(%(since)s, %(until)s)
            ORDER BY begins, t.id""",
        {"persons": sorted(persons), "since": since, "until": until},
    )


async def zones_served(connection: Connection, person_id: int, now: datetime) -> list[dict[str, Any]]:
    """The zones in which somebody has a role that serves, each with the role; and those below them that have a roster of their
    own (``below``). ``uses``: whether one checks in there."""
    return await _rows(
        connection,
        f"""WITH RECURSIVE covered AS (
                SELECT zone_id AS id, role, false AS below FROM assignment
                WHERE person_id = %(person)s AND during @> %(now)s::timestamptz AND role IN ('responder', 'technical')
                UNION SELECT z.id, c.role, true FROM zone z JOIN covered c ON z.parent_id = c.id)
            SELECT z.id, z.uid, z.name, c.role, bool_and(c.below) AS below, z.id IN ({_USING}) AS uses
            FROM covered c JOIN zone z ON z.id = c.id
            WHERE NOT c.below OR EXISTS (SELECT 1 FROM roster_shift r WHERE r.zone_id = z.id AND r.role = c.role)
                  OR EXISTS (SELECT 1 FROM rotation r WHERE r.zone_id = z.id AND r.role = c.role)
                  OR EXISTS (SELECT 1 FROM planned_shift r WHERE r.zone_id = z.id AND r.role = c.role)
            GROUP BY z.id, c.role ORDER BY z.name, z.id, c.role""",
        {"person": person_id, "now": now},
    )


async def staff_of(connection: Connection, zones: Collection[int], now: datetime) -> list[dict[str, Any]]:
    """Whoever works and has a role that serves in one of these zones."""
    return await _rows(
        connection,
        """SELECT DISTINCT p.id, p.uid FROM assignment g JOIN person p ON p.id = g.person_id AND p.active
           WHERE g.zone_id = ANY(%(zones)s) AND g.during @> %(now)s::timestamptz AND g.role IN ('responder', 'technical')""",
        {"zones": sorted(zones), "now": now},
    )


async def own_check_in(connection: Connection, zone_id: int) -> tuple[int | None, bool | None]:
    """What a zone itself says of check-in: minutes, and whether it sends a test page."""
    query = "SELECT check_in_minutes, check_in_tests FROM zone WHERE id = %(zone)s"
    rows = await _rows(connection, query, {"zone": zone_id})
    return (rows[0]["check_in_minutes"], rows[0]["check_in_tests"]) if rows else (None, None)


# Imports --------------------------------------------------------------------------------------------------------------


async def planned_by(
    connection: Connection, zone_id: int, role: str, source: str, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """What a source has brought for a time."""
    return await _rows(
        connection,
        """SELECT id, person_id, lower(during) AS begins, upper(during) AS ends, event FROM planned_shift
           WHERE zone_id = %(zone)s AND role = %(role)s AND source = %(source)s AND lower(during) >= %(since)s
             AND lower(during) < %(until)s
           ORDER BY begins, id""",
        {"zone": zone_id, "role": role, "source": source, "since": since, "until": until},
    )


async def drop_planned(connection: Connection, ids: Sequence[int]) -> None:
    await connection.execute("DELETE FROM planned_shift WHERE id = ANY(%s)", (list(ids),))


async def plan(connection: Connection, zone_id: int, role: str, source: str, rows: Iterable[Dated]) -> None:
    for person, begins, ends, event in rows:
        await connection.execute(
            """INSERT INTO planned_shift (zone_id, role, person_id, during, source, event)
               VALUES (%s, %s, %s, tstzrange(%s, %s), %s, %s)""",
            (zone_id, role, person, begins, ends, source, event),
        )


async def persons_by_name(connection: Connection, names: Collection[str], persons: Collection[int]) -> dict[str, int]:
    """Who of these persons is meant by a user name, an e-mail address or a name; what fits two of them means nobody."""
    rows = await _rows(
        connection,
        """SELECT lower(k.known) AS known, min(p.id) AS id FROM person p CROSS JOIN LATERAL (
               SELECT p.username AS known UNION SELECT p.name UNION SELECT p.uid::text
               UNION SELECT c.address FROM contact c WHERE c.person_id = p.id AND c.channel = 'email') k
           WHERE p.id = ANY(%(persons)s) AND lower(k.known) = ANY(%(names)s)
           GROUP BY lower(k.known) HAVING count(DISTINCT p.id) = 1""",
        {"persons": sorted(persons), "names": sorted({each.lower() for each in names})},
    )
    return {row["known"]: row["id"] for row in rows}


# Feeds ----------------------------------------------------------------------------------------------------------------


async def feeds(connection: Connection, person_id: int) -> list[dict[str, Any]]:
    return await _rows(
        connection,
        """SELECT f.*, z.uid AS zone_uid, z.name AS zone FROM roster_feed f LEFT JOIN zone z ON z.id = f.zone_id
           WHERE f.person_id = %(person)s AND f.revoked_at IS NULL ORDER BY f.id""",
        {"person": person_id},
    )


async def feed_by(connection: Connection, token_hash: bytes) -> dict[str, Any] | None:
    """A feed that is in force, of somebody who works."""
    rows = await _rows(
        connection,
        """SELECT f.*, z.uid AS zone_uid, z.name AS zone, p.uid AS person_uid, p.name AS person, p.language
           FROM roster_feed f JOIN person p ON p.id = f.person_id AND p.active LEFT JOIN zone z ON z.id = f.zone_id
           WHERE f.token_hash = %(hash)s AND f.revoked_at IS NULL""",
        {"hash": token_hash},
    )
    return rows[0] if rows else None


async def revoke_feed(connection: Connection, person_id: int, uid: UUID, now: datetime) -> int | None:
    """Its id, where it was theirs and in force."""
    cursor = await connection.execute(
        "UPDATE roster_feed SET revoked_at = %s WHERE uid = %s AND person_id = %s AND revoked_at IS NULL RETURNING id",
        (now, uid, person_id),
    )
    row = await cursor.fetchone()
    return int(row["id"]) if row else None
