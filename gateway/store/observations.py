"""What devices said, and what has been seen before.

``observation``, ``device_health`` and ``raw_message`` share one sequence of ids; readers use the view ``said``
(``gateway/store/said.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from devices.model import Observation
from gateway.store.columns import bigints, jsons, names, raws, texts, times
from gateway.store.db import Connection, json_bytes
from gateway.store.municipality import CANARY

Identity = tuple[int, str, bytes]
"""Device, message id, content hash."""


class Stamped(NamedTuple):
    """An observation with the device and the fitting that it is of."""

    observation: Observation
    device_id: int
    installation_id: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of identities: those that were known, and the (device, message id) that came with another content too."""

    known: frozenset[Identity]
    reused: frozenset[tuple[int, str]]


async def mark_seen(connection: Connection, identities: AbstractSet[Identity], now: datetime) -> Seen:
    """Remember these identities. UniqueViolation (and another try) where somebody else has done so meanwhile."""
    ordered = sorted(identities)
    if not ordered:
        return Seen(frozenset(), frozenset())
    cursor = await connection.execute(
        """WITH said AS MATERIALIZED (
               SELECT * FROM unnest(%b::bigint[], %b::text[], %b::bytea[]) WITH ORDINALITY
                   AS u (device_id, message_id, payload_hash, place)),
           before AS MATERIALIZED (
               SELECT place, s.payload_hash = said.payload_hash AS same
               FROM said JOIN seen s USING (device_id, message_id)),
           added AS (
               INSERT INTO seen (device_id, message_id, payload_hash, received_at)
               SELECT device_id, message_id, payload_hash, %s FROM said
               WHERE place NOT IN (SELECT place FROM before WHERE same) ORDER BY place)
           SELECT coalesce(array_agg(place) FILTER (WHERE same), '{}') AS known,
                  coalesce(array_agg(place) FILTER (WHERE NOT same), '{}') AS reused
           FROM before""",
        (
            bigints([each[0] for each in ordered]),
            texts([each[1] for each in ordered]),
            raws([each[2] for each in ordered]),
            now,
        ),
    )
    row = await cursor.fetchone() or {}
    return Seen(
        known=frozenset(ordered[place - 1] for place in row["known"]),
        reused=_twice_among(ordered) | {ordered[place - 1][:2] for place in row["reused"]},
    )


def _twice_among(ordered: Sequence[Identity]) -> frozenset[tuple[int, str]]:
    """The ids that are there with more than one content. ``ordered``: sorted, each once."""
    if len({each[:2] for each in ordered}) == len(ordered):  # as nearly always
        return frozenset()
    return frozenset(one[:2] for one, other in pairwise(ordered) if one[:2] == other[:2])


async def add(connection: Connection, batch: Sequence[Stamped]) -> None:
    """Store what was said: the states of devices apart from all else, and the bytes apart from both."""
    if not batch:
        return
    said = [each.observation for each in batch]
    await connection.execute(
        """WITH batch AS MATERIALIZED (
               SELECT nextval('said_id') AS id, device_id, installation_id, kind, message_class, type, message_id,
                      occurred_at, received_at, string_to_array(flags, ' ') AS flags, fields::jsonb AS fields, raw
               FROM unnest(%b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[],
                           %b::timestamptz[], %b::timestamptz[], %b::text[], %b::text[], %b::bytea[])
                    AS u (device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at,
                          flags, fields, raw)),
           bytes AS (INSERT INTO raw_message SELECT id, device_id, received_at, raw FROM batch),
           health AS (
               INSERT INTO device_health
               SELECT id, device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at,
                      flags, fields
               FROM batch WHERE message_class = 'status')
           INSERT INTO observation
           SELECT id, device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at, flags,
                  fields
           FROM batch WHERE message_class <> 'status'""",
        (
            bigints([each.device_id for each in batch]),
            bigints([each.installation_id for each in batch]),
            names([each.kind for each in said]),
            names([each.message_class for each in said]),
            names([each.type for each in said]),
            texts([each.message_id for each in said]),
            times([each.occurred_at for each in said]),
            times([each.received_at for each in said]),
            names([" ".join(sorted(each.flags)) if each.flags else "" for each in said]),
            jsons([json_bytes(each.fields) for each in said]),
            raws([each.raw for each in said]),
        ),
    )


async def newest_received_at(connection: Connection) -> datetime | None:
    """When the newest message was stored, but for the canary's: it says nothing of the homes."""
    cursor = await connection.execute(
        """SELECT max(last_seen) AS newest FROM device_state
           WHERE device_id <> ALL (ARRAY(SELECT id FROM device WHERE address = %s))""",
        (CANARY,),
    )
    row = await cursor.fetchone()
    return row["newest"] if row else None
