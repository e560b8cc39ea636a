"""Lifting: the end of a silence, and what time makes of silences.

At the end whatever was held back and is not known to be over is raised, in the same transaction. Due silences and the zones
whose leads are to be told are rows with a ``due_at``, as everything that needs attention later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial, reduce
from operator import or_
from typing import Any

import structlog

from alerts.model import Clear, Evidence, Raise, Severity, Signal, Subject, Track
from alerts.rulebook import Rulebook
from alerts.silence import Kind, Silence
from alerts.silence_ends import (
    BACK_ASKED,
    CONSENT_ASKED,
    ENDS_SOON,
    IN_FORCE,
    WITHOUT_OWNER,
    Due,
    Ended,
    Fate,
    Held,
    fate,
    look,
    next_morning,
)
from gateway.access import OVERSEERS
from gateway.engine import act
from gateway.holding import was_silenced
from gateway.store import alerts as alert_store
from gateway.store import audit, duesilences, held, silences, zones
from gateway.store.audit import Audited, Changed
from gateway.store.db import LOST_A_RACE, Connection, DatabaseGone
from gateway.store.duesilences import DueSilence

log = structlog.get_logger()

NOTICES = (CONSENT_ASKED, ENDS_SOON, WITHOUT_OWNER, BACK_ASKED)
"""What leads are told about one silence."""


async def end(
    connection: Connection, silence: Silence, why: Ended, by: int | None, now: datetime, book: Rulebook
) -> Changed:
    """End a silence whose row is held, raise what it held back, and take back what was told of it."""
    await silences.end(connection, silence.id, why, by, now)
    await audit.add(connection, now, (Audited("silence.ended", "silence", silence.id, by, {"why": why}),))
    changed = Changed(frozenset({silence.zone_id}))
    for lifted in await _lift_all(connection, silence, now, book):
        changed |= lifted
    told = partial(take_back, connection, silence, NOTICES, now, book)
    return changed | (await _by_itself(connection, told, silence=silence.id) or Changed())


async def _lift_all(connection: Connection, silence: Silence, now: datetime, book: Rulebook) -> list[Changed]:
    """Whatever was held back, each by itself; what changed by each that was lifted. One that could not be is tried again."""
    done: list[Changed] = []
    for row in await held.lock_open(connection, silence.id, now):
        work = partial(_lift, connection, silence, row, now, book)
        lifted = await _by_itself(connection, work, silence=silence.id, key=row["key"])
        if lifted is None:
            await held.try_again(connection, row["id"], now)
        else:
            done.append(lifted)
    return done


async def _by_itself(
    connection: Connection, work: Callable[[], Awaitable[Changed | None]], **about: int | str
) -> Changed | None:
    """Work in a transaction of its own inside; None where it failed, or there was nothing to do."""
    try:
        async with connection.transaction():
            return await work()
    except (*DatabaseGone, *LOST_A_RACE):
        raise
    except Exception:
        log.exception("silence.failed", **about)
        return None


async def _lift(
    connection: Connection, silence: Silence, row: Mapping[str, Any], now: datetime, book: Rulebook
) -> Changed:
    """One thing that was held back: raised, held on by another silence, or passed."""
    each = held.read(row, now)
    rule = book.by_id.get(each.raise_.rule_id or 0)
    lasting = rule is None or rule.spec.lasting
    what = fate(silence.kind, Held(each.raise_.track, each.newest_at, lasting, each.fitted), now)
    await held.settle(connection, each.id, "passed" if what is Fate.PASSED else "held_on", None, now)
    if what is Fate.PASSED:
        return Changed()
    changed = await act(connection, [each.raise_], now, book)
    opened = (await alert_store.lock_open(connection, [each.raise_.key])).get(each.raise_.key)
    if opened is not None:
        entry = was_silenced(each.times, each.first_at)
        await alert_store.add_entries(connection, opened.id, (entry,), now)
        await held.settle(connection, each.id, what, opened.id, now)
    return changed


# Time ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AllDue:
    """Silences, and zones whose leads are to be told."""

    silences: Sequence[int]
    zones: Sequence[int]


async def due(connection: Connection, now: datetime, after: int, limit: int) -> AllDue:
    """What is due of silences; see :func:`gateway.store.silences.due`."""
    ids = await duesilences.due(connection, now, after, limit)
    return AllDue(ids, await duesilences.due_summaries(connection, now, limit))


async def pass_time(connection: Connection, silence_id: int, now: datetime, book: Rulebook) -> int:
    """What is due of one silence: 1 where something was done. What fails stays due, and /health tells."""
    return await _done(connection, partial(_pass, connection, silence_id, now, book), silence=silence_id)


async def summarise(connection: Connection, zone_id: int, now: datetime, book: Rulebook) -> int:
    """Tell a zone's leads what is silenced there: 1 where they were told."""
    return await _done(connection, partial(_summarise, connection, zone_id, now, book), zone=zone_id)


async def _done(connection: Connection, work: Callable[[], Awaitable[Changed | None]], **about: int) -> int:
    changed = await _by_itself(connection, work, **about)
    if changed is None:
        return 0
    await audit.announce(connection, changed)
    return 1


async def _pass(connection: Connection, silence_id: int, now: datetime, book: Rulebook) -> Changed | None:
    """Look at it; of one whose time is up already, raise what could not be raised then."""
    found = await duesilences.lock_due(connection, silence_id, now, sorted(OVERSEERS))
    if found is not None:
        return await _look_at(connection, found, now, book)
    over = await duesilences.lock_over(connection, silence_id, now)
    done = await _lift_all(connection, over, now, book) if over is not None else []
    return reduce(or_, done) if done else None


async def _look_at(connection: Connection, due: DueSilence, now: datetime, book: Rulebook) -> Changed:
    silence = replace(due.silence, zone_id=due.zone_now)
    found = look(silence, now, book.local, owned=due.owned, there=due.there)
    if found.ended is not None or found.again_at is None:
        return await end(connection, silence, found.ended or Ended.TIME_UP, None, now, book)
    warned = now if Due.WARN in found.due else None
    await duesilences.looked_at(connection, silence.id, silence.zone_id, found.again_at, warned)
    if silence.zone_id != due.silence.zone_id:
        await duesilences.plan_summary(connection, silence.zone_id, next_morning(now, book.local))
    codes = {Due.WARN: ENDS_SOON, Due.ASK_BACK: BACK_ASKED, Due.TELL_WITHOUT_OWNER: WITHOUT_OWNER}
    changed = Changed()
    if Due.ASK_BACK in found.due:  # whether anybody has said so or not, it holds back nothing any more
        for lifted in await _lift_all(connection, silence, now, book):
            changed |= lifted
    for each in found.due:
        changed |= await notify(connection, silence, codes[each], now, book)
    return changed


async def _summarise(connection: Connection, zone: int, now: datetime, book: Rulebook) -> Changed | None:
    """Every morning, until nothing is silenced there any more."""
    row = await duesilences.lock_due_summary(connection, zone, now)
    if row is None:
        return None
    counts = {name: row[name] for name in ("silences", "away", "events")}
    anything = bool(counts["silences"] or counts["away"])
    await duesilences.summarised(connection, zone, next_morning(now, book.local) if anything else None)
    key = f"{IN_FORCE}:zone:{zone}"
    evidence = Evidence(IN_FORCE, now, now, counts)
    if not anything:
        return await act(connection, [Clear(key, evidence)], now, book)
    return await _raise(connection, key, IN_FORCE, zone, None, evidence, (), now, book)


async def notify(
    connection: Connection,
    silence: Silence,
    code: str,
    now: datetime,
    book: Rulebook,
    also: tuple[int, ...] | None = None,
) -> Changed:
    """Tell the leads something about a silence, and these persons, else its owner. The alert says no more than that there is
    something."""
    called = (silence.owner_id,) if also is None else also
    evidence = Evidence(code, silence.since, now, {"until": silence.until.isoformat()})
    resident = silence.resident_id
    return await _raise(connection, _key(code, silence), code, silence.zone_id, resident, evidence, called, now, book)


async def take_back(
    connection: Connection, silence: Silence, codes: tuple[str, ...], now: datetime, book: Rulebook
) -> Changed:
    """What was told of a silence is no longer so."""
    return await act(connection, [_over(code, silence, now) for code in codes], now, book)


async def _raise(
    connection: Connection,
    key: str,
    code: str,
    zone: int,
    resident: int | None,
    evidence: Evidence,
    also: tuple[int, ...],
    now: datetime,
    book: Rulebook,
) -> Changed:
    site = await zones.site_for(connection, zone)
    if site is None:
        return Changed()
    subject = Subject(site, zone, resident_id=resident)
    told: Signal = Raise(key, code, None, Severity.NORMAL, Track.CARE, subject, evidence, notice=also)
    return await act(connection, [told], now, book)


def _key(code: str, silence: Silence) -> str:
    return f"{code}:silence:{silence.id}"


def _over(code: str, silence: Silence, now: datetime) -> Clear:
    kind = "back_again" if silence.kind is Kind.AWAY else "silence_over"
    return Clear(_key(code, silence), Evidence(kind, now, now))
