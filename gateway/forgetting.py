"""Forgetting: what is kept no longer goes, and what stays is compressed. One owner for both: our own timekeeper.

Rules
    Each step is a transaction of its own, and in it stands in the audit what went. A step that fails stops no other; its
    error is raised at the end. Several processes may do it at once: what one has, the others leave.
    Nothing goes by a clock that the database's own contradicts by more than an hour (``retention.WRONG_BY``); a controlled one
    has another time by intention.
    What devices said is looked at only when something of it can be due: a cut has moved (``retention.cuts``).

Theory
    TimescaleDB's own jobs would do the same by another clock, need background workers and rights that a hosted database may
    lack, and know nothing of kinds (docs/decisions/0030-one-owner-of-retention.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from gateway import retention
from gateway.errors import GatewayError
from gateway.retention import Cut, Keep, Rest, Table
from gateway.store import audit, canaries
from gateway.store import retention as store
from gateway.store.aside import HalfWay, refuse
from gateway.store.audit import Audited
from gateway.store.db import LOST_A_RACE, Connection, Database, DatabaseGone, TooMuch

log = structlog.get_logger()

UNRECORDED = frozenset(
    {"seen", "watch", "answer", "roster_feed", "contact", "session", "phone_link", "sign_in_failure", "register_change"}
)
"""What goes as it has served its purpose, and is in no audit."""


class WrongClock(GatewayError):
    """This host's clock and the database's differ: nothing goes by either."""


async def require_right_clock(database: Database, now: datetime) -> None:
    """WrongClock where the database's clock contradicts ours."""
    theirs = await database.run(store.clock)
    if not retention.clocks_agree(now, theirs):
        told = f"it is {now:%Y-%m-%d %H:%M} UTC by this host's clock and {theirs:%Y-%m-%d %H:%M} by the database's"
        raise WrongClock(f"{told}: nothing is let go and nothing counted until they agree; set the wrong one right")


@dataclass(frozen=True, slots=True)
class Gone:
    """What went: rows, or whole chunks."""

    name: str
    rows: int = 0
    chunks: int = 0

    def __bool__(self) -> bool:
        return bool(self.rows or self.chunks)


class Forgetting:
    """Makes passes; the caller decides when. ``controlled``: time is not that of any clock."""

    def __init__(self, database: Database, keep: Keep, *, controlled: bool = False) -> None:
        self._database = database
        self._keep = keep
        self._controlled = controlled
        self._applied: tuple[object, ...] = ()
        self._again = False
        self._errors: list[Exception] = []

    async def run_once(self, now: datetime) -> list[Gone]:
        """All that is due now. What went; or the first error, where there was one. WrongClock."""
        if not self._controlled:
            await require_right_clock(self._database, now)
        self._errors, self._again = [], False
        gone = [await self._rest(each, now) for each in retention.rest(self._keep, now)]
        gone.append(await self._canary(now))
        cuts = retention.cuts(self._keep, now)
        due = (cuts, *(retention.compressible(each, now) for each in Table))
        if due != self._applied:
            gone += await self._said(cuts, now)
            self._applied = () if self._errors or self._again else due
        if self._errors:
            raise self._errors[0]
        return [each for each in gone if each]

    async def _rest(self, each: Rest, now: datetime) -> Gone:
        rows = 0
        noted = None if each.name in UNRECORDED else now
        while done := await self._step(each.name, noted, partial(store.delete, each=each)):
            rows += done
        return Gone(each.name, rows)

    async def _canary(self, now: datetime) -> Gone:
        """What the canary resident leaves is of no use after a day, and in no audit."""
        rows, before = 0, now - canaries.KEPT
        while done := await self._step("canary", None, partial(canaries.forget_alerts, before=before)):
            rows += done
        try:
            while done := await self._step(
                "canary", None, partial(_whole, partial(canaries.forget_said, before=before))
            ):
                rows += done
        except HalfWay:
            self._again = True
        return Gone("canary", rows)

    # What devices said ------------------------------------------------------------------------------------------------

    async def _said(self, cuts: Sequence[Cut], now: datetime) -> list[Gone]:
        """Chunks go before rows, and what is left is compressed. Nothing, while a plain database becomes one with chunks: rows of
        a table are in two places then. Each step looks whether that has begun."""
        gone: list[Gone] = []
        try:
            chunked = await self._database.run(store.hypertables)
            for each in cuts:
                gone.append(await self._cut(each, now, chunked=each.table.value.name in chunked))  # noqa: PERF401 - it may end early
            for table in Table:
                if chunked.get(table.value.name):
                    await self._compress(table, now)
        except HalfWay as error:
            log.warning("retention.waits", why=str(error))
            self._again = True
        return gone

    async def _cut(self, cut: Cut, now: datetime, *, chunked: bool) -> Gone:
        if chunked and cut.whole:
            return Gone(
                cut.name, chunks=await self._step(cut.name, now, partial(_whole, partial(store.drop_chunks, cut=cut)))
            )
        rows = 0
        since = await self._first(cut)
        while since < cut.before:
            delete = store.delete_segments if chunked else store.delete_rows
            done = await self._step(cut.name, now, partial(_whole, partial(delete, cut=cut, since=since)))
            rows += done
            if not done:
                since += cut.table.value.width
        return Gone(cut.name, rows)

    async def _first(self, cut: Cut) -> datetime:
        """Where the chunk begins – or would begin – of the oldest row that is due."""

        async def ask(connection: Connection) -> datetime | None:
            await store.be_patient(connection)
            return await store.oldest(connection, cut)

        first = await self._database.run(ask)
        return retention.edge(cut.table, first) if first else cut.before

    async def _compress(self, table: Table, now: datetime) -> None:
        before = retention.compressible(table, now)
        for chunk in await self._database.run(lambda each: store.chunks_before(each, table, before)):
            await self._step(chunk, None, partial(_whole, partial(store.compress, chunk=chunk)))

    async def _step(self, name: str, noted: datetime | None, work: Callable[[Connection], Awaitable[int]]) -> int:
        """One transaction: how much went, ``noted`` in the audit as of then. What somebody uses at this moment has its turn with
        the next pass. HalfWay."""

        async def step(connection: Connection) -> int:
            await store.be_patient(connection)
            done = await work(connection)
            if done and noted is not None:
                line = Audited("retention.applied", "retention", params={"what": name, "count": done})
                await audit.add(connection, noted, [line])
            return done

        try:
            return await self._database.run(step)
        except HalfWay:
            raise
        except LOST_A_RACE:
            log.warning("retention.in_use", what=name)
            self._again = True
        except Exception as error:
            if isinstance(error, DatabaseGone) and not isinstance(error, TooMuch):
                raise
            log.exception("retention.failed", what=name)
            self._errors.append(error)
        return 0


async def _whole(work: Callable[[Connection], Awaitable[int]], connection: Connection) -> int:
    """Work on a table of which all rows are in one place until this transaction ends. HalfWay where they are not."""
    await refuse(connection)
    return await work(connection)
