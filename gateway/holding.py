"""Holding back: what rules would raise is held against the silences in force, in the transaction that would raise it.

Gather (the silences, shared, before any alert is locked), decide (``alerts.silence``, pure), apply (a row of what is held
back). An alert that is open is never asked about. Where anything about a silence is in doubt, it holds back nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from alerts.choosing import Case
from alerts.judge import RULE_FAILED
from alerts.model import Clear, Entry, Evidence, Heard, Inform, Lateness, Raise, Severity, Signal, Subject, Track
from alerts.rulebook import Rulebook
from alerts.silence import Decision, Silence, Why, decide, rests_while_away
from alerts.silence_ends import SOMEBODY_THERE, TOLD_AGAIN
from devices.kinds import kinds
from gateway.store import alerts, audit, db, held, silences
from gateway.store.audit import Audited, Changed
from gateway.store.db import Connection

log = structlog.get_logger()


@dataclass(slots=True)
class Holding:
    """The silences that may concern some signals, and the keys of which something is held back."""

    silences: Sequence[Silence] = ()
    keys: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Asked:
    """What has to be known was asked for, and its rows are locked; in a pipeline, the answer comes with that of what is asked
    next."""

    silences: db.Asked[list[Silence]] | None = None
    keys: db.Asked[set[str]] | None = None

    async def told(self) -> Holding:
        found = Holding()
        if self.silences is not None:
            found.silences = await self.silences.told()
        if self.keys is not None:
            found.keys = await self.keys.told()
        return found


async def ask(connection: Connection, signals: Sequence[Signal], now: datetime, book: Rulebook) -> Asked:
    """Ask before alerts are locked: silences come first in the order of locks."""
    subjects = [each.subject for each in signals if isinstance(each, Raise) and _by_a_rule(each)]
    keys = {each.key for each in signals if not isinstance(each, Inform) or each.over}
    touching = None
    if subjects:
        touching = await silences.touching(
            connection,
            now,
            {each.device_id for each in subjects if each.device_id is not None},
            {each.resident_id for each in subjects if each.resident_id is not None},
            {zone for each in subjects for zone in (each.zone_id, *book.ancestry.get(each.zone_id, ()))},
        )
    return Asked(touching, await held.keys_held(connection, keys) if keys else None)


async def hold(
    connection: Connection, raised: Raise, holding: Holding, now: datetime, book: Rulebook
) -> Changed | None:
    """Hold back what would open an alert, where a silence says so; None where it is to be raised."""
    decision = _decided(raised, holding.silences, now, book)
    if not decision.held or decision.silence is None:
        return None
    new = await held.hold(connection, decision.silence.id, raised, now)
    holding.keys.add(raised.key)
    if new is not None:
        told = {"key": raised.key, "why": decision.why, "severity": int(raised.severity)}
        await audit.add(connection, now, (Audited("silence.held", "silence", decision.silence.id, params=told),))
    return Changed(frozenset({raised.subject.zone_id}))


async def opened(connection: Connection, raised: Raise, alert_id: int, holding: Holding, now: datetime) -> None:
    """An alert has been opened although something of the same is held back, as it grew more severe or another device of the
    home has said it: both are one now."""
    if raised.key not in holding.keys:
        return
    for row in await held.settle_by_alert(connection, raised.key, alert_id, now):
        await alerts.add_entries(connection, alert_id, (was_silenced(row["times"], row["first_at"]),), now)


def was_silenced(times: int, since: datetime) -> Entry:
    """That something was held back for a while."""
    return Entry("was_silenced", {"times": times, "since": since.isoformat()})


async def hear_end(connection: Connection, signal: Signal, holding: Holding, now: datetime) -> None:
    """What is held back may be over by this."""
    if signal.key not in holding.keys:
        return
    if isinstance(signal, Clear):
        await held.over(connection, signal.key, now)
    elif isinstance(signal, Inform) and signal.over:
        at = signal.evidence.occurred_at
        await held.device_says_over(connection, signal.key, signal.device_id, at, now)


async def foreseen(connection: Connection, case: Case, subject: Subject, at: datetime, book: Rulebook) -> Decision:
    """Whether what rules raise of that about a subject would be held back at a time, by the silences as they stand now. Where it
    is one rule's and not another's, it is not."""
    condition, code, severity, track = case.condition or "", case.vkp_code, case.severity, case.track
    evidence = Evidence(condition, at, at)
    raising = [
        Raise("", condition, code, severity, track, subject, evidence, rule_id=rule.id)
        for kind in book.rules
        for rule in book.applying(kind, subject)
        if rule.spec.enabled and (rule.spec.condition, rule.spec.track) == (condition, track)
    ]
    residents = () if subject.resident_id is None else (subject.resident_id,)
    around = {subject.zone_id, *book.ancestry.get(subject.zone_id, ())}
    known = await silences.foreseen(connection, at, residents, around)
    decided = [_decided(each, known, at, book) for each in raising]
    return min(decided, key=_holds_until, default=Decision(Why.NO_SILENCE))


def _holds_until(decision: Decision) -> float:
    return decision.silence.until.timestamp() if decision.held and decision.silence is not None else 0


def _by_a_rule(raised: Raise) -> bool:
    """What no rule has raised is never held back, nor that one has crashed."""
    return raised.rule_id is not None and raised.condition != RULE_FAILED


def _decided(raised: Raise, known: Sequence[Silence], now: datetime, book: Rulebook) -> Decision:
    if not known or not _by_a_rule(raised):
        return Decision(Why.NO_SILENCE)
    rule = book.by_id.get(raised.rule_id or 0)
    try:
        return decide(
            known,
            raised.subject,
            raised.condition,
            raised.severity,
            now,
            zones=book.ancestry.get(raised.subject.zone_id, ()),
            track=raised.track,
            vkp_code=raised.vkp_code,
            rests=rule is not None and rests_while_away(rule),
        )
    except Exception:
        log.exception("silence.undecided", key=raised.key)
        return Decision(Why.NO_SILENCE)


# Signs of life ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alive:
    """What shows that somebody is in their home; and that it was asked which of them should be away."""

    heard: Sequence[Heard] = ()
    away: db.Asked[list[held.Away]] | None = None


async def look_for_life(connection: Connection, heard: Sequence[Heard], now: datetime) -> Alive:
    """Ask who should be away of those who show to be there."""
    alive = [each for each in heard if each.subject.resident_id is not None and _shows_life(each)]
    if not alive:
        return Alive()
    residents = {each.subject.resident_id for each in alive if each.subject.resident_id is not None}
    return Alive(alive, await held.away(connection, residents, now))


async def signs_of_life(connection: Connection, alive: Alive, now: datetime) -> list[Signal]:
    """Note who shows to be in the home of a resident who is away; answers what is to be raised of it."""
    signals: list[Signal] = []
    for away in await alive.away.told() if alive.away is not None else ():
        there = [
            each
            for each in alive.heard
            if each.subject.resident_id == away.resident_id and each.observation.occurred_at >= away.since
        ]
        if not there:
            continue
        newest = max(there, key=lambda each: each.observation.occurred_at)
        told = _to_tell(there, away, now)
        await held.note_life(
            connection,
            away.id,
            newest.subject.device_id or 0,
            newest.observation.type,
            newest.observation.occurred_at,
            len(there),
            now if told else None,
        )
        signals += [somebody_there(each) for each in told]
    return signals


def _shows_life(heard: Heard) -> bool:
    kind = kinds().get(heard.observation.kind)
    return kind is not None and heard.observation.type in kind.life and heard.subject.device_id is not None


def _to_tell(there: Iterable[Heard], away: held.Away, now: datetime) -> list[Heard]:
    """That somebody comes in while nobody should be there: the newest of it, and not again and again; history calls nobody."""
    if not away.alone or now >= away.until or (away.told_at is not None and now - away.told_at < TOLD_AGAIN):
        return []
    entered = [
        each
        for each in there
        if each.observation.type in kinds()[each.observation.kind].entry and each.lateness is not Lateness.HISTORY
    ]
    return entered[-1:]


def somebody_there(heard: Heard) -> Raise:
    """An alert to care: a home that should be empty is not."""
    subject: Subject = heard.subject
    return Raise(
        key=f"{SOMEBODY_THERE}:resident:{subject.resident_id}",
        condition=SOMEBODY_THERE,
        vkp_code=None,
        severity=Severity.MODERATE,
        track=Track.CARE,
        subject=subject,
        evidence=Evidence.of(heard.observation),
    )
