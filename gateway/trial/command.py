"""``hjemmevakt simulate --speed max``: a trial with its own servers, progress, tables, and an exit code.

SIGTERM is made a Ctrl-C, which the runner takes as "cancel the trial". Raised as KeyboardInterrupt wherever the loop just
is, it would end that one task, and the trial might wait for it for ever.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass, field
from datetime import datetime

import uvloop

from gateway.clock import monotonic
from gateway.collecting import collect_less
from gateway.log import set_up
from gateway.trial.run import Outcome, Progress, Trial, run, servers
from gateway.trial.tell import told
from simulators.cli import Arguments

PASSED, FAILED, INTERRUPTED = 0, 1, 130
EVERY = 1.0
"""Seconds between two words of progress at a terminal; elsewhere it is a line a day."""


@dataclass
class _Teller:
    """Progress: one line that moves at a terminal, else a line a simulated day."""

    trial: Trial
    began: float = field(default_factory=monotonic)
    last: float = 0.0
    day: int = -1

    def done(self, what: str) -> None:
        print(f"  ✓ {what} ({monotonic() - self.began:.1f} s)", flush=True)

    def now(self, at: datetime) -> None:
        lived = at - self.trial.begins
        if sys.stdout.isatty():
            if monotonic() - self.last > EVERY or at >= self.trial.until:
                self.last = monotonic()
                print(f"\r  {self._line(at)}", end="\n" if at >= self.trial.until else "", flush=True)
        elif lived.days > self.day:
            self.day = lived.days
            print(f"  {self._line(at)}", flush=True)

    def _line(self, at: datetime) -> str:
        share = (at - self.trial.begins) / (self.trial.until - self.trial.begins)
        return f"{at:%a %F %H:%M} UTC  {share:4.0%}  {monotonic() - self.began:.0f} s"


def try_out(arguments: Arguments) -> int:
    """Run it and print what happened. 0 where no invariant broke, 1 where one did. EmbeddedError without servers."""
    trial = Trial(
        homes=arguments.homes,
        days=arguments.days,
        seed=arguments.seed,
        life=arguments.life,
        faults=arguments.faults,
        speed=arguments.speed,
    )
    set_up("error")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what runs behind it ignore Ctrl-C
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    teller = _Teller(trial)
    try:
        outcome = _run(trial, teller)
    except KeyboardInterrupt:
        print("\nstopped; nothing is left running", file=sys.stderr)
        return INTERRUPTED
    print("\n".join(told(outcome)), flush=True)
    return PASSED if outcome.passed else FAILED


def _run(trial: Trial, teller: _Teller) -> Outcome:
    with servers() as (url, broker), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        teller.done(f"PostgreSQL and {broker.name} run")
        collect_less()
        return runner.run(run(trial, url, broker, Progress(teller.done, teller.now)))
