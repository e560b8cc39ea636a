"""One device's life under one rule: what it says and how time passes, with the watch kept between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from alerts.model import Clear, Inform, Judgement, Raise, Watch, WatchState
from alerts.rules import LastWord, RuleType, Scene, Wanted
from tests.alerts.homes import HOME, moment, said

OSLO = ZoneInfo("Europe/Oslo")
DOOR = "door_sensor"


@dataclass
class Life:
    """``log``: what came of it, in order: raised, told, cleared."""

    rule: RuleType
    kind: str = DOOR
    watch: Watch | None = None
    home: dict[str, LastWord] = field(default_factory=dict)
    local: tzinfo = OSLO
    log: list[str] = field(default_factory=list)
    judged: Judgement = field(default_factory=Judgement)

    def says(
        self,
        type_: str,
        at: datetime,
        *,
        delay: timedelta = timedelta(seconds=1),
        fields: Mapping[str, Any] | None = None,
    ) -> Life:
        """The rule sees no more of its watch than it asks for."""
        heard = said(type_, at, kind=self.kind, delay=delay, fields=fields)
        self._now(
            self.rule.observe(1, heard, Scene(self.local, self._wanted(self.rule.wants(heard.observation)), self.home))
        )
        return self

    def until(self, now: datetime, **known: Any) -> Life:
        """Time passes, and the watch is judged whenever it is due."""
        while self.watch is not None and self.watch.due_at is not None and self.watch.due_at <= now:
            due_at = self.watch.due_at
            self._now(self.rule.elapse(self.watch, moment(due_at, **{"local": self.local, **known})))
            if self.watch.due_at == due_at:
                break
        return self

    def _wanted(self, wanted: Wanted) -> tuple[Watch, ...]:
        if self.watch is None or wanted is Wanted.NOTHING:
            return ()
        settled = self.watch.due_at is None and self.watch.state is not WatchState.RAISED
        return () if wanted is Wanted.OUTSTANDING and settled else (self.watch,)

    def _now(self, judged: Judgement) -> None:
        self.judged = judged
        for watch in judged.watches:
            assert watch.subject == HOME
            assert self.watch is None or self.watch.key == watch.key
            self.watch = watch
        for signal in judged.signals:
            match signal:
                case Raise():
                    self.log.append(signal.condition)
                case Inform():
                    self.log.append(f"told {signal.evidence.type}")
                case Clear():
                    self.log.append("cleared")
