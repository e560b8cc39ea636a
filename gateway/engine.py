"""The engine: signals become alerts, alerts climb, and both are saved – in the caller's transaction.

Gather (the silences, the alerts, the people), decide (``alerts.silence`` and ``alerts.escalation``, pure), apply (state,
timeline, pages, audit, announcement). Nothing here talks to a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from alerts.alert import (
    Alert,
    Answer,
    Cleared,
    Contact,
    ContactTested,
    Event,
    Joined,
    People,
    Raised,
    Refused,
    Repeated,
    Step,
)
from alerts.choosing import Case, choose
from alerts.escalation import step
from alerts.model import Clear, Entry, Evidence, Inform, Raise, Signal
from alerts.rulebook import Rulebook
from alerts.silence_ends import NOTICE
from gateway import holding
from gateway.store import alerts as alert_store
from gateway.store import audit, facts, pages, reachable, receipts
from gateway.store.alerts import StoredAlert
from gateway.store.audit import Audited, Changed
from gateway.store.db import Connection


async def act(connection: Connection, signals: Sequence[Signal], now: datetime, book: Rulebook) -> Changed:
    """Do what the rules' signals ask for. Answers what changed; the caller announces it once."""
    if not signals:
        return Changed()
    asked = await holding.ask(connection, signals, now, book)
    alerts_asked = await alert_store.open_asked(connection, [signal.key for signal in signals])
    held, open_alerts = await asked.told(), await alerts_asked.told()
    alive = {*open_alerts, *held.keys, *(each.key for each in signals if isinstance(each, Raise))}
    telling = [each for each in signals if each.key in alive]  # a door that closes nearly always has nobody to tell
    changed = Changed()
    for signal in sorted(telling, key=lambda each: each.key):  # new alerts, too, are taken in the order of their keys
        stored = open_alerts.get(signal.key)
        await holding.hear_end(connection, signal, held, now)
        if stored is None and isinstance(signal, Raise):
            kept = await holding.hold(connection, signal, held, now, book)
            if kept is not None:
                changed |= kept
                continue
        after, what = await _act_on(connection, signal, stored, now, book)
        changed |= what
        if stored is None and after is not None and isinstance(signal, Raise):
            await holding.opened(connection, signal, after.id, held, now)
        if after is None or after.alert.closed_at is not None:
            open_alerts.pop(signal.key, None)
        else:
            open_alerts[signal.key] = after
    return changed


async def _act_on(
    connection: Connection, signal: Signal, stored: StoredAlert | None, now: datetime, book: Rulebook
) -> tuple[StoredAlert | None, Changed]:
    match signal:
        case Raise() if stored is None:
            return await _open(connection, signal, now, book)
        case Raise() if stored is not None:
            again = Repeated(signal.severity, signal.repeats) if signal.repeats else Joined(signal.severity)
            return await _step(connection, stored, again, now, book, evidence=signal.evidence)
        case Clear() if stored is not None:
            return await _step(connection, stored, Cleared(), now, book, evidence=signal.evidence)
        case Inform() if stored is not None:
            entry = Entry(signal.code, {"evidence": signal.evidence.as_json()})
            await alert_store.add_entries(connection, stored.id, (entry,), now)
            return stored, Changed(frozenset({stored.zone_id}))
    return None, Changed()


async def _open(connection: Connection, raised: Raise, now: datetime, book: Rulebook) -> tuple[StoredAlert, Changed]:
    around = book.ancestry.get(raised.subject.zone_id, (raised.subject.zone_id,))
    policy = choose(book.policies, Case.of(raised), around, now, book.local)
    if raised.notice is not None:
        policy = replace(policy, policy=NOTICE)
    fresh = Alert(policy=policy.policy, severity=raised.severity)
    stored = await alert_store.add(connection, raised, policy, fresh, now)
    first = Entry("raised", {"condition": raised.condition, "evidence": raised.evidence.as_json()})
    await alert_store.add_entries(connection, stored.id, (first,), now)
    await audit.add(connection, now, (Audited("alert.raised", "alert", stored.id, params={"key": raised.key}),))
    also = raised.notice or ()
    _, opened, changed = await advance(connection, stored, _first(raised), now, book, also=also)
    if not raised.repeats:
        return opened, changed
    repeated = Repeated(raised.severity, raised.repeats)
    called, more = await _step(connection, opened, repeated, now, book)
    return called, changed | more


def _first(raised: Raise) -> Event:
    test = raised.test
    if test is None:
        return Raised(raised.notice or ())
    return ContactTested(Contact(test.contact_id, test.person_id, test.channel), test.within)


async def _step(
    connection: Connection,
    stored: StoredAlert,
    event: Event,
    now: datetime,
    book: Rulebook,
    evidence: Evidence | None = None,
) -> tuple[StoredAlert, Changed]:
    outcome, after, changed = await advance(connection, stored, event, now, book, evidence=evidence)
    return (after, changed) if isinstance(outcome, Step) else (stored, Changed())


async def advance(
    connection: Connection,
    stored: StoredAlert,
    event: Event,
    now: datetime,
    book: Rulebook,
    *,
    evidence: Evidence | None = None,
    given_at: datetime | None = None,
    also: Sequence[int] = (),
) -> tuple[Step | Refused, StoredAlert, Changed]:
    """One event of a locked alert: gather the people, decide, save. ``also``: persons the event names."""
    gathered = await _people(connection, stored, now, book, also)
    outcome = step(stored.alert, event, now, gathered)
    if isinstance(outcome, Refused):
        return outcome, stored, Changed()
    recalls = isinstance(event, Answer) and await receipts.answered(connection, stored.id, event.by, now)
    after, changed = await _apply(connection, stored, outcome, now, evidence, given_at)
    changed = replace(changed, pages=changed.pages or recalls)
    return outcome, after, changed


async def _people(
    connection: Connection, stored: StoredAlert, now: datetime, book: Rulebook, also: Sequence[int]
) -> People:
    named = {stored.alert.holder, stored.alert.offered_to, *also} - {None}
    persons = sorted(each for each in named if each is not None)
    wanted = reachable.Wanted(stored.zone_id, book.channels, (stored.alert.policy,), persons)
    return await reachable.reachable(connection, wanted, stored.alert.policy, now, book.local)


async def _apply(
    connection: Connection,
    stored: StoredAlert,
    decided: Step,
    now: datetime,
    evidence: Evidence | None,
    given_at: datetime | None,
) -> tuple[StoredAlert, Changed]:
    after = replace(stored, alert=decided.alert)
    entries = _with_evidence(decided.entries, evidence)
    recalls = decided.withdraw and await pages.withdraw(connection, stored.id, now)
    if decided.alert != stored.alert:
        await alert_store.save(connection, stored.id, decided.alert)
    await alert_store.add_entries(connection, stored.id, entries, now, given_at)
    if decided.pages:
        await pages.add(connection, after, decided.pages, now)
    await audit.add(connection, now, (_audited(stored.id, entry) for entry in entries))
    if decided.alert.closed_at is not None and stored.alert.closed_at is None:
        await facts.note(connection, stored.id)
    paged = frozenset(page.contact.person_id for page in decided.pages)
    if decided.alert.closed_at is not None:  # whoever was called may lay the phone down
        paged |= await pages.called(connection, stored.id)
    concerned = paged | {each for each in (stored.alert.holder, decided.alert.holder) if each is not None}
    return after, Changed(frozenset({stored.zone_id}), concerned, bool(decided.pages) or recalls)


def _with_evidence(entries: Sequence[Entry], evidence: Evidence | None) -> tuple[Entry, ...]:
    """The first entry says what happened, so the evidence is its."""
    if evidence is None or not entries:
        return tuple(entries)
    first = replace(entries[0], params={**entries[0].params, "evidence": evidence.as_json()})
    return (first, *entries[1:])


def _audited(alert_id: int, entry: Entry) -> Audited:
    params = {name: value for name, value in entry.params.items() if name != "evidence"}
    return Audited(f"alert.{entry.code}", "alert", alert_id, entry.actor_id, params)
