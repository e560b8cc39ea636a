"""The verdict: what was said and promised, against what is stored. Pure; each finding names the device and the message.

| invariant | broken when |
|---|---|
| a receipt is a promise | a receipted message is not stored |
| an acknowledgement is a promise | one that the broker acknowledged is not stored, although the broker was not killed |
| stored once | a message is stored twice |
| nothing is invented | something is stored that nobody said, or quarantined although it was whole |
| it heals | a message has neither receipt nor, where its device trusts the broker, acknowledgement in the end |
| an alarm is raised, once | a stored alarm is not the evidence of an alert for care, or twice of the same |
| an alert finds a person | an alert that is not over has no page that was handed over; a page handed over that no mail server has seen |
| a page is unique, an attempt has pages | as it says |
| nothing stands still | an alert without `due_at`, or with one long past; a page that never leaves |
| a ladder does not hurry | a step came before the one before it had had its time |
| a key is open once, a fitting does not overlap | as it says |
| what is written stays | audit or timeline were changed, can be changed, or have a gap |
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from tests.support.processes import Word
from tests.torture.publisher import Memory
from tests.torture.stored import AlertRow, EntryRow, PageRow, Stored

LATE = timedelta(seconds=15)
"""How long after its time something may be undone on a machine that has just healed."""
EVIDENCE = frozenset({"raised", "evidence_joined", "repeated"})
WAITING_ON = frozenset({"evidence_joined", "step_paged_again"})
"""Lines between two steps that do not shorten the wait."""
UNSENT = frozenset({"queued", "leased"})
HANDED_OVER = frozenset({"handed_over", "received", "shown", "answered"})


@dataclass(frozen=True, slots=True)
class Finding:
    """An invariant that broke: which, and what about."""

    invariant: str
    told: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.told}"


@dataclass(frozen=True)
class Told:
    """What everybody outside of the gateway knows. ``kept``: messages that devices still keep in the end; ``mails``: pages
    that the mail server has seen, by their uid."""

    memory: Memory
    kept: frozenset[Word]
    mails: frozenset[str]

    @property
    def promised(self) -> frozenset[Word]:
        """Acknowledged while nobody was to kill the broker."""
        memory = self.memory
        return frozenset(word for word in memory.acknowledged if memory.said[word].promised)


def judge(told: Told, stored: Stored) -> list[Finding]:
    """Every invariant. No findings: the run has passed."""
    return [
        *_promises_kept(told, stored),
        *_stored_once(told, stored),
        *_nothing_invented(told, stored),
        *_healed(told),
        *_alarms_raised(told, stored),
        *_people_found(told, stored),
        *_paged_uniquely(stored),
        *_nothing_stands_still(stored),
        *_no_hurry(stored),
        *_keys_open_once(stored),
        *_fittings_apart(stored),
        *_written_stays(stored),
    ]


def _promises_kept(told: Told, stored: Stored) -> Iterator[Finding]:
    for word in _alarms_first(told, told.memory.receipted - stored.messages.keys()):
        yield Finding("a receipt is a promise", f"{_named(told, word)} has a receipt and is not stored")
    for word in _alarms_first(told, told.promised - told.memory.receipted - stored.messages.keys()):
        yield Finding("an acknowledgement is a promise", f"{_named(told, word)} was acknowledged and is not stored")


def _stored_once(told: Told, stored: Stored) -> Iterator[Finding]:
    for word, times in sorted(stored.messages.items()):
        if times > 1:
            yield Finding("stored once", f"{_named(told, word)} is stored {times} times")


def _nothing_invented(told: Told, stored: Stored) -> Iterator[Finding]:
    for word in sorted(stored.messages.keys() - told.memory.said.keys()):
        yield Finding("nothing is invented", f"{word.address} message {word.message_id} is stored and was never said")
    for topic, why in stored.quarantine:
        yield Finding("nothing is invented", f"a whole message on {topic} is in quarantine: {why:.200}")


def _healed(told: Told) -> Iterator[Finding]:
    for word in _alarms_first(told, told.kept):
        yield Finding("it heals", f"{_named(told, word)} is still kept by its device")


def _alarms_raised(told: Told, stored: Stored) -> Iterator[Finding]:
    alerts = {each.id: each for each in stored.alerts}
    evidence: dict[tuple[object, ...], list[EntryRow]] = defaultdict(list)
    for entry in stored.entries:
        if entry.code in EVIDENCE:
            evidence[entry.device, entry.type, entry.occurred_at].append(entry)
    for word, saying in sorted(told.memory.said.items(), key=lambda each: each[0]):
        if not saying.alarm or word not in stored.messages:
            continue
        lines = evidence[word.address, saying.type, saying.at]
        if not any(alerts[each.alert_id].track == "care" for each in lines):
            yield Finding("an alarm is raised", f"{_named(told, word)} is stored, and no alert has it as evidence")
        for (alert, code), times in Counter((each.alert_id, each.code) for each in lines).items():
            if times > 1:
                yield Finding("an alarm counts once", f"{_named(told, word)} is {times} times {code} in alert {alert}")


def _people_found(told: Told, stored: Stored) -> Iterator[Finding]:
    by_alert: dict[int, list[PageRow]] = defaultdict(list)
    for page in stored.pages:
        by_alert[page.alert_id].append(page)
    for alert in stored.alerts:
        handed_over = any(page.state in HANDED_OVER for page in by_alert[alert.id])
        if not by_alert[alert.id]:
            yield Finding("an alert finds a person", f"{_about(alert)} has no page")
        elif not handed_over and alert.closed_at is None and alert.stage == "open":
            yield Finding("an alert finds a person", f"no page of {_about(alert)} was handed over, and nobody answered")
    for page in stored.pages:
        if page.channel == "email" and page.state in HANDED_OVER and page.uid not in told.mails:
            yield Finding(
                "an alert finds a person", f"page {page.uid} was handed over, and the mail server never saw it"
            )


def _paged_uniquely(stored: Stored) -> Iterator[Finding]:
    counted = Counter((each.alert_id, each.attempt, each.contact_id) for each in stored.pages)
    for (alert, attempt, contact), times in counted.items():
        if times > 1:
            yield Finding(
                "a page is unique", f"alert {alert}, attempt {attempt}: contact {contact} was paged {times} times"
            )
    attempts: dict[int, set[int]] = defaultdict(set)
    for page in stored.pages:
        attempts[page.alert_id].add(page.attempt)
    for each in stored.alerts:
        without = set(range(1, each.attempt + 1)) ^ attempts[each.id]
        if without and attempts[each.id]:  # without any page it is told already
            yield Finding(
                "an attempt has pages", f"{_about(each)} counts {each.attempt}, but not so attempt {min(without)}"
            )


def _nothing_stands_still(stored: Stored) -> Iterator[Finding]:
    for each in stored.alerts:
        if (each.closed_at is None) != (each.due_at is not None):
            yield Finding("nothing stands still", f"{_about(each)} is {each.stage}, due at {each.due_at}")
        elif each.due_at is not None and each.due_at + LATE < stored.now:
            yield Finding("nothing stands still", f"{_about(each)} was due at {each.due_at} and nothing came of it")
    for page in stored.pages:
        if page.state in UNSENT and (page.due_at is None or page.due_at + LATE < stored.now):
            yield Finding(
                "nothing stands still", f"page {page.uid} of alert {page.alert_id} is {page.state} and never leaves"
            )


def _no_hurry(stored: Stored) -> Iterator[Finding]:
    waits = {each.id: each.waits for each in stored.alerts}
    for alert, lines in _timelines(stored).items():
        reached: EntryRow | None = None
        for line in lines:
            if line.code == "step_reached":
                if reached is not None and line.at - reached.at < timedelta(seconds=waits[alert][reached.step or 0]):
                    told = f"alert {alert} reached step {line.step} {line.at - reached.at} after step {reached.step}"
                    yield Finding("a ladder does not hurry", told)
                reached = line
            elif line.code not in WAITING_ON:
                reached = None


def _keys_open_once(stored: Stored) -> Iterator[Finding]:
    for key, times in Counter(each.key for each in stored.alerts if each.closed_at is None).items():
        if times > 1:
            yield Finding("a key is open once", f"{times} open alerts have the key {key}")


def _fittings_apart(stored: Stored) -> Iterator[Finding]:
    for before, after in pairwise(sorted(stored.fittings, key=lambda each: (each.device, each.since))):
        if before.device == after.device and (before.until is None or before.until > after.since):
            yield Finding("a fitting does not overlap", f"{before.device} is fitted twice at {after.since}")


def _written_stays(stored: Stored) -> Iterator[Finding]:
    for table in stored.changeable:
        yield Finding("what is written stays", f"a line of {table} can be changed")
    for then, now in stored.prints:
        if then.audit != now.audit:
            yield Finding("what is written stays", f"the audit up to {then.audit_id} is another than it was")
        if then.timeline != now.timeline:
            yield Finding("what is written stays", f"the timelines as they stood at audit {then.audit_id} are others")
    for alert, lines in _timelines(stored).items():
        for before, after in pairwise(lines):
            if after.seq != before.seq + 1:
                yield Finding(
                    "what is written stays", f"the timeline of alert {alert} has a gap after line {before.seq}"
                )


def _timelines(stored: Stored) -> dict[int, list[EntryRow]]:
    lines: dict[int, list[EntryRow]] = defaultdict(list)
    for entry in stored.entries:
        lines[entry.alert_id].append(entry)
    return lines


def _alarms_first(told: Told, words: Iterable[Word]) -> list[Word]:
    return sorted(words, key=lambda word: (not told.memory.said[word].alarm, word))


def _named(told: Told, word: Word) -> str:
    said = told.memory.said.get(word)
    return f"{word.address} message {word.message_id}" + (f" ({said.type})" if said else "")


def _about(alert: AlertRow) -> str:
    return f"alert {alert.id} ({alert.condition} of {alert.device or 'the site'})"


def by_invariant(findings: Sequence[Finding]) -> dict[str, int]:
    """How many of each."""
    return dict(Counter(each.invariant for each in findings))
