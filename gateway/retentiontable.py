"""`hjemmevakt retention`: what is kept for how long, what would go now, and what went. For a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway import retention
from gateway.columns import columns
from gateway.database import up_to_date
from gateway.forgetting import Forgetting, Gone
from gateway.retention import Cut, Keep, Rest, Table
from gateway.store import retention as store
from gateway.store.db import Connection
from gateway.store.retention import Due

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Line:
    """What is kept, and what of it would go now."""

    what: Cut | Rest
    due: Due


async def look(url: str, keep: Keep, now: datetime) -> list[Line]:
    """All that is kept. OldSchema; DatabaseGone."""
    async with up_to_date(url) as database:
        return await database.run(lambda each: ask(each, keep, now))


async def ask(connection: Connection, keep: Keep, now: datetime) -> list[Line]:
    """What of all that is kept would go now. A row is counted once, where it goes first."""
    await store.be_patient(connection)
    chunked = await store.hypertables(connection)
    lines: list[Line] = []
    gone: dict[Table, datetime] = {}
    for cut in retention.cuts(keep, now):
        due = await store.due(connection, cut, gone.get(cut.table), chunked=cut.table.value.name in chunked)
        gone.setdefault(cut.table, cut.before)
        lines.append(Line(cut, due))
    return lines + [Line(each, await store.due_of(connection, each)) for each in retention.rest(keep, now)]


async def apply(url: str, keep: Keep, now: datetime) -> list[Gone]:
    """Let go what is due. What went. OldSchema; WrongClock; DatabaseGone; the first error where a part failed."""
    async with up_to_date(url) as database:
        return await Forgetting(database, keep).run_once(now)


def table(lines: Sequence[Line], local: ZoneInfo) -> Iterator[str]:
    """Lines. Times are local."""
    yield from columns(
        ("what", "kept", "goes before", "rows due", "chunks", "oldest due", "oldest kept"),
        (
            (
                line.what.name,
                f"{line.what.days} days" if line.what.days else "until it is over",
                _time(line.what.before, local),
                str(line.due.rows),
                str(line.due.chunks or NOTHING),
                _time(line.due.oldest, local),
                _time(line.due.oldest_kept, local),
            )
            for line in lines
        ),
    )


def told(gone: Sequence[Gone]) -> Iterator[str]:
    """What went, a line each."""
    for each in gone:
        yield f"{each.name}: {each.chunks} chunks" if each.chunks else f"{each.name}: {each.rows} rows"
    if not gone:
        yield "nothing was due"


def _time(at: datetime | None, local: ZoneInfo) -> str:
    return at.astimezone(local).strftime("%Y-%m-%d %H:%M") if at else NOTHING
