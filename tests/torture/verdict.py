"""The verdict: what was said and promised, against what is stored. Pure; each finding names the device and the message.

| invariant | broken when |
|---|---|
| every blow falls, a gateway goes on | one that was planned did not; one ended although nobody had killed it |
| a receipt is a promise | a receipted message is not stored |
| an acknowledgement is a promise | one that the broker acknowledged is not stored, although the broker was not killed; nor as many states |
| stored once, stored as said | a message is stored twice, or with another type, time, class or other fields than it had |
| nothing is invented | something is stored that nobody said, or quarantined although it was whole |
| the newest state counts | a device is not online, or is, as it was said last |
| it heals | a message has neither receipt nor, where its device trusts the broker, acknowledgement in the end |
| an alarm is raised, once | a stored alarm is not the evidence of an alert for care, or twice of the same |
| an alert finds a person | an alert that is not over has no page that was handed over; a page handed over that no mail server has seen |
| every event pages | what raised an alert, joined it or happened again began no attempt of its own, or nothing was handed over since |
| a page is unique, an attempt has pages | as it says |
| nothing stands still | an alert without `due_at`, or with one long past; a page that never leaves |
| a ladder does not hurry | a step came before the one before it had had its time |
| a key is open once, a fitting does not overlap | as it says |
| what is written stays | audit or timeline were changed, can be changed, or have a gap |

What is about messages is in ``of_messages.py``, what is about alerts in ``of_alerts.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.torture import of_alerts, of_messages
from tests.torture.stored import Stored
from tests.torture.told import Finding, Told


def judge(told: Told, stored: Stored) -> list[Finding]:
    """Every invariant. No findings: the run has passed."""
    return [
        *_struck(told),
        *of_messages.judge(told, stored),
        *of_alerts.judge(told, stored),
        *_fittings_apart(stored),
        *_written_stays(stored),
    ]


def _struck(told: Told) -> Iterator[Finding]:
    """A run that was not what it was meant to be proves nothing of what it was meant to prove."""
    if len(told.struck) < told.planned:
        yield Finding("every blow falls", f"{told.planned - len(told.struck)} of {told.planned} did not")
    for each in told.ended:
        yield Finding("a gateway goes on", f"nobody had killed {each}")


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
    for alert, lines in stored.timelines.items():
        for before, after in pairwise(lines):
            if after.seq != before.seq + 1:
                yield Finding(
                    "what is written stays", f"the timeline of alert {alert} has a gap after line {before.seq}"
                )


def by_invariant(findings: Sequence[Finding]) -> dict[str, int]:
    """How many of each."""
    return dict(Counter(each.invariant for each in findings))
