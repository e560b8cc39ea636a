"""Lifting: the end of a silence, and what time makes of silences.

At the end whatever was held back and is not known to be over is raised, in the same transaction. Due silences and the zones
whose leads are to be told are rows with a ``due_at``, as everything that needs attention later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
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
from gateway.store import audit, held, silences
from gateway.store.audit import Audited, Changed
from gateway.store.db import LOST_A_RACE, Connection, DatabaseGone
from gateway.store.held import HeldBack
from gateway.store.silences import DueSilence

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
    for each in await held.lock_open(connection, silence.id, now):
        changed |= await _lift(connection, silence, each, now, book)
    return changed | await act(connection, [_over(code, silence, now) for code in NOTICES], now, book)


async def _lift(connection: Connection, silence: Silence, each: HeldBack, now: datetime, book: Rulebook) -> Changed:
    """One thing that was held back: raised, held on by another silence, or passed."""
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


async def pass_time(connection: Connection, now: datetime, book: Rulebook, limit: int) -> int:
    """Whatever is due of silences, each in a transaction of its own inside; how many there were."""
    due = await silences.lock_due(connection, now, sorted(OVERSEERS), limit)
    changed = Changed()
    for each in due:
        try:
            async with connection.transaction():
                changed |= await _look_at(connection, each, now, book)
        except (*DatabaseGone, *LOST_A_RACE):
            raise
        except Exception:
            log.exception("silence.failed", silence=each.silence.id)
    told = await silences.lock_due_summaries(connection, now, limit)
    for row in told:
        changed |= await _summarise(connection, row, now, book)
    await audit.announce(connection, changed)
    return len(due) + len(told)


async def _look_at(connection: Connection, due: DueSilence, now: datetime, book: Rulebook) -> Changed:
    silence = replace(due.silence, zone_id=due.zone_now)
    found = look(silence, now, book.local, owned=due.owned, there=due.there)
    if found.ended is not None or found.again_at is None:
        return await end(connection, silence, found.ended or Ended.TIME_UP, None, now, book)
    warned = now if Due.WARN in found.due else None
    await silences.looked_at(connection, silence.id, silence.zone_id, found.again_at, warned)
    if silence.zone_id != due.silence.zone_id:
        await silences.plan_summary(connection, silence.zone_id, next_morning(now, book.local))
    codes = {Due.WARN: ENDS_SOON, Due.ASK_BACK: BACK_ASKED, Due.TELL_WITHOUT_OWNER: WITHOUT_OWNER}
    changed = Changed()
    for each in found.due:
        changed |= await notify(connection, silence, codes[each], now, book)
    return changed


async def _summarise(connection: Connection, row: Mapping[str, Any], now: datetime, book: Rulebook) -> Changed:
    """Every morning, until nothing is silenced there any more."""
    zone, counts = row["zone_id"], {name: row[name] for name in ("silences", "away", "events")}
    anything = bool(counts["silences"] or counts["away"])
    await silences.summarised(connection, zone, next_morning(now, book.local) if anything else None)
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
    site = await silences.site_for(connection, book.ancestry.get(zone, (zone,)))
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
