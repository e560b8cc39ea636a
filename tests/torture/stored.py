"""What is in the database in the end, asked with words of our own: what the gateway's queries hide is seen all the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import psycopg

from tests.support.processes import Word, rows

CHANGES = ("UPDATE {} SET at = at", "DELETE FROM {}")
APPEND_ONLY = ("audit", "alert_entry")


@dataclass(frozen=True, slots=True)
class SaidRow:
    """A message, as it is stored."""

    type: str
    message_class: str
    occurred_at: datetime
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Idless:
    """Something that a device said without an id, and how often. ``retained``: it had the mark of what the broker had kept."""

    address: str
    type: str
    fields: Mapping[str, Any]
    retained: bool
    times: int


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert. ``device``: its address."""

    id: int
    key: str
    condition: str
    track: str
    device: str | None
    raised_at: datetime
    stage: str
    due_at: datetime | None
    closed_at: datetime | None
    attempt: int
    waits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A line of a timeline. ``device``, ``type``, ``occurred_at``: of its evidence; ``step``: which one was reached;
    ``attempt``: which one was begun."""

    alert_id: int
    seq: int
    at: datetime
    code: str
    step: int | None
    attempt: int | None
    device: str | None
    type: str | None
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True)
class PageRow:
    """A page, with the channel of its contact."""

    uid: str
    alert_id: int
    attempt: int
    contact_id: int
    channel: str
    severity: int
    state: str
    made_at: datetime
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Fitting:
    """When a device was fitted somewhere; None: still."""

    device: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Print:
    """What audit and timelines amounted to at a time: those lines must be the same for ever."""

    audit_id: int
    audit: str
    timelines: Mapping[int, int]
    timeline: str


@dataclass(frozen=True)
class Stored:
    """Everything that the verdict looks at. ``messages``: the rows of each; ``online``: how each device is. ``prints``: what was printed during the run, and the same lines now.
    ``now``: the database's clock; ``changeable``: of audit and timeline those that would let somebody change a line."""

    now: datetime
    messages: Mapping[Word, Sequence[SaidRow]]
    idless: Sequence[Idless]
    online: Mapping[str, bool | None]
    quarantine: Sequence[tuple[str, str]]
    alerts: Sequence[AlertRow]
    entries: Sequence[EntryRow]
    pages: Sequence[PageRow]
    fittings: Sequence[Fitting]
    prints: Sequence[tuple[Print, Print]] = ()
    changeable: Sequence[str] = ()

    @cached_property
    def timelines(self) -> Mapping[int, Sequence[EntryRow]]:
        """The lines of each alert, in order."""
        lines: dict[int, list[EntryRow]] = defaultdict(list)
        for entry in self.entries:
            lines[entry.alert_id].append(entry)
        return lines


async def read(url: str, prints: Sequence[Print]) -> Stored:
    """All of it. ``prints``: those taken before."""
    return Stored(
        now=(await rows(url, "SELECT clock_timestamp() AS now"))[0]["now"],
        messages=await messages(url),
        idless=await idless(url),
        online=await online(url),
        quarantine=[
            (each["topic"], f"{each['reason']}: {each['detail']}")
            for each in await rows(url, "SELECT * FROM quarantine")
        ],
        alerts=[AlertRow(**{**each, "waits": tuple(each["waits"])}) for each in await rows(url, _ALERTS)],
        entries=[_entry(each) for each in await rows(url, _ENTRIES)],
        pages=[PageRow(**each) for each in await rows(url, _PAGES)],
        fittings=[Fitting(**each) for each in await rows(url, _FITTINGS)],
        prints=[(each, await print_of(url, each)) for each in prints],
        changeable=await _changeable(url),
    )


async def messages(url: str) -> dict[Word, list[SaidRow]]:
    """The rows of each message."""
    found: dict[Word, list[SaidRow]] = defaultdict(list)
    for each in await rows(url, _MESSAGES):
        word = Word(each.pop("address"), each.pop("message_id"))
        found[word].append(SaidRow(**each))
    return dict(found)


async def words(url: str) -> set[Word]:
    """Which messages are stored."""
    found = await rows(
        url,
        """SELECT DISTINCT d.address, o.message_id FROM said o JOIN device d ON d.id = o.device_id
           WHERE o.message_id IS NOT NULL""",
    )
    return {Word(each["address"], each["message_id"]) for each in found}


async def idless(url: str) -> list[Idless]:
    """What was said without an id."""
    return [Idless(**each) for each in await rows(url, _IDLESS)]


async def online(url: str) -> dict[str, bool | None]:
    """How each device that was ever heard is."""
    found = await rows(url, "SELECT d.address, s.online FROM device_state s JOIN device d ON d.id = s.device_id")
    return {each["address"]: each["online"] for each in found}


async def unsettled(url: str) -> int:
    """Pages that are still to be handed over."""
    return int((await rows(url, "SELECT count(*) AS n FROM page WHERE state IN ('queued', 'leased')"))[0]["n"])


async def print_of(url: str, before: Print | None = None) -> Print:
    """What audit and timelines amount to: all of them, or the same lines as before."""
    last = before.audit_id if before else (await rows(url, "SELECT coalesce(max(id), 0) AS n FROM audit"))[0]["n"]
    audit = await rows(
        url, "SELECT md5(coalesce(string_agg(a::text, '|' ORDER BY id), '')) AS n FROM audit a WHERE id <= %s", last
    )
    lengths = (
        before.timelines
        if before
        else {
            each["alert_id"]: each["n"]
            for each in await rows(url, "SELECT alert_id, max(seq) AS n FROM alert_entry GROUP BY 1")
        }
    )
    timeline = await rows(
        url,
        """SELECT md5(coalesce(string_agg(e::text, '|' ORDER BY alert_id, seq), '')) AS n
           FROM alert_entry e JOIN unnest(%s::bigint[], %s::integer[]) AS l (id, length)
                ON e.alert_id = l.id AND e.seq <= l.length""",
        list(lengths), list(lengths.values()),
    )  # fmt: skip
    return Print(last, audit[0]["n"], lengths, timeline[0]["n"])


async def _changeable(url: str) -> list[str]:
    """Tried, and taken back where it went through."""
    found = []
    connection = await psycopg.AsyncConnection.connect(url)
    async with connection:
        for table in APPEND_ONLY:
            for change in CHANGES:
                try:
                    await connection.execute(change.format(table).encode())
                    found.append(table)
                except psycopg.errors.RaiseException:
                    pass
                finally:
                    await connection.rollback()
    return sorted(set(found))


def _entry(row: dict[str, Any]) -> EntryRow:
    evidence = row.pop("evidence") or {}
    device, at = evidence.get("device"), evidence.get("occurred_at")
    plain = EntryRow(**row, device=None, type=evidence.get("type"), occurred_at=None)
    return replace(
        plain,
        device=device.rsplit("/", 1)[-1] if device else None,
        occurred_at=datetime.fromisoformat(at) if at else None,
    )


_MESSAGES = """SELECT d.address, o.message_id, o.type, o.message_class, o.occurred_at, o.fields
               FROM said o JOIN device d ON d.id = o.device_id WHERE o.message_id IS NOT NULL"""
_IDLESS = """SELECT d.address, o.type, o.fields, 'retained' = ANY(o.flags) AS retained, count(*) AS times
             FROM said o JOIN device d ON d.id = o.device_id WHERE o.message_id IS NULL GROUP BY 1, 2, 3, 4 ORDER BY 1"""
_ALERTS = """SELECT a.id, a.key, a.condition, a.track, d.address AS device, a.raised_at, a.stage, a.due_at, a.closed_at, a.attempt,
                    ARRAY(SELECT (s ->> 'wait_seconds')::integer FROM jsonb_array_elements(a.policy -> 'steps') s) AS waits
             FROM alert a LEFT JOIN device d ON d.id = a.device_id ORDER BY a.id"""
_ENTRIES = """SELECT alert_id, seq, at, code, (params ->> 'step')::integer AS step,
                     (params ->> 'attempt')::integer AS attempt, params -> 'evidence' AS evidence
              FROM alert_entry ORDER BY alert_id, seq"""
_PAGES = """SELECT p.uid::text, p.alert_id, p.attempt, p.contact_id, c.channel, p.severity, p.state, p.created_at AS made_at,
                   p.due_at
            FROM page p JOIN contact c ON c.id = p.contact_id ORDER BY p.id"""
_FITTINGS = """SELECT d.address AS device, lower(i.during) AS since, upper(i.during) AS until
               FROM installation i JOIN device d ON d.id = i.device_id ORDER BY 1, 2"""
