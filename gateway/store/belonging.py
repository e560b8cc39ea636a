"""What belongs to a resident: the fittings that were theirs, and what a home's devices said while they lived there alone.

Rules
    A fitting is theirs where it is for them, for as long as it lasts; and one for nobody in particular where nobody else
    ever lived while it lasted, and it is over. Of any other for nobody in particular, the times in which they lived there
    alone are theirs, and no more: what a home's devices say while two live there is both's, and neither's alone.
    What a device said while it was fitted nowhere is nobody's; but what came before its fitting was entered is found by
    device and time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from pydantic import BaseModel, ConfigDict

from gateway.store.db import Connection

Row = dict[str, Any]
SHORTEST_TERM = 5
"""Letters. Nothing shorter is looked for in a text: it would be found everywhere."""


class Stretch(BaseModel):
    """A device in a fitting, from ``since`` until before ``until`` (None: no such bound) by the device's time. ``own``: the
    whole fitting is theirs."""

    model_config = ConfigDict(frozen=True)

    device_id: int
    installation_id: int
    dwelling_id: int
    site_id: int
    ecosystem: str
    address: str
    own: bool
    since: datetime | None
    until: datetime | None


class Alone(BaseModel):
    """When somebody lived alone in a dwelling."""

    model_config = ConfigDict(frozen=True)

    dwelling_id: int
    since: datetime | None
    until: datetime | None


class Scope(BaseModel):
    """All that belongs to a resident, by the register. ``dwellings``: where they lived, or had something fitted; ``terms``:
    what they are known by in a text, and nobody else; ``gone``: ids of what went with the register, by the audit's word for
    it (who looks for lines about it has nothing else to go by)."""

    model_config = ConfigDict(frozen=True)

    resident: int
    uid: UUID
    terms: tuple[str, ...]
    stretches: tuple[Stretch, ...]
    alone: tuple[Alone, ...]
    dwellings: tuple[int, ...]
    gone: dict[str, tuple[int, ...]] = {}

    @property
    def own(self) -> list[int]:
        """The fittings that are theirs as a whole."""
        return sorted({each.installation_id for each in self.stretches if each.own})

    @property
    def pattern(self) -> str:
        """A pattern that finds in a text what they alone are known by."""
        return "|".join(re.sub(r"([^\w\s])", r"\\\1", each) for each in self.terms)

    @property
    def arguments(self) -> dict[str, Any]:
        """For the parts of queries below."""
        return {
            "resident": self.resident,
            "own": self.own,
            "terms": self.pattern,
            "spelled": [*self.terms, *(json.dumps(each)[1:-1] for each in self.terms)],
            "dwellings": list(self.dwellings),
            "gone": json.dumps(self.gone),
            "gone_alerts": list(self.gone.get("alert", ())),
            **{f"s_{name}": [getattr(each, name) for each in self.stretches] for name in Stretch.model_fields},
            **{f"a_{name}": [getattr(each, name) for each in self.alone] for name in Alone.model_fields},
        }


AS_STRETCHES = """
    unnest(%(s_device_id)s::bigint[], %(s_installation_id)s::bigint[], %(s_dwelling_id)s::bigint[], %(s_site_id)s::bigint[],
           %(s_ecosystem)s::text[], %(s_address)s::text[], %(s_own)s::boolean[], %(s_since)s::timestamptz[],
           %(s_until)s::timestamptz[])
        AS s (device_id, installation_id, dwelling_id, site_id, ecosystem, address, own, since, until)"""
AS_ALONE = """
    unnest(%(a_dwelling_id)s::bigint[], %(a_since)s::timestamptz[], %(a_until)s::timestamptz[])
        AS h (dwelling_id, since, until)"""


def within(time: str, of: str) -> str:
    """SQL: whether a time is in a stretch or a period."""
    return f"({time} >= coalesce({of}.since, '-infinity') AND {time} < coalesce({of}.until, 'infinity'))"


THEIR_ALERTS = f"""
    SELECT a.id FROM alert a
    WHERE a.resident_id = %(resident)s OR a.installation_id = ANY(%(own)s)
       OR a.resident_id IS NULL AND (
           EXISTS (SELECT 1 FROM {AS_STRETCHES}
                   WHERE s.device_id = a.device_id AND {within("a.occurred_at", "s")}
                     AND (a.installation_id IS NULL OR a.installation_id = s.installation_id))
           OR EXISTS (SELECT 1 FROM {AS_ALONE} WHERE h.dwelling_id = a.dwelling_id AND {within("a.occurred_at", "h")}))"""

THEIR_COMMANDS = f"""
    (c.alert_id = ANY(%(alerts)s) OR c.installation_id = ANY(%(own)s) OR EXISTS (
        SELECT 1 FROM {AS_STRETCHES} WHERE s.installation_id = c.installation_id AND {within("c.requested_at", "s")}))"""
"""Whether a command ``c`` is theirs, once ``alerts`` has the ids of their alerts."""
HELD_BACK = f"""
    (x.resident_id = %(resident)s OR x.installation_id = ANY(%(own)s) OR x.rule_id IN (
         SELECT id FROM rule WHERE resident_id = %(resident)s OR installation_id = ANY(%(own)s))
     OR x.resident_id IS NULL AND EXISTS (
         SELECT 1 FROM {AS_ALONE} WHERE h.dwelling_id = x.dwelling_id AND {within("x.first_at", "h")}))"""
"""Whether what a silence held back, ``x``, is theirs."""

QUARANTINED = f"""
    (EXISTS (SELECT 1 FROM {AS_STRETCHES} WHERE s.site_id = q.site_id AND s.address = q.address
               AND s.ecosystem = coalesce(q.ecosystem, s.ecosystem) AND {within("q.received_at", "s")})
     OR concat_ws(' ', q.topic, q.detail) ~* %(terms)s
     OR EXISTS (SELECT 1 FROM unnest(%(spelled)s::text[]) AS t (term)
                WHERE strpos(lower(encode(q.raw, 'escape')), lower(encode(convert_to(t.term, 'UTF8'), 'escape'))) > 0))"""
"""Whether a message ``q`` in quarantine is theirs: their device said it, or it names them."""

_ALONE = """
    alone AS MATERIALIZED (
        SELECT y.dwelling_id, p.during FROM residency y CROSS JOIN LATERAL unnest(tstzmultirange(y.during) - coalesce(
            (SELECT range_agg(x.during) FROM residency x
             WHERE x.dwelling_id = y.dwelling_id AND x.resident_id <> y.resident_id), '{}')) AS p (during)
        WHERE y.resident_id = %(resident)s)"""

_STRETCHES = f"""
    WITH {_ALONE},
    theirs AS (
        SELECT i.id, true AS own, i.during FROM installation i WHERE i.resident_id = %(resident)s
        UNION ALL
        SELECT i.id, i.during <@ a.during AND NOT upper_inf(i.during), i.during * a.during
        FROM alone a JOIN installation i ON i.dwelling_id = a.dwelling_id AND i.during && a.during
        WHERE i.resident_id IS NULL)
    SELECT i.device_id, t.id AS installation_id, i.dwelling_id, d.site_id, d.ecosystem, d.address, t.own,
           lower(t.during) AS since, upper(t.during) AS until
    FROM theirs t JOIN installation i ON i.id = t.id JOIN device d ON d.id = i.device_id ORDER BY i.device_id, since"""


_KNOWN_BY = """
    SELECT t.id, t.uid, t.name, t.phone,
           NOT EXISTS (SELECT 1 FROM resident o WHERE o.id <> t.id AND lower(o.name) = lower(t.name))
               AND NOT EXISTS (SELECT 1 FROM person p WHERE lower(p.name) = lower(t.name)) AS only_name,
           NOT EXISTS (SELECT 1 FROM resident o WHERE o.id <> t.id AND o.phone = t.phone)
               AND NOT EXISTS (SELECT 1 FROM contact c WHERE c.address = t.phone) AS only_phone
    FROM resident t WHERE t.id = %s"""


async def scope(connection: Connection, resident_id: int) -> Scope | None:
    """What belongs to them now. None where there is no such resident."""
    cursor = await connection.execute(_KNOWN_BY, (resident_id,))
    row = await cursor.fetchone()
    if row is None:
        return None
    known_by = (row["name"] if row["only_name"] else "", row["phone"] if row["only_phone"] else "")
    return Scope(
        resident=row["id"],
        uid=row["uid"],
        terms=(str(row["uid"]), *(each.strip() for each in known_by if len(each.strip()) >= SHORTEST_TERM)),
        stretches=tuple(await _stretches(connection, resident_id)),
        alone=tuple(await _alone(connection, resident_id)),
        dwellings=tuple(await _dwellings(connection, resident_id)),
    )


async def _stretches(connection: Connection, resident_id: int) -> Sequence[Stretch]:
    cursor = connection.cursor(row_factory=class_row(Stretch))
    await cursor.execute(_STRETCHES, {"resident": resident_id})
    return await cursor.fetchall()


async def _alone(connection: Connection, resident_id: int) -> Sequence[Alone]:
    cursor = connection.cursor(row_factory=class_row(Alone))
    await cursor.execute(
        f"""WITH {_ALONE} SELECT dwelling_id, lower(during) AS since, upper(during) AS until
            FROM alone ORDER BY dwelling_id, since""",
        {"resident": resident_id},
    )
    return await cursor.fetchall()


async def _dwellings(connection: Connection, resident_id: int) -> list[int]:
    cursor = await connection.execute(
        """SELECT dwelling_id FROM residency WHERE resident_id = %(resident)s
           UNION SELECT dwelling_id FROM installation WHERE resident_id = %(resident)s ORDER BY 1""",
        {"resident": resident_id},
    )
    return [row["dwelling_id"] for row in await cursor.fetchall()]


# Who --------------------------------------------------------------------------------------------------------------------


async def find(connection: Connection, uid: UUID) -> Row | None:
    """A resident by the uid: id, uid and name."""
    cursor = await connection.execute("SELECT id, uid, name FROM resident WHERE uid = %s", (uid,))
    return await cursor.fetchone()


async def named(connection: Connection, name: str, limit: int) -> list[Row]:
    """Residents of a name, small letters or capitals; else those whose name has it in it. With their address."""
    rows: list[Row] = []
    for condition in ("lower(t.name) = lower(%(name)s)", "strpos(lower(t.name), lower(%(name)s)) > 0"):
        cursor = await connection.execute(
            f"""SELECT t.id, t.uid, t.name, coalesce(w.address, '') AS address
                FROM resident t LEFT JOIN LATERAL (
                    SELECT w.address FROM residency y JOIN dwelling w ON w.id = y.dwelling_id WHERE y.resident_id = t.id
                    ORDER BY upper(y.during) DESC NULLS FIRST LIMIT 1) w ON true
                WHERE {condition} ORDER BY t.name, t.id LIMIT %(limit)s""",
            {"name": name, "limit": limit},
        )
        rows = await cursor.fetchall()
        if rows:
            break
    return rows
