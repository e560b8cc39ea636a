"""Erasing a resident: everywhere, once nothing of theirs is open, and so that it can be cut short and go on.

Rules
    No flag closes an alert. Somebody may lie on the floor: while an alert of theirs is open, nobody is erased.
    Who lives somewhere, or has something fitted, is not erased either, unless it is asked for that this ends first: what is
    fitted goes on to say things, and they would be stored as theirs again.
    What was said goes first, then the register in one short transaction, then what has to be looked for in whole tables, and
    – when all is stored that was being stored meanwhile – what came in between. Nobody who stores a message waits for more
    than the register. The record says that it was done, and leads to nobody.
    The record is kept outside of the database, too (:mod:`gateway.person.ledger`), and before anything goes: a backup that is
    restored brings somebody back, and is told by it to erase them again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from gateway.errors import GatewayError
from gateway.person import ledger
from gateway.store import audit, belonging, devices, erasing, erasures, homes
from gateway.store.audit import Audited
from gateway.store.belonging import Scope, Stretch
from gateway.store.db import Connection, Database
from gateway.store.erasures import Record, Standing, UnderWay


@dataclass(frozen=True, slots=True)
class Hindrance:
    """What is in the way. ``reason``: alert_open, lives_somewhere, fitted; ``ends``: whether it may be ended for this."""

    reason: str
    what: str
    ends: bool


class NotYet(GatewayError):
    """Somebody cannot be erased now: what is in the way, a line each."""

    def __init__(self, found: Sequence[Hindrance]) -> None:
        mend = "; --now ends that first" if all(each.ends for each in found) else ""
        super().__init__("\n".join([*(each.what for each in found), f"nothing was erased{mend}"]))
        self.found = found


class NobodyThere(GatewayError):
    """There is no such resident."""


def hindrances(standing: Standing) -> list[Hindrance]:
    """What is in the way of erasing somebody."""
    alerts = [f"the alert {uid} is open ({condition}); close it" for uid, condition in standing.alerts]
    homes_ = [f"they live in {address}" for _, _, address in standing.homes]
    fitted = [f"the device {address} is fitted for them" for _, address in standing.fittings]
    return [
        *(Hindrance("alert_open", each, ends=False) for each in alerts),
        *(Hindrance("lives_somewhere", each, ends=True) for each in homes_),
        *(Hindrance("fitted", each, ends=True) for each in fitted),
    ]


async def erase(
    database: Database, resident_id: int, operator: str, now: datetime, kept: Path | None, *, end_first: bool = False
) -> Record:
    """Remove somebody everywhere. NotYet with what is in the way. ``operator``: who says so; ``kept``: the file that keeps
    records outside of the database; ``end_first``: they move out and their devices are taken down, as of now."""
    begun = await database.run(lambda each: _begin(each, resident_id, operator, now, end_first=end_first))
    return await _go_on(database, begun, now, kept)


async def erase_again(database: Database, resident_id: int, before: Record, now: datetime) -> Record:
    """Remove somebody who was erased and came back with a backup, whatever was open when it was made."""

    async def begin(connection: Connection) -> UnderWay:
        scope = await _scope(connection, resident_id)
        await _end(connection, await erasures.standing(connection, scope, now), now)
        scope = await _scope(connection, resident_id)
        return await erasures.begin(connection, scope, "restore", now, before.salt)

    return await _go_on(database, await database.run(begin), now, None, whatever_is_open=True)


async def go_on(database: Database, now: datetime, kept: Path | None) -> list[Record]:
    """Finish what was cut short."""
    return [await _go_on(database, each, now, kept) for each in await database.run(erasures.under_way)]


async def go_on_where_closed(database: Database, now: datetime, kept: Path | None) -> tuple[list[Record], int]:
    """Finish what was cut short, but for whom an alert is open of. What is done, and how many wait for that."""
    done, waits = [], 0
    for each in await database.run(erasures.under_way):
        try:
            done.append(await _go_on(database, each, now, kept))
        except erasing.StillOpen:
            waits += 1
    return done, waits


async def _begin(
    connection: Connection, resident_id: int, operator: str, now: datetime, *, end_first: bool
) -> UnderWay:
    scope = await _scope(connection, resident_id)
    standing = await erasures.standing(connection, scope, now)
    found = [each for each in hindrances(standing) if not (end_first and each.ends)]
    if found:
        raise NotYet(found)
    if end_first:
        await _end(connection, standing, now)
        scope = await _scope(connection, resident_id)
    return await erasures.begin(connection, scope, operator, now)


async def _scope(connection: Connection, resident_id: int) -> Scope:
    await erasures.lock(connection, resident_id)
    scope = await belonging.scope(connection, resident_id)
    if scope is None:
        raise NobodyThere("there is no such resident")
    return scope


async def _end(connection: Connection, standing: Standing, now: datetime) -> None:
    """They live nowhere, and nothing is fitted for them, from now on."""
    for residency, dwelling, _ in standing.homes:
        await homes.move_out(connection, residency, dwelling, now, now)
    for device, _ in standing.fittings:
        await devices.take_down(connection, device, now)


async def _go_on(
    database: Database, begun: UnderWay, now: datetime, kept: Path | None, *, whatever_is_open: bool = False
) -> Record:
    if not (begun.register_gone or whatever_is_open):
        await database.run(lambda each: erasing.require_closed(each, begun.scope))
    if kept is not None:
        ledger.note(kept, begun)
    if not begun.register_gone:
        await _what_was_said(database, begun)
        scope = await database.run(lambda each: _register(each, begun, now, whatever_is_open=whatever_is_open))
        begun = replace(begun, scope=scope, register_gone=True)
    sites = [each.site_id for each in begun.scope.stretches]
    await database.run(lambda each: erasures.all_heard(each, sites))
    for part in erasing.throughout():
        await database.run(partial(_clear_throughout, begun=begun, part=part))
    await _what_was_said(database, begun)
    return await database.run(lambda each: _finish(each, begun, now))


async def _what_was_said(database: Database, begun: UnderWay) -> None:
    """A window of a device's time is a transaction: nobody waits for it long, and it need not be done again."""
    for part in begun.scope.stretches:
        await database.run(partial(_clear_bytes, begun=begun, part=part))
        for times in await database.run(partial(erasing.windows, device_id=part.device_id)):
            await database.run(partial(_clear, begun=begun, part=part, times=times))
        await database.run(partial(_clear_counted, begun=begun, part=part))


async def _clear(connection: Connection, begun: UnderWay, part: Stretch, times: tuple[datetime, datetime]) -> None:
    await erasing.begin_lawful(connection)
    await erasures.count(connection, begun.id, await erasing.said(connection, begun.scope, part, *times))


async def _clear_bytes(connection: Connection, begun: UnderWay, part: Stretch) -> None:
    await erasing.begin_lawful(connection)
    await erasures.count(connection, begun.id, await erasing.bytes_alone(connection, part))


async def _clear_counted(connection: Connection, begun: UnderWay, part: Stretch) -> None:
    await erasing.begin_lawful(connection)
    await erasures.count(connection, begun.id, await erasing.counted(connection, part))


async def _clear_throughout(
    connection: Connection, begun: UnderWay, part: Callable[[Connection, Scope], Awaitable[Mapping[str, int]]]
) -> None:
    await erasing.begin_lawful(connection)
    await erasures.count(connection, begun.id, await part(connection, begun.scope))


async def _register(connection: Connection, begun: UnderWay, now: datetime, *, whatever_is_open: bool) -> Scope:
    await erasing.begin_lawful(connection)
    await erasures.lock(connection, begun.scope.resident)
    if not whatever_is_open:
        await erasing.require_closed(connection, begun.scope)
    scope, counts = await erasing.register(connection, begun.scope)
    await erasures.count(connection, begun.id, counts)
    await erasures.register_gone(connection, begun.id, scope)
    await audit.add(connection, now, (Audited("resident.erased", "erasure", begun.id),))
    return scope


async def _finish(connection: Connection, begun: UnderWay, now: datetime) -> Record:
    """What came while it was erased goes, too."""
    await erasing.begin_lawful(connection)
    await erasures.count(connection, begun.id, await erasing.what_came_late(connection, begun.scope))
    return await erasures.finish(connection, begun.id, now)


def told(record: Record) -> Sequence[str]:
    """What was done, for people."""
    rows = [f"{many} {table}" for table, many in sorted(record.counts.items())]
    return [f"erased, begun {record.begun_at:%Y-%m-%d %H:%M} UTC by {record.operator}", f"rows: {', '.join(rows)}"]
