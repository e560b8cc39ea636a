"""The command line of the simulators: ``hjemmevakt simulate``, and ``python -m simulators.cli``.

run      every device of a file (or of a made-up town) lives in real time until Ctrl-C
--say    one device says one thing, waits for the gateway's receipt, and that is all
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from simulators.clock import live
from simulators.home import Fitting, Life
from simulators.link import Broker
from simulators.run import Connections, Options, Report, say_once, simulate
from simulators.town import DevicesFileError, devices_file, town

RECEIPT_PATIENCE = timedelta(seconds=30)


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
    arguments = _parser().parse_args(argv)
    try:
        options = _options(arguments)
        fields = _fields(arguments.fields)
    except (DevicesFileError, OSError, ValueError) as error:
        print(f"simulate: {error}", file=sys.stderr)
        return 2
    if arguments.say is None:
        return run_cli(options)
    address, type_ = arguments.say
    return say_cli(options, address, type_, fields)


def summary(report: Report) -> str:
    """A report in one line."""
    slowest = "–" if report.slowest_receipt is None else f"{report.slowest_receipt.total_seconds():.3f} s"
    return (
        f"said {report.said}, receipted {report.receipted}, outstanding {report.outstanding}, "
        f"sent again {report.resent}, lost {report.lost}, slowest receipt {slowest}"
    )


async def _until_signal(options: Options) -> Report:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return await simulate(options, live(), stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("simulate", description="Simulated homes over real MQTT.")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--username")
    parser.add_argument("--password-file", type=Path)
    parser.add_argument("--site", default="stavanger")
    parser.add_argument("--devices", type=Path, help="JSON file of devices; a made-up town without it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--falls-per-day", type=float, default=Life().falls_per_day, help="per wearer")
    parser.add_argument("--missed-per-dose", type=float, default=Life().missed_per_dose)
    parser.add_argument("--per-device", action="store_true", help="a connection, with a last will, for each device")
    parser.add_argument(
        "--say", nargs=2, metavar=("ADDRESS", "TYPE"), help="one device says one thing, and that is all"
    )
    parser.add_argument("--fields", default="{}", help="the fields of --say, as JSON")
    return parser


def _options(arguments: argparse.Namespace) -> Options:
    password = arguments.password_file.read_text("utf-8").strip() if arguments.password_file else None
    broker = Broker(arguments.host, arguments.port, arguments.username, password)
    life = Life(arguments.falls_per_day, arguments.missed_per_dose)
    return options_for(
        broker, arguments.site, arguments.devices, arguments.seed, life=life, per_device=arguments.per_device
    )


def _fields(text: str) -> dict[str, Any]:
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise ValueError("--fields must be a JSON object")
    return fields


def _some(devices: Sequence[Fitting]) -> str:
    names = [each.address for each in devices]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _log_to_stdout() -> None:
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(message)s")


if __name__ == "__main__":
    sys.exit(main())
