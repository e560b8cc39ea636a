"""`make torture`: real processes are killed, frozen and cut off under load, and the last line says what came of it.

A durable PostgreSQL, Mosquitto, a mail server and some `hjemmevakt serve` of their own, which reach each other by hops that
can be cut. A line for each blow, a line for each finding, and at the end one sentence with counts (with ``--json`` a JSON
object). Exit code 0: nothing lost, nothing doubled, no invariant broken; 1: findings; 2: it could not be run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from gateway.embedded import EmbeddedError, EmbeddedPostgres
from tests.torture.plan import CUTS, How
from tests.torture.run import Options, Outcome, torture

FAILED, WRONG, INTERRUPTED = 1, 2, 130
SHOWN = 50
SORTS = ("kill", "stop", "cut")


def main() -> int:
    arguments = _arguments()
    options = Options(
        arguments.times,
        arguments.seed,
        arguments.gateways,
        arguments.devices,
        arguments.rate,
        hows=_hows(arguments.only),
    )
    folder = Path(tempfile.mkdtemp(prefix="hv-torture-"))
    _say(
        f"{options.times} blows, seed {options.seed}: {options.devices} devices say {options.rate:g} messages a second"
    )
    outcome: Outcome | None = None
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with (
            EmbeddedPostgres(folder / "postgres") as postgres,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            outcome = runner.run(torture(folder, postgres, options, _say))
    except EmbeddedError as error:
        print(f"torture: {error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        _tidy(folder, keep_logs=arguments.keep_logs or (outcome is not None and bool(outcome.findings)))
    _report(outcome, as_json=arguments.json)
    return FAILED if outcome.findings else 0


def _report(outcome: Outcome, *, as_json: bool) -> None:
    for finding in outcome.findings[:SHOWN]:
        print(f"FOUND {finding}")
    if len(outcome.findings) > SHOWN:
        print(f"… and {len(outcome.findings) - SHOWN} more")
    print(json.dumps(outcome.figures, ensure_ascii=False) if as_json else outcome)


def _tidy(folder: Path, *, keep_logs: bool) -> None:
    """The servers' data goes; the gateways' logs stay where they may be needed."""
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)
    if keep_logs and any(folder.iterdir()):
        _say(f"the gateways' logs are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _say(what: str) -> None:
    print(f"  {what}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("torture", description="Kill, freeze and cut off everything: is anything lost?")
    parser.add_argument(
        "--times", type=_at_least_one, default=100, help="blows, half of them with the broker among the victims"
    )
    parser.add_argument("--seed", type=int, default=7, help="the same seed deals the same blows")
    parser.add_argument("--gateways", type=_at_least_one, default=2, help="gateway processes side by side, at most 8")
    parser.add_argument("--devices", type=_at_least_one, default=600)
    parser.add_argument("--rate", type=float, default=300.0, help="messages a second, on average")
    parser.add_argument("--only", nargs="+", choices=SORTS, default=SORTS, help="which sorts of blows")
    parser.add_argument("--json", action="store_true", help="the last line is a JSON object")
    parser.add_argument("--keep-logs", action="store_true", help="keep the gateways' logs also when all is well")
    return parser.parse_args()


def _hows(only: Sequence[str]) -> frozenset[How]:
    sorts = {"kill": {How.KILL}, "stop": {How.STOP}, "cut": set(CUTS)}
    return frozenset[How]().union(*(sorts[each] for each in only))


def _at_least_one(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
