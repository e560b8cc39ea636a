"""What the devices say, and three ways to say it: all at once, at a steady pace, or as fast as it is stored.

The mix is that of a country's quiet day: signs of life and doors, 0.1 % alarms, 1 % sent twice: half of those right behind, in
the same batch, half so much later that the first one was stored and has been acknowledged long since. The second and the third way
run in a process of their own (``python -m tests.bench.load``), which says when it is
ready, ends on SIGTERM and says what it did in a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from random import Random

from tests.support.wire import Kind, Said, Wire

ALARM_SHARE = 0.001
TWICE_SHARE = 0.01
LATER = 5_000
"""Messages between the first time and the second: more than a lane is sent ahead of its acknowledgement (``receive_maximum``)."""
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
    """What they say, one after the other, for ever; those sent twice included. Ids are unique for a seed, and so is the order."""
    return some_twice(_different(site, devices, seed, alarm_share), Random(-seed))


def some_twice(said: Iterator[Said], random: Random) -> Iterator[Said]:
    """Some of it again, right behind or later."""
    again = deque[tuple[int, Said]]()
    for count, each in enumerate(said):
        yield each
        if random.random() < TWICE_SHARE:
            if random.random() < 0.5:
                yield each
            else:
                again.append((count + LATER, each))
        if again and again[0][0] <= count:
            yield again.popleft()[1]


def _different(site: str, devices: Sequence[tuple[str, str]], seed: int, alarm_share: float) -> Iterator[Said]:
    random, number = Random(seed), 0
    share = alarm_share * len(SAID) / len(ALARMS)
    while True:
        kind, address = devices[number % len(devices)]
        turn, number = number // len(devices), number + 1
        alarm = kind in ALARMS and random.random() < share
        last, type_, fields = ("alarm", ALARMS[kind], '"confidence":0.9') if alarm else SAID[kind][turn % 2]
        yield f"hv/v1/{site}/{kind}/{address}/{last}", _payload(f"{seed}-{number}", type_, fields)


def alarm(site: str, kind: str, address: str, message_id: str) -> Said:
    return f"hv/v1/{site}/{kind}/{address}/alarm", _payload(message_id, ALARMS[kind], '"confidence":0.9')


def _payload(message_id: str, type_: str, fields: str) -> bytes:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return f'{{"id":"{message_id}","time":"{at}","type":"{type_}",{fields}}}'.encode()


def publish(host: str, port: int, said: Sequence[Said]) -> None:
    """All of it, and wait for every PUBACK. ConnectionError when none comes any more."""
    with Wire(host, port, "bench") as wire:
        acknowledged = sent = 0
        for begin in range(0, len(said), PIECE):
            sent += wire.publish(said[begin : begin + PIECE])
            acknowledged += _acknowledged(wire, sent - acknowledged - WINDOW)
        _acknowledged(wire, sent - acknowledged)


def _acknowledged(wire: Wire, least: int) -> int:
    """At least so many PUBACKs have come; how many."""
    count = 0
    while count < least:
        if not (came := wire.acknowledged(PATIENCE)):
            raise ConnectionError(
                f"the broker has acknowledged nothing for {PATIENCE:g} s, {least - count} are missing"
            )
        count += came
    return count


# Processes of their own -----------------------------------------------------------------------------------------------


def steady(wire: Wire, said: Iterator[Said], per_second: float, ended: list[bool]) -> dict[str, float]:
    """At a pace that nobody holds up, until it is ended; and then until the broker has all of it."""
    begun, sent, acknowledged, known = time.monotonic(), 0, 0, set[bytes]()
    while not ended:
        due = int((time.monotonic() - begun) * per_second) - sent
        piece = list(islice(said, max(0, min(due, PIECE))))
        known.update(_id(payload) for _, payload in piece)
        sent += wire.publish(piece)
        acknowledged += wire.acknowledged(0.004)
    seconds = time.monotonic() - begun
    _acknowledged(wire, sent - acknowledged)
    return {"distinct": len(known), "per_s": round(sent / seconds)}


def closed_loop(
    wire: Wire, site: str, said: Iterator[Said], window: int, seconds: float, ended: list[bool]
) -> dict[str, float]:
    """As fast as it is stored: so many on the way without a receipt, and each receipt lets the next one out.

    Counted are the receipts after the first tenth of the time; of what is sent twice, the first. ``missing``: sent, and without
    a receipt at the end.
    """
    wire.subscribe(f"hv/v1/{site}/+/+/receipt")
    waiting: dict[bytes, float] = {}
    known: set[bytes] = set()
    late: list[float] = []
    begun = time.monotonic()
    measured, end, quiet_since = begun + seconds / 10, begun + seconds, begun
    while not ended and ((now := time.monotonic()) < end or (waiting and now < quiet_since + PATIENCE)):
        if now < end and len(waiting) < window:
            piece = list(islice(said, min(window - len(waiting), PIECE)))
            new = {_id(payload) for _, payload in piece} - known
            known |= new
            waiting.update(dict.fromkeys(new, now))
            wire.publish(piece)
        for packet in wire.received(0.002):
            if packet.kind == Kind.PUBLISH and (sent := waiting.pop(_id(packet.payload), None)) is not None:
                quiet_since = now = time.monotonic()
                if measured <= now < end:
                    late.append(now - sent)
    late.sort()
    return {
        "distinct": len(known),
        "missing": len(waiting),
        "per_s": round(len(late) / (end - measured)),
        "receipt_p50_ms": round(1000 * late[len(late) // 2], 1) if late else 0.0,
        "receipt_p99_ms": round(1000 * late[len(late) * 99 // 100], 1) if late else 0.0,
    }


def _id(payload: bytes) -> bytes:
    """The id comes first, in what we send and in receipts."""
    return payload.split(b'"', 4)[3]


READY = "ready"
"""The first line: from now on it ends by SIGTERM, and tells in the second what it has done."""


def main() -> None:
    arguments = _arguments()
    ended: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    print(READY, flush=True)
    said = messages(arguments.site, named(arguments.devices), arguments.seed, arguments.alarm_share)
    with Wire(arguments.host, arguments.port, f"bench-{arguments.way}") as wire:
        if arguments.way == "steady":
            told = steady(wire, said, arguments.per_second, ended)
        else:
            told = closed_loop(wire, arguments.site, said, arguments.window, arguments.seconds, ended)
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
