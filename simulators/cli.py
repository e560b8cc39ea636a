"""The command line of the simulators: ``hjemmevakt simulate``, and ``python -m simulators.cli``.

without          every device of a file (or of a made-up town) lives in real time until Ctrl-C
--say            one device says one thing, waits for the gateway's receipt, and that is all
--speed max, 60  a trial: `gateway.trial`, which `hjemmevakt simulate` starts
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from simulators.clock import live
from simulators.faults import OF_DEVICES, Fault, Faults, parse
from simulators.home import Fitting, Life
from simulators.link import Broker
from simulators.people import LIVELY
from simulators.run import Connections, Options, Report, say_once, simulate
from simulators.town import DevicesFileError, devices_file, town

RECEIPT_PATIENCE = timedelta(seconds=30)
TOWN, HOMES, DAYS = 20, 500, 7
CHANCES = {
    "falls_per_day": "chance of a fall, per wearer and day",
    "missed_per_dose": "chance that the dispenser says nothing of a dose",
    "presses_per_day": "chance of a press of the button, per wearer and day",
    "smoke_per_day": "chance of smoke, per home and day",
    "out_per_night": "chance that somebody goes out at night, per home and night",
    "hospital_per_day": "chance of a stay in hospital, per home and day",
}
EXAMPLES = """examples:
  simulate --devices var/demo/devices.json                       real time, against the demo
  simulate --devices var/demo/devices.json --say fall-001 fall   one fall
  simulate --fault duplicate=0.05 --fault fall-001:flood         with faults
  simulate --homes 500 --days 7 --seed 7 --speed max             a week of 500 homes in minutes; exit code 1 if it failed
"""


def options_for(
    broker: Broker,
    site: str,
    devices_path: Path | None,
    seed: int,
    *,
    life: Life | None = None,
    per_device: bool = False,
) -> Options:
    """Options from what a command line has. DevicesFileError for a file that cannot be used."""
    devices = town(seed) if devices_path is None else devices_file(devices_path)
    connections = Connections.PER_DEVICE if per_device else Connections.SHARED
    return Options(site=site, devices=devices, broker=broker, seed=seed, life=life or Life(), connections=connections)


def run_cli(options: Options) -> int:
    """Simulate until Ctrl-C or SIGTERM, then print the report. The exit code."""
    _log_to_stdout()
    print(
        f"{len(options.devices)} devices at {options.site}, broker {options.broker.host}:{options.broker.port}",
        flush=True,
    )
    print(summary(asyncio.run(_until_signal(options))), flush=True)
    return 0


def say_cli(options: Options, address: str, type_: str, fields: Mapping[str, Any]) -> int:
    """One device says one thing. 0 with a receipt, 1 without, 2 when there is no such device."""
    if address not in {each.address for each in options.devices}:
        print(f"no device {address!r} here; there are {_some(options.devices)}", file=sys.stderr)
        return 2
    receipted = asyncio.run(say_once(options, live(), address, type_, fields, RECEIPT_PATIENCE))
    if receipted is None:
        print(f"{address}: {type_} has no receipt after {RECEIPT_PATIENCE.seconds} s", file=sys.stderr)
        return 1
    print(f"{address}: {type_} stored, receipt after {receipted.took.total_seconds():.3f} s")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command line as a function. The exit code."""
    try:
        arguments = parsed(argv)
    except (DevicesFileError, OSError, ValueError) as error:
        print(f"simulate: {error}", file=sys.stderr)
        return 2
    if not arguments.real_time:
        print("simulate: a trial needs the gateway: hjemmevakt simulate --speed max", file=sys.stderr)
        return 2
    return real_time(arguments)


def real_time(arguments: Arguments) -> int:
    """Simulate against the broker that was named, in real time. The exit code."""
    if arguments.say is None:
        return run_cli(arguments.options)
    address, type_ = arguments.say
    return say_cli(arguments.options, address, type_, arguments.fields)


@dataclass(frozen=True)
class Arguments:
    """What a command line asks for. ``speed``: times real time, None as fast as it goes; ``options``: of real time."""

    options: Options
    speed: float | None
    homes: int
    days: float
    seed: int
    faults: Faults
    life: Life
    say: tuple[str, str] | None
    fields: Mapping[str, Any]

    @property
    def real_time(self) -> bool:
        return self.speed == 1


def parsed(argv: Sequence[str] | None) -> Arguments:
    """A command line, read. ValueError, DevicesFileError or OSError for one that cannot be used."""
    given = _parser().parse_args(argv)
    speed, days = _speed(given.speed), given.days or DAYS
    real = speed == 1
    if not real and (given.devices or given.say):
        raise ValueError("--devices and --say are for real time; a trial makes its own municipality")
    if not real and (given.host, given.port, given.username) != ("localhost", 1883, None):
        raise ValueError("--host, --port and --username are for real time; a trial starts a broker of its own")
    if real and given.days:
        raise ValueError("--days is for trials; in real time it goes on until Ctrl-C (a trial: --speed max)")
    faults = parse(given.fault) if real else parse(given.fault, timedelta(days=days))
    life = _life(given, Life() if real else LIVELY)
    homes = given.homes or (TOWN if real else HOMES)
    return Arguments(
        options=_options(given, life, faults, homes),
        speed=speed,
        homes=homes,
        days=days,
        seed=given.seed,
        faults=faults,
        life=life,
        say=tuple(given.say) if given.say else None,
        fields=_fields(given.fields),
    )


def summary(report: Report) -> str:
    """A report in one line."""
    slowest = "–" if report.slowest_receipt is None else f"{report.slowest_receipt.total_seconds():.3f} s"
    faults = "".join(f", {fault} {times}" for fault, times in sorted(report.injected.items()))
    return (
        f"said {report.said}, receipted {report.receipted}, outstanding {report.outstanding}, "
        f"sent again {report.resent}, lost {report.lost}, slowest receipt {slowest}{faults}"
    )


async def _until_signal(options: Options) -> Report:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return await simulate(options, live(), stop)


class _Readable(argparse.RawDescriptionHelpFormatter):
    """One line an option, where it fits."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=110)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "hjemmevakt simulate",
        usage="%(prog)s [options]",
        description="Simulated homes over real MQTT: in real time against a broker, or a trial of the whole gateway.",
        epilog=EXAMPLES,
        formatter_class=_Readable,
    )
    _time_group(parser.add_argument_group("how fast, how long"))
    _people_group(parser.add_argument_group("who lives, and how"))
    _faults_group(parser.add_argument_group("what goes wrong"))
    _broker_group(parser.add_argument_group("where (real time only; a trial starts its own broker and database)"))
    once = parser.add_argument_group("one thing only (real time)")
    once.add_argument("--say", nargs=2, metavar=("ADDRESS", "TYPE"), help="one device says one thing, and that is all")
    once.add_argument("--fields", default="{}", help="the fields of --say, as JSON")
    return parser


def _time_group(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--speed",
        default="1",
        help="1 (real time, until Ctrl-C), or a trial: max (as fast as it goes), or so many times real time, as 60",
    )
    group.add_argument("--days", type=_positive, metavar="NUMBER", help=f"of a trial; {DAYS} without it")
    group.add_argument("--seed", type=int, metavar="NUMBER", default=1, help="the same number lives the same lives")


def _people_group(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--homes", type=_count, metavar="NUMBER", help=f"a made-up town of so many; {TOWN} without it, a trial {HOMES}"
    )
    group.add_argument(
        "--devices", type=Path, metavar="FILE", help="JSON file of devices, as `hjemmevakt seed` writes it (real time)"
    )
    for name in (each.name for each in fields(Life)):
        real, lively = getattr(Life(), name), getattr(LIVELY, name)
        what = f"{CHANCES[name]}; {real:g} without it, in a trial {lively:g}"
        group.add_argument(f"--{name.replace('_', '-')}", type=_share, metavar="CHANCE", help=what)


def _faults_group(group: argparse._ArgumentGroup) -> None:
    of_messages = ", ".join(each for each in Fault if each not in OF_DEVICES)
    of_devices = ", ".join(each for each in Fault if each in OF_DEVICES)
    group.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="FAULT=SHARE | DEVICE:FAULT",
        help=f"again and again. Shares of messages: {of_messages}; of devices: {of_devices}. Or on one device by name",
    )


def _broker_group(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--host", default="localhost")
    group.add_argument("--port", type=int, default=1883)
    group.add_argument("--username")
    group.add_argument("--password-file", type=Path, metavar="FILE")
    group.add_argument("--site", default="stavanger")
    group.add_argument("--per-device", action="store_true", help="a connection, with a last will, for each device")


def _options(given: argparse.Namespace, life: Life, faults: Faults, homes: int) -> Options:
    password = given.password_file.read_text("utf-8").strip() if given.password_file else None
    broker = Broker(given.host, given.port, given.username, password)
    options = options_for(broker, given.site, given.devices, given.seed, life=life, per_device=given.per_device)
    devices = options.devices if given.devices else town(given.seed, homes)
    _check_named(faults, devices, given)
    return replace(options, devices=devices, faults=faults)


def _check_named(faults: Faults, devices: Sequence[Fitting], given: argparse.Namespace) -> None:
    """A trial's devices are not known yet: it says so itself."""
    known = {each.address for each in devices}
    unknown = next((address for address, _ in sorted(faults.on) if address not in known), None)
    if unknown is not None and _speed(given.speed) == 1:
        raise ValueError(f"--fault {unknown}: there is no such device here; there are {_some(devices)}")


def _life(given: argparse.Namespace, usual: Life) -> Life:
    chosen = {each.name: getattr(given, each.name) for each in fields(Life)}
    return replace(usual, **{name: value for name, value in chosen.items() if value is not None})


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 1 <= speed <= 100_000:
        raise ValueError(f"--speed {text}: give 1, max, or how many times real time, as 60")
    return speed


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number <= 366:
        raise argparse.ArgumentTypeError(f"{text}: give a number of days, up to 366")
    return number


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 20_000:
        raise argparse.ArgumentTypeError(f"{text}: give a number from 1 to 20000")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text}: give a chance from 0 to 1")
    return number


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise ValueError(f"--fields {text}: not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ValueError(f'--fields {text}: not a JSON object, as {{"battery": 12}}')
    return fields


def _some(devices: Sequence[Fitting]) -> str:
    names = [each.address for each in devices]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _log_to_stdout() -> None:
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(message)s")


if __name__ == "__main__":
    sys.exit(main())
