"""Whether an invariant broke: which, on which device, when. Pure, over what is stored and what was true.

A finding names the invariant as ARCHITECTURE.md does. No findings: the trial has passed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.store.trials import AlertRow, EntryRow, PageRow, Print
from gateway.trial.expect import NOTHING_SAID, SLACK, Answered, Must, Script, musts
from gateway.trial.explain import Cause, cause
from simulators.faults import Fault

ANSWERED = frozenset(
    {"claimed", "on_way", "arrived", "taken_over", "closing", "closed", "cleared", "confirmed", "paused"}
)
LET_GO = frozenset({"released", "stage_lapsed", "not_kept", "pause_over", "closing_undone"})
KEPT_AS: Mapping[str, frozenset[str]] = {
    "claim": frozenset({"claimed", "confirmed", "assisted"}),
    "on_way": frozenset({"on_way", "assisted"}),
    "arrived": frozenset({"arrived", "assisted"}),
    "need_help": frozenset({"help_wanted"}),
    "hand_over": frozenset({"handed_over"}),
    "decline": frozenset({"declined"}),
    "pause": frozenset({"paused"}),
    "resume": frozenset({"resumed"}),
    "release": frozenset({"released"}),
    "close": frozenset({"closing"}),
}
"""Answer to the codes with which a timeline may have it."""
OPENS_AGAIN = frozenset({"closing_undone", "evidence_joined", "repeated"})
UNSENT = frozenset({"queued", "leased"})


@dataclass(frozen=True)
class Stored:
    """What the gateway has at the end. ``heard``: the moments up to which the site was heard; ``prints``: what audit and
    timelines amounted to at the end of each day, and what the same lines amount to now."""

    alerts: Sequence[AlertRow]
    entries: Sequence[EntryRow]
    pages: Sequence[PageRow]
    messages: Mapping[tuple[str, str], int]
    quarantine: Sequence[tuple[str, bytes, str]]
    late: int
    heard: frozenset[datetime]
    prints: Sequence[tuple[Print, Print]] = ()
    audit_out_of_order: int = 0
    changeable: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """An invariant that broke: which, what about, and when."""

    invariant: str
    told: str
    at: datetime | None = None

    def __str__(self) -> str:
        when = f" ({self.at:%F %H:%M:%S} UTC)" if self.at else ""
        return f"{self.invariant}: {self.told}{when}"


@dataclass(frozen=True)
class Verdict:
    """``causes``: of every alert, what led to it."""

    findings: Sequence[Finding]
    causes: Mapping[int, Cause | None] = field(default_factory=dict)
    musts: int = 0


def judge(script: Script, stored: Stored, until: datetime, given: Sequence[Answered]) -> Verdict:
    """Every invariant, over a whole trial. ``given``: what people answered and were told that it was taken."""
    causes = {each.id: cause(script, each) for each in stored.alerts}
    expected = list(musts(script, until))
    findings = [
        *_stored_once(script, stored, until),
        *_has_its_alert(expected, stored),
        *_has_a_cause(stored, causes),
        *_is_paged(stored),
        *_hands_over(stored, until),
        *_keeps_answers(stored, given),
        *_is_closed_by_somebody(stored),
        *_waits_for_something(stored, until),
        *_never_silent(stored, until),
        *_heard_absence(stored),
        *_append_only(stored),
    ]
    return Verdict(findings, causes, len(expected))


def _stored_once(script: Script, stored: Stored, until: datetime) -> Iterator[Finding]:
    truth = script.truth
    broken = {(each.address, each.message_id) for each in truth.injected if each.fault is Fault.CORRUPT}
    strange = [(topic.split("/")[-2], raw) for topic, raw, _ in stored.quarantine]
    for address, message_id in truth.receipts:
        times = stored.messages.get((address, message_id), 0)
        if times > 1 and (address, message_id) not in broken:  # with other bytes it is another
            yield Finding("stored once", f"{address} message {message_id} is stored {times} times", _at(message_id))
        elif not times and not any(each == address and message_id.encode() in raw for each, raw in strange):
            told = f"{address} message {message_id} has a receipt and is not stored"
            yield Finding("a receipt is a promise", told, _at(message_id))
    for one in truth.happened:
        key = one.fitting.address, one.message_id
        if one.arrived_at and one.arrived_at + SLACK < until and key not in truth.receipts:
            told = f"{key[0]} message {key[1]} ({one.type}) arrived at the broker and has no receipt"
            yield Finding("a message is not lost", told, one.arrived_at)


def _has_its_alert(expected: Sequence[Must], stored: Stored) -> Iterator[Finding]:
    alerts = {each.id: each for each in stored.alerts}
    by_device: dict[str, list[tuple[EntryRow, AlertRow]]] = defaultdict(list)
    for entry in stored.entries:
        if entry.evidence is not None:
            alert = alerts[entry.alert_id]
            by_device[_device_of(entry, alert)].append((entry, alert))
    for must in expected:
        if not any(_answers(must, entry, alert) for entry, alert in by_device[must.device]):
            wanted = f"{must.condition} ({must.track})" if must.condition else "alert"
            yield Finding("what is true is raised", f"{must.told}, and there is no {wanted} of it", must.since)


def _answers(must: Must, entry: EntryRow, alert: AlertRow) -> bool:
    evidence = entry.evidence or {}
    if must.condition is not None and (alert.condition, alert.track) != (must.condition, must.track):
        return False
    if must.evidence and evidence.get("type") != must.evidence:
        return False
    if must.dose_at is not None:
        return datetime.fromisoformat(evidence["occurred_at"]) == must.dose_at
    return must.since <= entry.at <= must.until


def _has_a_cause(stored: Stored, causes: Mapping[int, Cause | None]) -> Iterator[Finding]:
    for each in stored.alerts:
        if causes[each.id] is None:
            told = f"{each.device or 'the site'} has an alert {each.condition} ({each.track}), and nothing led to it"
            yield Finding("no alert without a cause", told, each.raised_at)


def _is_paged(stored: Stored) -> Iterator[Finding]:
    by_alert: dict[int, list[PageRow]] = defaultdict(list)
    for page in stored.pages:
        by_alert[page.alert_id].append(page)
    for each in stored.alerts:
        pages = by_alert[each.id]
        first = min((page.created_at for page in pages), default=None)
        if first is None or first > each.raised_at + SLACK:
            yield Finding("an alert finds a person", f"{_named(each)} paged nobody", each.raised_at)
        elif not any(page.handed_over_at for page in pages) and (each.track == "care" or each.closed_at is None):
            yield Finding("an alert finds a person", f"{_named(each)}: no page was handed over", each.raised_at)
    counted = Counter((each.alert_id, each.attempt, each.contact_id) for each in stored.pages)
    for (alert, attempt, contact), times in counted.items():
        if times > 1:
            told = f"alert {alert}, attempt {attempt}: contact {contact} was paged {times} times"
            yield Finding("no page twice", told)


def _hands_over(stored: Stored, until: datetime) -> Iterator[Finding]:
    for page in stored.pages:
        if page.state in UNSENT and page.created_at + SLACK < until:
            told = f"alert {page.alert_id}, attempt {page.attempt}: the page of contact {page.contact_id} never left"
            yield Finding("an alert finds a person", told, page.created_at)


def _keeps_answers(stored: Stored, given: Sequence[Answered]) -> Iterator[Finding]:
    """Each answer has its line, and each line its answer."""
    codes = frozenset[str]().union(*KEPT_AS.values())
    lines = Counter((each.alert_id, each.actor_id, each.at, each.code) for each in stored.entries if each.actor_id)
    for one in given:
        about = one.alert_id, one.person_id, one.at
        code = next((each for each in sorted(KEPT_AS[one.answer]) if lines[*about, each]), None)
        if code is None:
            told = f"alert {one.alert_id}: person {one.person_id} answered {one.answer}, and it is not on the timeline"
            yield Finding("an answer is kept", told, one.at)
        else:
            lines[*about, code] -= 1
    for (alert, person, at, code), times in lines.items():
        if times and code in codes:
            yield Finding("an answer is kept once", f"alert {alert}: {code} by person {person}, who did not say it", at)


def _is_closed_by_somebody(stored: Stored) -> Iterator[Finding]:
    """A person has said so and it was not undone; a technical alert may be over by itself, and says so."""
    said: dict[int, bool] = {}
    technical = {each.id for each in stored.alerts if each.track == "technical"}
    for entry in stored.entries:
        if entry.code == "closing" or (entry.code == "cleared" and entry.alert_id in technical):
            said[entry.alert_id] = True
        elif entry.code in OPENS_AGAIN:
            said[entry.alert_id] = False
    for each in stored.alerts:
        if each.closed_at is not None and not said.get(each.id, False):
            yield Finding("people close alerts", f"{_named(each)} was closed and nobody said so", each.closed_at)


def _waits_for_something(stored: Stored, until: datetime) -> Iterator[Finding]:
    for each in stored.alerts:
        if (each.closed_at is None) != (each.due_at is not None):
            yield Finding("what is open has a due_at", f"{_named(each)} stands still", each.raised_at)
        elif each.due_at is not None and each.due_at + SLACK < until:
            yield Finding("what is due is done", f"{_named(each)} was due and nothing came of it", each.due_at)


def _never_silent(stored: Stored, until: datetime) -> Iterator[Finding]:
    """While nobody has an alert, somebody is called again and again: never longer than its longest step, or its repeat."""
    by_alert: dict[int, list[EntryRow]] = defaultdict(list)
    for entry in stored.entries:
        by_alert[entry.alert_id].append(entry)
    for each in stored.alerts:
        steps = [step["wait_seconds"] for step in each.policy["steps"]]
        longest = timedelta(seconds=max(*steps, each.policy["repeat_seconds"], 60)) + SLACK
        last, climbing = each.raised_at, True
        for entry in by_alert[each.id]:
            if climbing and entry.at - last > longest:
                yield Finding("escalation never ends in silence", f"{_named(each)} called nobody from here on", last)
            climbing = entry.code not in ANSWERED and (climbing or entry.code in LET_GO)
            last = entry.at
        if climbing and each.closed_at is None and until - last > longest:
            yield Finding("escalation never ends in silence", f"{_named(each)} called nobody from here on", last)


def _heard_absence(stored: Stored) -> Iterator[Finding]:
    alerts = {each.id: each for each in stored.alerts}
    for entry in stored.entries:
        if (entry.evidence or {}).get("type") == NOTHING_SAID and entry.at not in stored.heard:
            told = f"{_named(alerts[entry.alert_id])} at a time up to which nobody had listened"
            yield Finding("absence only for heard time", told, entry.at)


def _append_only(stored: Stored) -> Iterator[Finding]:
    for table in stored.changeable:
        yield Finding("audit and timeline are append-only", f"{table} can be changed")
    for then, now in stored.prints:
        if then.audit != now.audit:
            yield Finding(
                "audit and timeline are append-only", f"the audit up to {then.audit_id} is another", then.until
            )
        if then.timeline != now.timeline:
            yield Finding("audit and timeline are append-only", "the timelines are others", then.until)
    if stored.audit_out_of_order:
        yield Finding("audit and timeline are in order", f"{stored.audit_out_of_order} lines of the audit are not")
    last: dict[int, EntryRow] = {}
    for entry in stored.entries:
        before = last.get(entry.alert_id)
        if before is not None and (entry.seq != before.seq + 1 or entry.at < before.at):
            told = f"alert {entry.alert_id}: line {entry.seq} ({entry.code}) does not follow line {before.seq}"
            yield Finding("audit and timeline are in order", told, entry.at)
        last[entry.alert_id] = entry


def _device_of(entry: EntryRow, alert: AlertRow) -> str:
    """Whose evidence it is: another device of the home may have joined."""
    named = (entry.evidence or {}).get("device")
    return str(named).rsplit("/", 1)[-1] if named else alert.device or ""


def _named(alert: AlertRow) -> str:
    return f"alert {alert.id} ({alert.condition} of {alert.device or 'the site'})"


def _at(message_id: str) -> datetime | None:
    """Simulated devices name their messages by the time of their clock."""
    try:
        return datetime.strptime(message_id.split("-", 1)[0] + "+0000", "%Y%m%dT%H%M%S.%f%z")
    except ValueError:
        return None
