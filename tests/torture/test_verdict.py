"""The verdict can fail: each invariant is broken by hand, and is named with the device and the message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.processes import Word
from tests.torture.publisher import Memory, Saying
from tests.torture.stored import AlertRow, EntryRow, Fitting, PageRow, Print, Stored
from tests.torture.verdict import Told, judge

T0 = datetime(2026, 3, 3, 8, tzinfo=UTC)
FELL, BEAT, TRUSTED = Word("b-000001", "m-1"), Word("b-000002", "m-2"), Word("b-000004", "m-3")
PRINT = Print(7, "audit", {1: 4}, "timeline")


def told() -> Told:
    """A fall and a heartbeat with receipts, and an event that its device left to the broker."""
    said = {
        FELL: Saying("fall", T0, alarm=True, promised=True),
        BEAT: Saying("heartbeat", T0, alarm=False, promised=False),
        TRUSTED: Saying("refilled", T0, alarm=False, promised=True),
    }
    memory = Memory(said, acknowledged={FELL, BEAT, TRUSTED}, receipted={FELL, BEAT})
    return Told(memory, frozenset(), frozenset({"page-2"}))


def stored() -> Stored:
    """All of it is stored; the fall has an alert that climbs, and its pages have left."""
    alert = AlertRow(
        1, "fall:1", "fall", "care", "b-000001", T0, "open", T0 + timedelta(seconds=20), None, 2, (10, 10, 10)
    )
    return Stored(
        now=T0 + timedelta(seconds=15),
        messages={FELL: 1, BEAT: 1, TRUSTED: 1},
        quarantine=(),
        alerts=(alert,),
        entries=(
            _line(1, 0, "raised", evidence=True),
            _line(2, 0, "step_reached", step=0),
            _line(3, 10, "step_reached", step=1),
        ),
        pages=(
            PageRow("page-1", 1, 1, 5, "in_app", "handed_over", None),
            PageRow("page-2", 1, 2, 6, "email", "handed_over", None),
        ),
        fittings=(Fitting("b-000001", T0, T0 + timedelta(days=1)), Fitting("b-000001", T0 + timedelta(days=1), None)),
        prints=((PRINT, PRINT),),
    )


def _line(seq: int, seconds: float, code: str, *, step: int | None = None, evidence: bool = False) -> EntryRow:
    at = T0 + timedelta(seconds=seconds)
    return EntryRow(1, seq, at, code, step, *(("b-000001", "fall", T0) if evidence else (None, None, None)))


def test_what_is_sound_has_no_findings() -> None:
    assert judge(told(), stored()) == []


def _without(word: Word) -> Callable[[Told, Stored], tuple[Told, Stored]]:
    return lambda said, kept: (said, replace(kept, messages={k: n for k, n in kept.messages.items() if k != word}))


def _alert(**changes: object) -> Callable[[Told, Stored], tuple[Told, Stored]]:
    return lambda said, kept: (said, replace(kept, alerts=[replace(kept.alerts[0], **changes)]))  # type: ignore[arg-type]


def _pages(*pages: PageRow) -> Callable[[Told, Stored], tuple[Told, Stored]]:
    return lambda said, kept: (said, replace(kept, pages=pages))


def _entries(*entries: EntryRow) -> Callable[[Told, Stored], tuple[Told, Stored]]:
    return lambda said, kept: (said, replace(kept, entries=entries))


def _stored(**changes: object) -> Callable[[Told, Stored], tuple[Told, Stored]]:
    return lambda said, kept: (said, replace(kept, **changes))  # type: ignore[arg-type]


ONE, TWO = stored().pages
RAISED, FIRST, SECOND = stored().entries
PLANTED: dict[str, tuple[Callable[[Told, Stored], tuple[Told, Stored]], str, str]] = {
    "a receipted message is gone": (_without(BEAT), "a receipt is a promise", "b-000002 message m-2 (heartbeat)"),
    "an acknowledged one is gone": (_without(TRUSTED), "an acknowledgement is a promise", "b-000004 message m-3"),
    "one is stored twice": (_stored(messages={FELL: 1, BEAT: 2, TRUSTED: 1}), "stored once", "b-000002 message m-2"),
    "one was never said": (
        _stored(messages={FELL: 1, BEAT: 1, TRUSTED: 1, Word("b-9", "m-9"): 1}),
        "nothing is invented",
        "b-9 message m-9",
    ),
    "a whole one is in quarantine": (
        _stored(quarantine=[("hv/v1/x/fall_alarm/b-000001/alarm", "poison: TooMuch")]),
        "nothing is invented",
        "b-000001/alarm",
    ),
    "a device still keeps one": (
        lambda said, kept: (replace(said, kept=frozenset({BEAT})), kept),
        "it heals",
        "b-000002 message m-2",
    ),
    "a fall has no alert": (_entries(FIRST, SECOND), "an alarm is raised", "b-000001 message m-1 (fall)"),
    "a fall is only for technicians": (_alert(track="technical"), "an alarm is raised", "b-000001 message m-1"),
    "a fall counts twice": (
        _entries(RAISED, replace(RAISED, seq=2), replace(FIRST, seq=3), replace(SECOND, seq=4)),
        "an alarm counts once",
        "b-000001 message m-1 (fall) is 2 times raised",
    ),
    "an alert has no page": (_pages(), "an alert finds a person", "alert 1 (fall of b-000001) has no page"),
    "no page was handed over": (
        _pages(replace(ONE, state="failed"), replace(TWO, state="withdrawn")),
        "an alert finds a person",
        "alert 1 (fall of b-000001)",
    ),
    "a mail was never sent": (
        lambda said, kept: (replace(said, mails=frozenset()), kept),
        "an alert finds a person",
        "page page-2",
    ),
    "somebody is paged twice": (
        _pages(ONE, TWO, replace(TWO, uid="page-3", channel="in_app")),
        "a page is unique",
        "contact 6",
    ),
    "an attempt paged nobody": (_pages(ONE), "an attempt has pages", "attempt 2"),
    "an alert has no due_at": (_alert(due_at=None), "nothing stands still", "alert 1 (fall of b-000001)"),
    "an alert is long due": (_alert(due_at=T0 - timedelta(minutes=1)), "nothing stands still", "nothing came of it"),
    "a page never leaves": (
        _pages(ONE, TWO, PageRow("page-3", 1, 2, 7, "email", "leased", T0 - timedelta(minutes=1))),
        "nothing stands still",
        "page page-3 of alert 1",
    ),
    "a step comes too early": (
        _entries(RAISED, FIRST, _line(3, 9.5, "step_reached", step=1)),
        "a ladder does not hurry",
        "alert 1 reached step 1",
    ),
    "a key is open twice": (
        lambda said, kept: (said, replace(kept, alerts=[*kept.alerts, replace(kept.alerts[0], stage="claimed")])),
        "a key is open once",
        "fall:1",
    ),
    "fittings overlap": (
        _stored(fittings=[Fitting("b-000001", T0, None), Fitting("b-000001", T0 + timedelta(days=1), None)]),
        "a fitting does not overlap",
        "b-000001",
    ),
    "the audit can be changed": (_stored(changeable=["audit"]), "what is written stays", "audit"),
    "the audit was changed": (_stored(prints=[(PRINT, replace(PRINT, audit="x"))]), "what is written stays", "7"),
    "a timeline was changed": (_stored(prints=[(PRINT, replace(PRINT, timeline="x"))]), "what is written stays", "7"),
    "a timeline has a gap": (
        _entries(RAISED, FIRST, replace(SECOND, seq=4)),
        "what is written stays",
        "alert 1 has a gap after line 2",
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_each_broken_invariant_is_named(planted: str) -> None:
    plant, invariant, names = PLANTED[planted]
    findings = judge(*plant(told(), stored()))
    assert {each.invariant for each in findings} == {invariant}, findings
    assert names in str(findings[0])


def test_an_answered_alert_needs_no_page_that_was_handed_over() -> None:
    said, kept = _pages(replace(ONE, state="withdrawn"), replace(TWO, state="withdrawn"))(told(), stored())
    assert judge(said, replace(kept, alerts=[replace(kept.alerts[0], stage="claimed")])) == []


def test_an_acknowledgement_is_no_promise_while_the_broker_is_killed() -> None:
    said, kept = _without(BEAT)(told(), stored())
    said.memory.receipted.discard(BEAT)
    assert judge(said, kept) == []
