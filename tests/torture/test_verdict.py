"""The verdict can fail: each invariant is broken by hand, and is named with the device and the message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_DNS, uuid5

import pytest

from alerts.model import Severity
from tests.support.processes import Word
from tests.torture.memory import Memory, Saying, State, States
from tests.torture.plan import Blow, How, Whom
from tests.torture.run import Outcome
from tests.torture.stored import AlertRow, EntryRow, Fitting, Idless, PageRow, Print, SaidRow, Stored
from tests.torture.told import Told
from tests.torture.verdict import judge

T0 = datetime(2026, 3, 3, 8, tzinfo=UTC)
FELL, BEAT, TRUSTED = Word("b-000001", "m-1"), Word("b-000002", "m-2"), Word("b-000004", "m-3")
PRINT = Print(7, "audit", {1: 4}, "timeline")
THERE, GONE = State("b-000009", online=True), State("b-000009", online=False)
BLOW = Blow(Whom.GATEWAY, How.KILL, 0, 1.0, 1.0)


def told() -> Told:
    """A fall and a heartbeat with receipts, an event that its device left to the broker, and a device that is there, and was
    gone before. Two blows have fallen."""
    said = {
        FELL: Saying("fall", T0, alarm=True, promised=True),
        BEAT: Saying("heartbeat", T0, alarm=False, promised=False, fields={"battery": 71}),
        TRUSTED: Saying("refilled", T0, alarm=False, promised=True),
    }
    states = States({THERE.address: True}, {THERE, GONE}, Counter({THERE: 2, GONE: 1}))
    memory = Memory(said, acknowledged={FELL, BEAT, TRUSTED}, receipted={FELL, BEAT}, states=states)
    return Told(memory, frozenset(), frozenset({"page-2", "page-3"}), planned=2, struck=(BLOW, BLOW))


def stored() -> Stored:
    """All of it is stored; the fall has an alert that climbs, another fall has joined it, and its pages have left."""
    alert = AlertRow(
        1, "fall:1", "fall", "care", "b-000001", T0, "open", T0 + timedelta(seconds=20), None, 3, (10, 10, 10)
    )
    return Stored(
        now=T0 + timedelta(seconds=15),
        messages={
            FELL: [SaidRow("fall", "alarm", T0, {})],
            BEAT: [SaidRow("heartbeat", "status", T0, {"battery": 71})],
            TRUSTED: [SaidRow("refilled", "event", T0, {})],
        },
        idless=(_idless(THERE, 3), _idless(THERE, 5, retained=True), _idless(GONE, 1)),
        online={THERE.address: True, "b-000001": True, "b-000003": None},
        quarantine=(),
        alerts=(alert,),
        entries=(
            _line(1, 0, "raised", evidence=T0),
            _line(2, 0, "step_reached", step=0, attempt=1),
            _line(3, 4, "evidence_joined", evidence=T0 + timedelta(seconds=3)),
            _line(4, 4, "step_paged_again", step=0, attempt=2),
            _line(5, 10, "step_reached", step=1, attempt=3),
        ),
        pages=(_page(1, 0, channel="in_app"), _page(2, 4), _page(3, 10, contact=6)),
        fittings=(Fitting("b-000001", T0, T0 + timedelta(days=1)), Fitting("b-000001", T0 + timedelta(days=1), None)),
        prints=((PRINT, PRINT),),
    )


def _idless(state: State, times: int, *, retained: bool = False) -> Idless:
    return Idless(state.address, "presence", {"online": state.online}, retained, times)


def _page(attempt: int, seconds: float, *, contact: int = 5, channel: str = "email") -> PageRow:
    made_at = T0 + timedelta(seconds=seconds)
    return PageRow(f"page-{attempt}", 1, attempt, contact, channel, Severity.CRITICAL, "handed_over", made_at, None)


def _line(
    seq: int,
    seconds: float,
    code: str,
    *,
    step: int | None = None,
    attempt: int | None = None,
    evidence: datetime | None = None,
) -> EntryRow:
    at = T0 + timedelta(seconds=seconds)
    return EntryRow(
        1, seq, at, code, step, attempt, *(("b-000001", "fall", evidence) if evidence else (None, None, None))
    )


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


def _contents(word: Word, **changes: object) -> Callable[[Told, Stored], tuple[Told, Stored]]:
    def plant(said: Told, kept: Stored) -> tuple[Told, Stored]:
        row = replace(kept.messages[word][0], **changes)  # type: ignore[arg-type]
        return said, replace(kept, messages={**kept.messages, word: [row]})

    return plant


def _more(word: Word) -> Callable[[Told, Stored], tuple[Told, Stored]]:
    row = SaidRow("heartbeat", "status", T0, {"battery": 71})
    return lambda said, kept: (
        said,
        replace(kept, messages={**kept.messages, word: [*kept.messages.get(word, ()), row]}),
    )


def _run(**changes: object) -> Callable[[Told, Stored], tuple[Told, Stored]]:
    return lambda said, kept: (replace(said, **changes), kept)  # type: ignore[arg-type]


ONE, TWO, THREE = stored().pages
RAISED, FIRST, JOINED, AGAIN, SECOND = stored().entries
PLANTED: dict[str, tuple[Callable[[Told, Stored], tuple[Told, Stored]], str, str]] = {
    "a receipted message is gone": (_without(BEAT), "a receipt is a promise", "b-000002 message m-2 (heartbeat)"),
    "an acknowledged one is gone": (_without(TRUSTED), "an acknowledgement is a promise", "b-000004 message m-3"),
    "one is stored twice": (_more(BEAT), "stored once", "b-000002 message m-2"),
    "one was never said": (_more(Word("b-9", "m-9")), "nothing is invented", "b-9 message m-9"),
    "one has another type": (_contents(TRUSTED, type="opened"), "stored as said", "b-000004 message m-3 (refilled)"),
    "one has another time": (
        _contents(BEAT, occurred_at=T0 + timedelta(seconds=1)),
        "stored as said",
        "has the time 2026-03-03T08:00:01+00:00, and said 2026-03-03T08:00:00+00:00",
    ),
    "one has the fields of another": (
        _contents(BEAT, fields={"battery": 70}),
        "stored as said",
        "has the fields {'battery': 70}, and said {'battery': 71}",
    ),
    "an alarm is stored as an event": (
        _contents(FELL, message_class="event"),
        "stored as said",
        "b-000001 message m-1 (fall) has the class event, and said an alarm",
    ),
    "a state was never said": (
        _stored(idless=(*stored().idless, _idless(State("b-000008", online=True), 1))),
        "nothing is invented",
        "b-000008 never said, without an id, presence {'online': True}",
    ),
    "a message has lost its id": (
        _stored(idless=(*stored().idless, Idless(THERE.address, "heartbeat", {}, False, 1))),
        "nothing is invented",
        "b-000009 never said, without an id, heartbeat",
    ),
    "of two equal states one is stored": (
        _stored(idless=(_idless(THERE, 1), _idless(GONE, 1))),
        "an acknowledgement is a promise",
        "b-000009 online: true was acknowledged 2 times, and 1 of them are not stored",
    ),
    "copies that the broker had kept take the place of a state": (
        _stored(idless=(_idless(THERE, 2), _idless(GONE, 4, retained=True))),
        "an acknowledgement is a promise",
        "b-000009 online: false was acknowledged 1 times",
    ),
    "an older state has won": (
        _stored(online={THERE.address: False}),
        "the newest state counts",
        "b-000009 online: true was said last, not False",
    ),
    "a state came to nothing": (_stored(online={}), "the newest state counts", "b-000009 online: true"),
    "a blow never fell": (_run(struck=(BLOW,)), "every blow falls", "1 of 2 did not"),
    "a gateway ended": (_run(ended=("gateway b: …KeyError",)), "a gateway goes on", "gateway b: …KeyError"),
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
    "a fall has no alert": (
        _entries(FIRST, JOINED, AGAIN, SECOND),
        "an alarm is raised",
        "b-000001 message m-1 (fall)",
    ),
    "a fall is only for technicians": (_alert(track="technical"), "an alarm is raised", "b-000001 message m-1"),
    "a fall counts twice": (
        _entries(RAISED, FIRST, replace(RAISED, seq=3), replace(FIRST, seq=4), replace(SECOND, seq=5)),
        "an alarm counts once",
        "b-000001 message m-1 (fall) is 2 times raised",
    ),
    "an alert has no page": (_pages(), "an alert finds a person", "alert 1 (fall of b-000001) has no page"),
    "no page was handed over": (
        _pages(*(replace(each, state="failed") for each in (ONE, TWO, THREE))),
        "an alert finds a person",
        "alert 1 (fall of b-000001)",
    ),
    "a mail was never sent": (
        lambda said, kept: (replace(said, mails=frozenset()), kept),
        "an alert finds a person",
        "page page-2",
    ),
    "a mail told of several, and none was sent": (
        lambda said, kept: _pages(ONE, replace(TWO, severity=Severity.MODERATE), THREE)(
            replace(said, mails=frozenset({"page-3"})), kept
        ),
        "an alert finds a person",
        "page page-2",
    ),
    "an alarm that joined called nobody": (
        _entries(RAISED, FIRST, JOINED, replace(AGAIN, code="attempt_failed"), SECOND),
        "every event pages",
        "line 3 (evidence_joined) of alert 1 (fall of b-000001) called nobody",
    ),
    "an alarm that joined waited for the ladder": (
        _entries(RAISED, FIRST, JOINED, replace(AGAIN, at=T0 + timedelta(seconds=6)), SECOND),
        "every event pages",
        "line 3 (evidence_joined) of alert 1 (fall of b-000001) called nobody",
    ),
    "an alarm that joined has the page of the one before": (
        _pages(ONE, replace(TWO, made_at=T0), THREE),
        "every event pages",
        "line 3 (evidence_joined) of alert 1 (fall of b-000001) began attempt 2, which has no page",
    ),
    "of two alarms that joined at once one called somebody": (
        _entries(RAISED, FIRST, JOINED, replace(JOINED, seq=4), replace(AGAIN, seq=5), replace(SECOND, seq=6)),
        "every event pages",
        "line 3 (evidence_joined) of alert 1 (fall of b-000001) called nobody",
    ),
    "since an alarm joined nothing was handed over": (
        _pages(ONE, replace(TWO, state="failed"), replace(THREE, state="failed")),
        "every event pages",
        "line 3 (evidence_joined) of alert 1 (fall of b-000001) began attempt 2, and nothing was handed over since",
    ),
    "somebody is paged twice": (
        _pages(ONE, TWO, THREE, replace(THREE, uid="page-4", channel="in_app")),
        "a page is unique",
        "contact 6",
    ),
    "an attempt paged nobody": (_pages(ONE, TWO), "an attempt has pages", "attempt 3"),
    "an alert has no due_at": (_alert(due_at=None), "nothing stands still", "alert 1 (fall of b-000001)"),
    "an alert is long due": (_alert(due_at=T0 - timedelta(minutes=1)), "nothing stands still", "nothing came of it"),
    "a page never leaves": (
        _pages(
            *stored().pages, replace(TWO, uid="page-4", contact_id=7, state="leased", due_at=T0 - timedelta(minutes=1))
        ),
        "nothing stands still",
        "page page-4 of alert 1",
    ),
    "a step comes too early": (
        _entries(RAISED, FIRST, JOINED, AGAIN, _line(5, 9.5, "step_reached", step=1, attempt=3)),
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
        _entries(RAISED, FIRST, JOINED, AGAIN, replace(SECOND, seq=6)),
        "what is written stays",
        "alert 1 has a gap after line 4",
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_each_broken_invariant_is_named(planted: str) -> None:
    plant, invariant, names = PLANTED[planted]
    findings = judge(*plant(told(), stored()))
    assert {each.invariant for each in findings} == {invariant}, findings
    assert names in str(findings[0])


def test_an_answered_alert_needs_no_page_that_was_handed_over() -> None:
    said, kept = _pages(*(replace(each, state="withdrawn") for each in (ONE, TWO, THREE)))(told(), stored())
    assert judge(said, replace(kept, alerts=[replace(kept.alerts[0], stage="claimed")])) == []


def test_who_has_an_alert_is_called_when_an_alarm_joins_it() -> None:
    to_holder = replace(AGAIN, code="holder_paged", step=None)
    said, kept = _entries(RAISED, FIRST, JOINED, to_holder, SECOND)(told(), stored())
    claimed = replace(kept, alerts=[replace(kept.alerts[0], stage="claimed")])
    assert judge(said, claimed) == []
    uncalled = replace(claimed, entries=[RAISED, FIRST, JOINED, replace(to_holder, code="stage_lapsed"), SECOND])
    assert [each.invariant for each in judge(said, uncalled)] == ["every event pages"]


def test_pages_of_what_is_moderate_may_leave_as_one_mail() -> None:
    moderate = [replace(each, channel="email", severity=Severity.MODERATE) for each in (ONE, TWO, THREE)]
    together = frozenset({str(uuid5(NAMESPACE_DNS, "page-1 page-2 page-3"))})
    said, kept = _pages(*moderate)(told(), stored())
    assert judge(replace(said, mails=together), kept) == []
    critical = replace(kept, pages=[replace(each, severity=Severity.CRITICAL) for each in moderate])
    assert len(judge(replace(said, mails=together), critical)) == 3


def test_an_acknowledgement_is_no_promise_while_the_broker_is_killed() -> None:
    said, kept = _without(BEAT)(told(), stored())
    said.memory.receipted.discard(BEAT)
    assert judge(said, kept) == []


def test_the_last_line_counts_what_was_struck_and_who_has_ended() -> None:
    def line(said: Told) -> str:
        return str(Outcome(said, stored(), judge(said, stored()), 12.3))

    assert "no invariant broken in 2 blows (2 times kill −9) and 12 s" in line(told())
    assert "ended" not in line(told())
    short = line(replace(told(), struck=(BLOW,), ended=("gateway a: …",)))
    assert "2 findings in 1 of 2 blows (1 times kill −9)" in short
    assert short.endswith("; gateways ended by themselves 1 times.")
