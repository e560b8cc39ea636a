"""Missed: something that had to happen by a time did not – above all a dose that nobody confirmed.

Theory
    The shell opens a watch per planned dose: ``since`` is the planned time, ``due_at`` planned + grace. What the
    device says *meets* the watch (dispensed, taken) or *answers* it (it says itself that the dose was missed: another
    rule raises that, so that one dose is one alert). Nothing said, and the site heard since: raised.

Which dose an event is about
    ``dose_at`` where the device says it; else the earliest waiting dose whose window, from ``early`` before it to
    its ``due_at``, holds ``occurred_at``. Something that comes after the watch was raised informs the alert and clears
    nothing: a human looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from alerts.model import NOTHING, Evidence, Heard, Inform, Judgement, Subject, Watch, WatchState
from alerts.rules import Moment, RuleType

SAME_DOSE = timedelta(minutes=1)


class Missed(RuleType):
    """A planned dose that nobody confirmed within ``grace_seconds``."""

    type: Literal["missed"] = "missed"
    met_by: Annotated[tuple[str, ...], Field(min_length=1)]
    answered_by: tuple[str, ...] = ()
    grace_seconds: Annotated[int, Field(ge=300, le=5 * 3600)] = 3600
    early_seconds: Annotated[int, Field(ge=0, le=12 * 3600)] = 3600

    waits = True

    def open(self, rule_id: int, subject: Subject, schedule_id: int, dose_at: datetime, grace: int | None) -> Watch:
        """The watch for one planned dose; a schedule's own grace, in seconds, wins."""
        seconds = self.grace_seconds if grace is None else grace
        return Watch(
            key=f"dose:{schedule_id}:{dose_at:%Y%m%dT%H%M%SZ}",
            rule_id=rule_id,
            subject=subject,
            since=dose_at,
            due_at=dose_at + timedelta(seconds=seconds),
            facts={"due_at": (dose_at + timedelta(seconds=seconds)).isoformat()},
        )

    def observe(self, rule_id: int, heard: Heard, watches: Sequence[Watch]) -> Judgement:
        if heard.observation.type not in (*self.met_by, *self.answered_by):
            return NOTHING
        watch = self._watch_meant(heard, watches)
        if watch is None:
            return NOTHING
        if watch.state is WatchState.RAISED:
            inform = Inform(self.key(watch.subject), "device_said", Evidence.of(heard.observation))
            return Judgement(signals=(inform,))
        return Judgement(watches=(replace(watch, due_at=None, state=WatchState.MET),))

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        evidence = Evidence(
            type="nothing_said",
            occurred_at=watch.since,
            received_at=moment.now,
            fields={"dose_at": watch.since.isoformat()},
        )
        done = replace(watch, due_at=None, state=WatchState.RAISED)
        return Judgement((done,), (self.raised(watch.rule_id, watch.subject, evidence),))

    def _watch_meant(self, heard: Heard, watches: Sequence[Watch]) -> Watch | None:
        planned = _dose_at(heard)
        ordered = sorted(watches, key=lambda watch: watch.since)
        if planned is not None:
            return next((watch for watch in ordered if abs(watch.since - planned) < SAME_DOSE), None)
        happened = heard.observation.occurred_at
        held = [watch for watch in ordered if watch.state is not WatchState.MET and self._holds(watch, happened)]
        waiting = [watch for watch in held if watch.state is WatchState.WAITING]
        return next(iter(waiting or held[-1:]), None)

    def _holds(self, watch: Watch, happened: datetime) -> bool:
        opens = watch.since - timedelta(seconds=self.early_seconds)
        closes = watch.since + timedelta(hours=24) if watch.state is WatchState.RAISED else _window_end(watch)
        return opens <= happened <= closes


def _window_end(watch: Watch) -> datetime:
    return datetime.fromisoformat(watch.facts["due_at"])


def _dose_at(heard: Heard) -> datetime | None:
    said = heard.observation.fields.get("dose_at")
    return datetime.fromisoformat(said).astimezone(UTC) if isinstance(said, str) else None
