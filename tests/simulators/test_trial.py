"""Trials: a day at full speed with faults passes; one thing broken on purpose, and the run names it.

What is broken is broken at a seam: through the API's own calls, by SQL, by an answer that leads nowhere.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from devices.model import Lane
from gateway.api.schemas import RuleRequest
from gateway.app import Gateway
from gateway.batches import Batch
from gateway.embedded import Broker
from gateway.ingest import Held, Stored
from gateway.store.audit import Changed
from gateway.store.trials import Print
from gateway.trial.run import Outcome, Trial, UnknownDevice, run
from gateway.trial.tell import told
from gateway.trial.verdict import judge
from gateway.turns import Turn
from simulators.faults import Fault, Injected, parse
from simulators.people import Life
from tests.support.rules import own

DAY = timedelta(days=1)
MANY_FAULTS = [
    "drop=0.02",
    "duplicate=0.05",
    "corrupt=0.01",
    "delay=0.01",
    "reorder=0.01",
    "skew=0.1",
    "fall-002:battery_death",
    "fall-001:flood",
]
NOTHING = Life(falls_per_day=0, missed_per_dose=0)
SHORT = Trial(homes=1, days=1 / 24, seed=3, life=NOTHING)
"""An hour of one home, in which nothing happens unless a story says so."""
A_FALL = replace(SHORT, seed=40, life=replace(NOTHING, falls_per_day=1))
A_PRESS = replace(SHORT, seed=95, life=replace(NOTHING, presses_per_day=1))
"""Within this hour fall-001 has one."""


async def tried(trial: Trial, url: str, broker: Broker) -> Outcome:
    return await run(trial, url, broker)


def named(outcome: Outcome) -> str:
    assert not outcome.passed
    return "\n".join(str(each) for each in outcome.verdict.findings)


async def sql(gateway: Gateway, *statements: str) -> list[tuple[Any, ...]]:
    """The rows of the last."""
    rows: list[tuple[Any, ...]] = []
    async with await psycopg.AsyncConnection.connect(gateway.database.url, autocommit=True) as connection:
        for each in statements:
            cursor = await connection.execute(each.encode())
            rows = await cursor.fetchall() if cursor.description else []
    return rows


async def test_a_day_of_twelve_homes_with_faults_passes(migrated_url: str, own_broker: Broker) -> None:
    life = Life(falls_per_day=0.1, missed_per_dose=0.4, presses_per_day=0.2, smoke_per_day=0.05, out_per_night=0.1)
    trial = Trial(homes=12, days=1, seed=7, life=life, faults=parse(MANY_FAULTS, DAY))
    outcome = await tried(trial, migrated_url, own_broker)
    assert [str(each) for each in outcome.verdict.findings] == []
    assert outcome.verdict.musts > 12
    assert {each.condition for each in outcome.stored.alerts} >= {"fall", "button_pressed", "dose_missed"}
    assert outcome.did.taken["close"] > 5
    report = "\n".join(told(outcome))
    for what in ("alerts", "in_app", "taken", "planned", "in quarantine", "duplicate", "No invariant broke"):
        assert what in report


async def test_a_rule_that_is_switched_off_is_missed(migrated_url: str, own_broker: Broker) -> None:
    async def switch_off(gateway: Gateway) -> None:
        signed = await gateway.front.sign_in("admin", A_FALL.password, "trial")
        admin = await gateway.front.who(signed.token)
        assert admin is not None
        (zone,) = await sql(gateway, "SELECT uid FROM zone WHERE kind = 'centre'")
        spec = {**own("fall_alarm", "fall"), "enabled": False}
        asked = {"kind": "fall_alarm", "scope": {"zone": str(zone[0])}, "spec": spec, "version": 0}
        await gateway.front.set_rule(admin, RuleRequest.model_validate(asked))

    trial = replace(A_FALL, after_start=switch_off)
    said = named(await tried(trial, migrated_url, own_broker))
    assert "what is true is raised: fall_alarm fall-001 said fall" in said
    assert "there is no fall (care) of it" in said


async def test_a_row_that_is_lost_is_missed(migrated_url: str, own_broker: Broker) -> None:
    async def lose(gateway: Gateway) -> None:
        await sql(
            gateway,
            """WITH newest AS (SELECT max(id) FROM said),
                    health AS (DELETE FROM device_health WHERE id IN (SELECT * FROM newest))
               DELETE FROM observation WHERE id IN (SELECT * FROM newest)""",
        )

    said = named(await tried(replace(SHORT, before_verdict=lose), migrated_url, own_broker))
    assert said.startswith("a receipt is a promise: ")
    assert "has a receipt and is not stored (2026-11-23 1" in said
    assert said.count("\n") == 0


async def test_an_answer_that_leads_nowhere_is_named(migrated_url: str, own_broker: Broker) -> None:
    """Whoever answers is told that it was taken, and nothing of it is stored; for an hour with faults as well."""

    async def lose_answers(gateway: Gateway) -> None:
        async def nowhere(*_: object) -> None: ...

        gateway.front.answer = nowhere  # type: ignore[method-assign, assignment]

    trial = replace(A_PRESS, after_start=lose_answers, faults=parse(["duplicate=0.2", "delay=0.05"], DAY))
    said = named(await tried(trial, migrated_url, own_broker))
    assert re.search(r"an answer is kept: alert 1: person \d+ answered claim, and it is not on the timeline", said)


async def test_an_alarm_lane_that_is_dead_for_a_while_is_named(migrated_url: str, own_broker: Broker) -> None:
    """What was said meanwhile is stored in the end, and too late: with faults as well."""

    async def cut(gateway: Gateway) -> None:
        worker = next(each for (_, lane), each in gateway.lanes.items() if lane is Lane.ALARM)
        until, take = A_FALL.until - timedelta(minutes=4), worker._store

        async def deaf(held: Held, said: Batch, turn: Turn) -> Stored | None:
            if gateway.clock.now() < until:
                return Stored(len(said.messages), 0, 0, (), (), Changed())
            return await take(held, said, turn)

        worker._store = deaf  # type: ignore[method-assign]

    trial = replace(A_FALL, after_start=cut, faults=parse(["duplicate=0.2", "delay=0.05"], DAY))
    said = named(await tried(trial, migrated_url, own_broker))
    assert "what is true is raised: fall_alarm fall-001 said fall" in said


async def test_a_receipt_before_the_commit_is_named(migrated_url: str, own_broker: Broker) -> None:
    """The gateway thanks for an alarm and does not store it: with broken bytes on the way, too."""

    async def thank(gateway: Gateway) -> None:
        worker = next(each for (_, lane), each in gateway.lanes.items() if lane is Lane.ALARM)

        async def promise(held: Held, said: Batch, turn: Turn) -> Stored | None:
            told = [json.loads(each.payload)["id"] for each in said.messages]
            topics = [each.topic.rsplit("/", 1)[0] for each in said.messages]
            receipts = tuple(
                (f"{topic}/receipt", json.dumps({"id": id_}).encode()) for topic, id_ in zip(topics, told, strict=True)
            )
            return Stored(len(told), len(told), 0, receipts, (), Changed())

        worker._store = promise  # type: ignore[method-assign]

    said = named(await tried(replace(A_FALL, after_start=thank), migrated_url, own_broker))
    assert "a receipt is a promise: fall-001 message " in said


async def test_broken_bytes_excuse_no_loss(migrated_url: str, own_broker: Broker) -> None:
    """A message that was broken once on its way may be stored twice, and never not at all."""
    outcome = await tried(A_PRESS, migrated_url, own_broker)
    truth, until = outcome.script.truth, outcome.plan.until
    address, message_id = next(iter(truth.receipts))
    truth.injected.append(Injected(Fault.CORRUPT, address, until, until, message_id))
    for times, finding in ((2, ""), (0, "a receipt is a promise: ")):
        stored = replace(outcome.stored, messages={**outcome.stored.messages, (address, message_id): times})
        said = "".join(str(each) for each in judge(outcome.script, stored, until, outcome.did.given).findings)
        assert said.startswith(finding)
        assert bool(said) == bool(finding)


async def test_what_else_can_be_broken_is_named(migrated_url: str, own_broker: Broker) -> None:
    """One short trial with a press of the button, broken in every way that the store itself would refuse."""

    async def break_all(gateway: Gateway) -> None:
        await sql(
            gateway,
            """INSERT INTO observation (device_id, installation_id, kind, message_class, type, message_id, occurred_at,
                                        received_at, flags, fields)
               SELECT device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at, flags,
                      fields FROM observation ORDER BY id LIMIT 1""",
            "ALTER TABLE page DROP CONSTRAINT page_alert_id_attempt_contact_id_key",
            """INSERT INTO page (uid, alert_id, attempt, contact_id, person_id, severity, state, created_at, due_at)
               SELECT gen_random_uuid(), alert_id, attempt, contact_id, person_id, severity, state, created_at, due_at
               FROM page ORDER BY id LIMIT 1""",
            "ALTER TABLE alert_entry DISABLE TRIGGER alert_entry_append_only",
            "DELETE FROM alert_entry WHERE seq = 2",
            "DO $$ DECLARE c record; BEGIN FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = 'alert'::regclass"
            " AND contype = 'c' LOOP EXECUTE 'ALTER TABLE alert DROP CONSTRAINT ' || quote_ident(c.conname); END LOOP; END $$",
            "UPDATE alert SET due_at = NULL, closed_at = NULL, condition = 'fall'",
        )

    trial = replace(A_PRESS, before_verdict=break_all)
    said = named(await tried(trial, migrated_url, own_broker))
    for invariant in (
        "stored once: ",
        "no page twice: ",
        "audit and timeline are append-only: alert_entry can be changed",
        "audit and timeline are in order: ",
        "what is open has a due_at: ",
        "no alert without a cause: ",
        "what is true is raised: ",
    ):
        assert invariant in said


async def test_what_the_store_cannot_be_made_to_do_is_named_too(migrated_url: str, own_broker: Broker) -> None:
    """A sound trial, and what it stored changed in memory."""
    outcome = await tried(A_PRESS, migrated_url, own_broker)
    assert outcome.passed, named(outcome)
    stored, until = outcome.stored, outcome.plan.until
    (alert,) = stored.alerts
    first = stored.entries[0]
    evidence = {**(first.evidence or {}), "type": "nothing_said"}
    nobody = replace(alert, stage="open", closed_at=None, due_at=until)
    a_print = Print(1, "as it was", until, "as it was")
    broken = {
        "escalation never ends in silence: ": replace(stored, alerts=[nobody], entries=[first]),
        "absence only for heard time: ": replace(
            stored, entries=[replace(first, evidence=evidence)], heard=frozenset()
        ),
        "audit and timeline are append-only: the audit up to 1": replace(
            stored, prints=[(a_print, replace(a_print, audit="another"))]
        ),
        "audit and timeline are append-only: the timelines": replace(
            stored, prints=[(a_print, replace(a_print, timeline="another"))]
        ),
        "audit and timeline are in order: 2 lines": replace(stored, audit_out_of_order=2),
        "what is due is done: ": replace(stored, alerts=[replace(nobody, due_at=alert.raised_at)]),
        "an alert finds a person: alert 1 (": replace(stored, pages=[]),
        "an alert finds a person: alert 1 (button_pressed of fall-001): no page was handed over": replace(
            stored, pages=[replace(each, state="withdrawn", handed_over_at=None) for each in stored.pages]
        ),
        "an alert finds a person: alert 1, attempt 1: the page of contact": replace(
            stored, pages=[*stored.pages, replace(stored.pages[0], state="queued", handed_over_at=None)]
        ),
        "an answer is kept: alert 1: ": replace(stored, entries=[each for each in stored.entries if not each.actor_id]),
        "an answer is kept once: alert 1: claimed by person": replace(
            stored, entries=[*stored.entries, *(each for each in stored.entries if each.code == "claimed")]
        ),
        "people close alerts: alert 1 (button_pressed of fall-001) was closed": replace(
            stored,
            alerts=[replace(alert, closed_at=until, due_at=None)],
            entries=[each for each in stored.entries if each.code != "closing"],
        ),
        "a receipt is a promise: ": replace(stored, messages={}),
        "what is true is raised: ": replace(stored, entries=[]),
        "no alert without a cause: ": replace(stored, alerts=[replace(alert, condition="site_deaf", device=None)]),
    }
    for invariant, changed in broken.items():
        found = [str(each) for each in judge(outcome.script, changed, until, outcome.did.given).findings]
        assert any(each.startswith(invariant) for each in found), (invariant, found)


async def test_an_alert_that_reaches_nobody_is_named(migrated_url: str, own_broker: Broker) -> None:
    async def nobody_is_there(gateway: Gateway) -> None:
        await sql(gateway, "UPDATE contact SET active = false")

    trial = replace(A_PRESS, after_start=nobody_is_there)
    assert "an alert finds a person: alert 1 (button_pressed of fall-001) paged nobody" in named(
        await tried(trial, migrated_url, own_broker)
    )


async def test_a_fault_on_a_device_that_is_not_there(migrated_url: str, own_broker: Broker) -> None:
    with pytest.raises(UnknownDevice, match="nobody:flood: there is no such device; there are brann-001"):
        await tried(replace(SHORT, faults=parse(["nobody:flood"])), migrated_url, own_broker)
