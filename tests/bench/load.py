"""What the devices say, and three ways to say it: all at once, at a steady pace, or as fast as it is stored.

The mix is that of a country's quiet day: signs of life and doors, 0.1 % alarms, 1 % sent twice. The second and the third way
run in a process of their own (``python -m tests.bench.load``), which ends on SIGTERM and says what it did in a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from random import Random

from tests.support.wire import Kind, Said, Wire

ALARM_SHARE = 0.001
TWICE_SHARE = 0.01
WINDOW = 2_000
"""Messages on the way without a PUBACK."""
PIECE = 400
"""Messages that leave in one piece."""
PATIENCE = 30.0
"""Seconds without a receipt after which nobody waits any more."""

SAID = {
    "fall_alarm": (("status", "heartbeat", '"battery":87,"rssi":-71'), ("event", "worn", '"battery":87')),
    "medicine_dispenser": (
        ("status", "heartbeat", '"battery":100,"mains":true,"rssi":-61'),
        ("event", "refilled", '"doses":28'),
    ),
    "door_sensor": (("event", "opened", '"battery":91'), ("event", "closed", '"battery":91')),
    "e_lock": (("event", "unlocked", '"method":"app","by":"staff-7"'), ("event", "locked", '"method":"auto"')),
    "safety_alarm": (("status", "heartbeat", '"battery":64,"rssi":-93'), ("status", "heartbeat", '"battery":63')),
    "fire_sensor": (("status", "heartbeat", '"battery":99,"rssi":-77'), ("status", "heartbeat", '"battery":99')),
}
ALARMS = {"fall_alarm": "fall", "safety_alarm": "button_pressed", "fire_sensor": "smoke"}


def named(devices: int) -> tuple[tuple[str, str], ...]:
    """Kind and address of so many devices; the kinds go round."""
    kinds = tuple(SAID)
    return tuple((kinds[number % len(kinds)], f"b-{number:06}") for number in range(devices))


def messages(
    site: str, devices: Sequence[tuple[str, str]], seed: int = 1, alarm_share: float = ALARM_SHARE
) -> Iterator[Said]:
    """What they say, one after the other, for ever; those sent twice included. Ids are unique for a seed."""
    random, number = Random(seed), 0
    share = alarm_share * len(SAID) / len(ALARMS)
    while True:
        kind, address = devices[number % len(devices)]
        turn, number = number // len(devices), number + 1
        alarm = kind in ALARMS and random.random() < share
        last, type_, fields = ("alarm", ALARMS[kind], '"confidence":0.9') if alarm else SAID[kind][turn % 2]
        said = (f"hv/v1/{site}/{kind}/{address}/{last}", _payload(f"{seed}-{number}", type_, fields))
        yield said
        if random.random() < TWICE_SHARE:
            yield said


def alarm(site: str, kind: str, address: str, message_id: str) -> Said:
    return f"hv/v1/{site}/{kind}/{address}/alarm", _payload(message_id, ALARMS[kind], '"confidence":0.9')


def _payload(message_id: str, type_: str, fields: str) -> bytes:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return f'{{"id":"{message_id}","time":"{at}","type":"{type_}",{fields}}}'.encode()


def publish(host: str, port: int, said: Sequence[Said]) -> None:
    """All of it, and wait for every PUBACK."""
    with Wire(host, port, "bench") as wire:
        acknowledged = sent = 0
        for begin in range(0, len(said), PIECE):
            sent += wire.publish(said[begin : begin + PIECE])
            while sent - acknowledged > WINDOW:
                acknowledged += wire.acknowledged()
        while acknowledged < sent:
            acknowledged += wire.acknowledged()


# Processes of their own -----------------------------------------------------------------------------------------------


def steady(wire: Wire, said: Iterator[Said], per_second: float, ended: list[bool]) -> dict[str, float]:
    """At a pace that nobody holds up, until it is ended."""
    begun, sent = time.monotonic(), 0
    while not ended:
        due = int((time.monotonic() - begun) * per_second) - sent
        sent += wire.publish(islice(said, min(due, PIECE))) if due > 0 else 0
        wire.received(0.004)
    return {"sent": sent, "per_s": round(sent / (time.monotonic() - begun))}


def closed_loop(wire: Wire, site: str, said: Iterator[Said], window: int, seconds: float) -> dict[str, float]:
    """As fast as it is stored: so many on the way without a receipt, and each receipt lets the next one out.

    Counted are the receipts after the first tenth of the time. ``missing``: sent, and without a receipt at the end.
    """
    wire.subscribe(f"hv/v1/{site}/+/+/receipt")
    waiting: dict[bytes, float] = {}
    late: list[float] = []
    begun = time.monotonic()
    measured, end, distinct, quiet_since = begun + seconds / 10, begun + seconds, 0, begun
    while (now := time.monotonic()) < end or (waiting and now < quiet_since + PATIENCE):
        if now < end and len(waiting) < window:
            piece = list(islice(said, min(window - len(waiting), PIECE)))
            known = len(waiting)
            waiting.update((_id(payload), now) for _, payload in piece)
            distinct += len(waiting) - known
            wire.publish(piece)
        for packet in wire.received(0.002):
            if packet.kind == Kind.PUBLISH and (sent := waiting.pop(_id(packet.payload), None)) is not None:
                quiet_since = now = time.monotonic()
                if measured <= now < end:
                    late.append(now - sent)
    late.sort()
    return {
        "distinct": distinct,
        "missing": len(waiting),
        "per_s": round(len(late) / (end - measured)),
        "receipt_p50_ms": round(1000 * late[len(late) // 2], 1) if late else 0.0,
        "receipt_p99_ms": round(1000 * late[len(late) * 99 // 100], 1) if late else 0.0,
    }


def _id(payload: bytes) -> bytes:
    """The id comes first, in what we send and in receipts."""
    return payload.split(b'"', 4)[3]


def main() -> None:
    arguments = _arguments()
    ended: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    said = messages(arguments.site, named(arguments.devices), arguments.seed, arguments.alarm_share)
    with Wire(arguments.host, arguments.port, f"bench-{arguments.way}") as wire:
        if arguments.way == "steady":
            told = steady(wire, said, arguments.per_second, ended)
        else:
            told = closed_loop(wire, arguments.site, said, arguments.window, arguments.seconds)
    print(json.dumps(told))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("load", description="Devices that speak.")
    parser.add_argument("way", choices=["steady", "loop"])
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("site")
    parser.add_argument("--devices", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--alarm-share", type=float, default=ALARM_SHARE)
    parser.add_argument("--per-second", type=float, default=5_000)
    parser.add_argument("--window", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    main()
