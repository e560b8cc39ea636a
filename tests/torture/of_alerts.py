"""The verdict on alerts and pages: every alarm finds a person, each time, in its time, and nobody twice. Pure.

Theory
    What raises an alert, joins an open one (also one that somebody has) or happens again and again begins an attempt of its own: in
    the same transaction, so the timeline says right behind the event and with the same time whom it called. In this
    municipality every ladder reaches somebody, so an event that called nobody is a finding. What of its pages is sent may be
    overtaken by a later attempt: one page of it or of a later one has to be handed over, unless somebody has answered or it
    is over.
    What is up to moderate may leave together with others, as one mail with an id of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from alerts.bundling import UP_TO
from tests.torture.stored import AlertRow, EntryRow, PageRow, Stored
from tests.torture.told import Finding, Told, named

LATE = timedelta(seconds=15)
"""How long after its time something may be undone on a machine that has just healed."""
EVIDENCE = frozenset({"raised", "evidence_joined", "repeated"})
CALLING = frozenset({"step_reached", "step_repeated", "step_paged_again", "holder_paged", "owner_paged", "test_paged"})
"""Lines that say whom an event called, in which attempt."""
WAITING_ON = frozenset({"evidence_joined", "step_paged_again"})
"""Lines between two steps that do not shorten the wait."""
UNSENT = frozenset({"queued", "leased"})
HANDED_OVER = frozenset({"handed_over", "received", "shown", "answered"})


def judge(told: Told, stored: Stored) -> Iterator[Finding]:
    """What does not hold of them."""
    pages: dict[int, list[PageRow]] = defaultdict(list)
    for page in stored.pages:
        pages[page.alert_id].append(page)
    yield from _alarms_raised(told, stored)
    yield from _people_found(stored, pages)
    yield from _events_page(stored, pages)
    yield from _mails_seen(told, stored)
    yield from _paged_uniquely(stored)
    yield from _nothing_stands_still(stored)
    yield from _no_hurry(stored)
    yield from _keys_open_once(stored)


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
            yield Finding("an alarm is raised", f"{named(told, word)} is stored, and no alert has it as evidence")
        for (alert, code), times in Counter((each.alert_id, each.code) for each in lines).items():
            if times > 1:
                yield Finding("an alarm counts once", f"{named(told, word)} is {times} times {code} in alert {alert}")


def _people_found(stored: Stored, pages: Mapping[int, Sequence[PageRow]]) -> Iterator[Finding]:
    for alert in stored.alerts:
        if not pages[alert.id]:
            yield Finding("an alert finds a person", f"{_about(alert)} has no page")
        elif _is_unanswered(alert) and not _any_handed_over(pages[alert.id]):
            yield Finding("an alert finds a person", f"no page of {_about(alert)} was handed over, and nobody answered")


def _events_page(stored: Stored, pages: Mapping[int, Sequence[PageRow]]) -> Iterator[Finding]:
    """Of alerts that have no page at all, or none that was handed over, it is told already."""
    for alert in stored.alerts:
        lines = stored.timelines.get(alert.id, ())
        for index, line in enumerate(lines):
            if line.code in EVIDENCE and pages[alert.id]:
                fault = _unpaged(alert, line, _attempt_begun(line, lines[index + 1 :]), pages[alert.id])
                if fault is not None:
                    yield Finding("every event pages", f"line {line.seq} ({line.code}) of {_about(alert)} {fault}")


def _attempt_begun(event: EntryRow, behind: Sequence[EntryRow]) -> int | None:
    """The number of the attempt that an event began. ``behind``: the timeline after it."""
    for line in behind:
        if line.at != event.at or line.code in EVIDENCE:
            return None
        if line.code in CALLING and line.attempt is not None:
            return line.attempt
    return None


def _unpaged(alert: AlertRow, event: EntryRow, attempt: int | None, pages: Sequence[PageRow]) -> str | None:
    """What is wrong with the pages of an event."""
    if attempt is None:
        return "called nobody"
    if not any(each.attempt == attempt and each.made_at >= event.at for each in pages):
        return f"began attempt {attempt}, which has no page that was made for it"
    since = [each for each in pages if each.attempt >= attempt]
    if _is_unanswered(alert) and _any_handed_over(pages) and not _any_handed_over(since):
        return f"began attempt {attempt}, and nothing was handed over since"
    return None


def _is_unanswered(alert: AlertRow) -> bool:
    return alert.closed_at is None and alert.stage == "open"


def _any_handed_over(pages: Iterable[PageRow]) -> bool:
    return any(each.state in HANDED_OVER for each in pages)


def _mails_seen(told: Told, stored: Stored) -> Iterator[Finding]:
    together = told.mails - {each.uid for each in stored.pages}
    for page in stored.pages:
        mailed = page.channel == "email" and page.state in HANDED_OVER
        in_a_bundle = page.severity <= UP_TO and bool(together)
        if mailed and page.uid not in told.mails and not in_a_bundle:
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
    for alert, lines in stored.timelines.items():
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


def _about(alert: AlertRow) -> str:
    return f"alert {alert.id} ({alert.condition} of {alert.device or 'the site'})"
