"""Replay: what rules would have made of what was said, by the same code that judges live. Pure.

Theory
    A replay is the path without its surroundings: observations in the order in which they were received, a clock that jumps
    from one thing due to the next, and a ledger of watches in memory. Each time something is raised is told, and an alert is
    what was raised under one key until it is cleared. Nobody answers in a replay: an alert that there was in truth is open
    until it was closed in truth, and of any other it is taken for over ``JOINS`` after it was raised last.
    What was not heard is not held against anybody: ``deaf`` are the times in which the site was not heard.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil

from alerts.judge import Failure, Ledger, judge_heard, judge_time
from alerts.model import Clear, Heard, Raise, Signal, Subject, Watch, WatchState
from alerts.rulebook import Rulebook
from alerts.rules import Moment, Start
from alerts.rules.dose import Dose
from alerts.rules.silence import LOOK_AGAIN
from alerts.schedule import DosePlan, doses
from devices.health import by_the_broker

JOINS = timedelta(hours=1)
"""How long an alert is taken to stay open after it was raised last, where nobody knows."""
SILENCE = "silence:"
"""How the keys of silence's watches begin."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A device in its home, from and to (None: still). ``silent_after_seconds``: its contract. ``seen``: its signs of life in
    order; None where they are among what is replayed."""

    kind: str
    subject: Subject
    silent_after_seconds: float
    since: datetime
    until: datetime | None = None
    seen: Sequence[datetime] | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A dose schedule of a fitting."""

    id: int
    fitting: Fitted
    plan: DosePlan
    grace_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Deaf:
    """A time in which the site was not heard."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Lived:
    """From when until when an alert was open in truth (None: it still is)."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Story:
    """What is replayed: a site's observations from ``since`` until ``until``, in the order in which they were received.

    ``lived``: the alerts that there were in truth, by key, in order.
    """

    heard: Iterable[Heard]
    since: datetime
    until: datetime
    fitted: Sequence[Fitted] = ()
    planned: Sequence[Planned] = ()
    deaf: Sequence[Deaf] = ()
    lived: Mapping[str, Sequence[Lived]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as it would have been: what raised it first, how often it was raised, how severe it became."""

    first: Raise
    raised_at: datetime
    times: int = 1
    severity: int = 0
    last_at: datetime | None = None


@dataclass
class Replayed:
    """What came of it: the alerts, in order, and rules that crashed."""

    alerts: list[Told] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def replay(story: Story, book: Rulebook) -> Replayed:
    """What the rules of the book make of a story."""
    return _Replay(story, book).run()


class _Replay:
    def __init__(self, story: Story, book: Rulebook) -> None:
        self._story = story
        self._book = book
        self._ledger = Ledger()
        self._due: list[tuple[datetime, str]] = []
        self._result = Replayed()
        self._open: dict[str, int] = {}
        self._seen: dict[int, list[datetime]] = {}
        self._fitted = {each.subject.installation_id: each for each in story.fitted}

    def run(self) -> Replayed:
        self._begin()
        for heard in self._story.heard:
            now = heard.observation.received_at
            self._pass(now)
            if heard.subject.device_id is not None and not by_the_broker(heard.observation):
                self._seen.setdefault(heard.subject.device_id, []).append(now)
            judged = judge_heard(heard, self._book, self._ledger, self._result.failures)
            self._plan(judged.watches)
            self._tell(judged.signals, now)
        self._pass(self._story.until)
        return self._result

    def _begin(self) -> None:
        for each in self._story.planned:
            self._open_doses(each)
        for fitted in self._story.fitted:
            start = Start(max(self._story.since, fitted.since), self._book.local, fitted.silent_after_seconds)
            standing = [rule for rule in self._book.applying(fitted.kind, fitted.subject) if rule.spec.standing]
            self._take(rule.spec.begin(rule.id, fitted.subject, start) for rule in standing)

    def _open_doses(self, planned: Planned) -> None:
        subject = planned.fitting.subject
        rules = self._book.applying(planned.fitting.kind, subject)
        rule = next((each for each in rules if isinstance(each.spec, Dose)), None)
        if rule is None or not isinstance(rule.spec, Dose):
            return
        since, until = max(self._story.since, planned.fitting.since), planned.fitting.until or self._story.until
        times = doses(planned.plan, since, min(until, self._story.until), self._book.local)
        self._take(rule.spec.open(rule.id, subject, planned.id, at, planned.grace_seconds) for at in times)

    def _take(self, watches: Iterable[Watch]) -> None:
        taken = tuple(watches)
        self._ledger.take(taken)
        self._plan(taken)

    def _plan(self, watches: Iterable[Watch]) -> None:
        for watch in watches:
            if watch.due_at is not None:
                heapq.heappush(self._due, (watch.due_at, watch.key))

    def _pass(self, until: datetime) -> None:
        """Everything that falls due until then, each at its own time, or when the site was heard again."""
        while self._due and self._due[0][0] <= until:
            due_at, key = heapq.heappop(self._due)
            watch = self._ledger.watches[key]
            if watch.due_at != due_at:
                continue
            now = next((each.until for each in self._story.deaf if each.since <= due_at < each.until), due_at)
            if now > until:
                heapq.heappush(self._due, (now, key))
                self._ledger.take((replace(watch, due_at=now),))
                continue
            self._elapse(watch, due_at, now)

    def _elapse(self, watch: Watch, due_at: datetime, now: datetime) -> None:
        rule, fitted = self._book.following(watch), self._fitted.get(watch.subject.installation_id)
        about = watch.since if rule is not None and isinstance(rule.spec, Dose) else due_at
        gone = fitted is not None and fitted.until is not None and fitted.until <= about
        if rule is None or gone:
            self._ledger.take((replace(watch, due_at=None),))
            return
        judged = judge_time(
            replace(watch, rule_id=rule.id), rule, self._moment(watch, fitted, now), self._result.failures
        )
        self._take(_moved_on(each, now, fitted) for each in judged.watches)
        self._tell(judged.signals, now)

    def _moment(self, watch: Watch, fitted: Fitted | None, now: datetime) -> Moment:
        past = [each for each in self._story.deaf if each.until <= now]
        return Moment(
            now=now,
            heard_until=now,
            resumed_at=past[-1].until if past else None,
            deaf_seconds=sum((each.until - each.since).total_seconds() for each in past),
            last_seen=self._last_seen(watch.subject.device_id or 0, fitted, now),
            silent_after_seconds=fitted.silent_after_seconds if fitted else None,
            local=self._book.local,
        )

    def _last_seen(self, device: int, fitted: Fitted | None, now: datetime) -> datetime | None:
        here = self._seen.get(device, ())
        known = (fitted.seen if fitted else None) or ()
        index = bisect_right(known, now)
        found = [*here[-1:], *known[max(0, index - 1) : index]]
        return max(found, default=None)

    def _tell(self, signals: Iterable[Signal], now: datetime) -> None:
        for signal in signals:
            if isinstance(signal, Raise):
                self._raise(signal, now)
            elif isinstance(signal, Clear):
                self._open.pop(signal.key, None)

    def _raise(self, raised: Raise, now: datetime) -> None:
        alerts, index = self._result.alerts, self._open.get(raised.key)
        if index is not None and self._still_open(raised.key, alerts[index].last_at or now, now):
            before = alerts[index]
            severity = max(before.severity, int(raised.severity))
            alerts[index] = replace(before, times=before.times + 1, severity=severity, last_at=now)
            return
        self._open[raised.key] = len(alerts)
        alerts.append(Told(raised, now, severity=int(raised.severity), last_at=now))

    def _still_open(self, key: str, last_at: datetime, now: datetime) -> bool:
        lived = [each for each in self._story.lived.get(key, ()) if each.since <= last_at]
        if lived and (lived[-1].until is None or last_at < lived[-1].until):
            return lived[-1].until is None or now < lived[-1].until
        return now - last_at <= JOINS


def _moved_on(watch: Watch, now: datetime, fitted: Fitted | None) -> Watch:
    """A judged watch, due later than now if at all. A silent device is looked at again when it is heard, not every minute of
    a month."""
    if watch.due_at is None:
        return watch
    if watch.state is WatchState.RAISED and watch.key.startswith(SILENCE) and fitted and fitted.seen is not None:
        index = bisect_right(fitted.seen, now)
        heard = fitted.seen[index] if index < len(fitted.seen) else None
        return replace(watch, due_at=None if heard is None else now + LOOK_AGAIN * ceil((heard - now) / LOOK_AGAIN))
    return watch if watch.due_at > now else replace(watch, due_at=now + timedelta(seconds=1))
