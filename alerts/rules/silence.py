"""Silence: a device has said nothing for longer than its contract, although the site was heard all the while.

Theory
    One watch per fitting of a device. A sign of life does not touch it (a heartbeat must stay cheap): when the watch
    falls due it is judged against the device's last sign of life, and moved on where there was one. What the device said
    before it was fitted here says nothing.
    The contract is about *heard* time: while the site was deaf the device may have spoken, so deaf time since its last
    sign of life is added to the contract – and only that, or short outages every night would excuse a dead device for
    ever.
    A silent device is looked at again every minute, so that its return is noticed and the alert cleared.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from alerts.model import NOTHING, Clear, Evidence, Heard, Judgement, Subject, Watch, WatchState
from alerts.rules import Moment, RuleType, Scene, Start

LOOK_AGAIN = timedelta(minutes=1)


class Silence(RuleType):
    """A device that breaks its contract to give a sign of life."""

    type: Literal["silence"] = "silence"

    waits = True

    @property
    def standing(self) -> bool:
        return True

    @property
    def lasting(self) -> bool:
        return True

    def hears(self) -> frozenset[str]:
        return frozenset()

    def begin(self, rule_id: int, subject: Subject, start: Start) -> Watch:
        facts = {"silent_after_seconds": start.silent_after_seconds, "deaf_seconds": start.deaf_seconds}
        due_at = start.now + timedelta(seconds=start.silent_after_seconds)
        return Watch(self.watch_key(subject), rule_id, subject, since=start.now, due_at=due_at, facts=facts)

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        return NOTHING

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        last = max(watch.since, moment.last_seen or watch.since)
        contract = _contract(watch, moment)
        if watch.state is WatchState.RAISED:
            return self._while_silent(watch, last, contract, moment)
        deaf_before = _deaf_before(watch, last, moment)
        due_at = last + contract + timedelta(seconds=moment.deaf_seconds - deaf_before)
        if due_at > moment.heard_until:
            facts = {**watch.facts, "deaf_seconds": deaf_before}
            return Judgement((replace(watch, since=last, due_at=due_at, facts=facts),))
        evidence = Evidence(type="nothing_said", occurred_at=last, received_at=moment.now)
        silent = replace(watch, since=last, due_at=moment.now + LOOK_AGAIN, state=WatchState.RAISED)
        return Judgement((silent,), (self.raised(watch.rule_id, watch.subject, evidence),))

    def _while_silent(self, watch: Watch, last: datetime, contract: timedelta, moment: Moment) -> Judgement:
        if last <= watch.since:
            return Judgement((replace(watch, due_at=moment.now + LOOK_AGAIN),))
        evidence = Evidence(type="heard_again", occurred_at=last, received_at=moment.now)
        facts = {**watch.facts, "deaf_seconds": moment.deaf_seconds}
        back = replace(watch, since=last, due_at=last + contract, state=WatchState.WAITING, facts=facts)
        return Judgement((back,), (Clear(self.key(watch.subject), evidence),))


def _deaf_before(watch: Watch, last: datetime, moment: Moment) -> float:
    """The site's deaf seconds that lie before the last sign of life, as far as is known: all of them once hearing has
    resumed before it, else those that were counted when the watch was last moved."""
    resumed_before = moment.resumed_at is None or moment.resumed_at <= last
    return moment.deaf_seconds if resumed_before else float(watch.facts.get("deaf_seconds", 0.0))


def _contract(watch: Watch, moment: Moment) -> timedelta:
    """The device's contract as it is now, else as it was when the watch was opened."""
    current = moment.silent_after_seconds
    return timedelta(seconds=watch.facts["silent_after_seconds"] if current is None else current)
