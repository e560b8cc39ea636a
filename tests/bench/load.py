"""What the devices say, and a publisher that costs next to nothing: MQTT 3.1.1 on a plain socket, QoS 1, every PUBACK counted.

The mix is that of a country's quiet day: signs of life and doors, 0.1 % alarms, 1 % sent twice.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random

ALARM_SHARE = 0.001
TWICE_SHARE = 0.01
WINDOW = 2_000
"""Messages on the way without a PUBACK."""

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


def messages(
    site: str, devices: Sequence[tuple[str, str]], count: int, now: datetime, seed: int = 1
) -> Iterator[tuple[str, bytes]]:
    """So many (topic, payload), those sent twice included."""
    random, made, number = Random(seed), 0, 0
    while made < count:
        kind, address = devices[number % len(devices)]
        turn, number = number // len(devices), number + 1
        at = (now + timedelta(milliseconds=number)).isoformat(timespec="milliseconds")
        alarm = kind in ALARMS and random.random() < ALARM_SHARE * len(SAID) / len(ALARMS)
        last, type_, fields = ("alarm", ALARMS[kind], '"confidence":0.9') if alarm else SAID[kind][turn % 2]
        body = f'{{"id":"{seed}-{number}","time":"{at}","type":"{type_}",{fields}}}'.encode()
        said = (f"hv/v1/{site}/{kind}/{address}/{last}", body)
        for _ in range(2 if random.random() < TWICE_SHARE else 1):
            yield said
            made += 1


def publish(host: str, port: int, said: Iterator[tuple[str, bytes]], name: str = "bench") -> int:
    """Publish all at QoS 1, and wait for every PUBACK. How many."""
    with socket.create_connection((host, port)) as link:
        link.sendall(_connect(name))
        if link.recv(4)[:2] != b"\x20\x02":
            raise ConnectionError("the broker refused us")
        sent = acked = 0
        rest = b""
        batch = bytearray()
        for topic, payload in said:
            sent += 1
            batch += _packet(topic, payload, sent % 65_535 + 1)
            if len(batch) > 60_000:
                link.sendall(batch)
                batch.clear()
                while sent - acked > WINDOW:
                    counted, rest = _acks(rest + link.recv(65_536))
                    acked += counted
        link.sendall(batch)
        while acked < sent:
            counted, rest = _acks(rest + link.recv(65_536))
            acked += counted
    return sent


def _acks(data: bytes) -> tuple[int, bytes]:
    """PUBACKs are four bytes each."""
    return len(data) // 4, data[len(data) // 4 * 4 :]


def _connect(name: str) -> bytes:
    body = b"\x00\x04MQTT\x04\x02\x00\x00" + struct.pack("!H", len(name)) + name.encode()
    return b"\x10" + _length(len(body)) + body


def _packet(topic: str, payload: bytes, packet_id: int) -> bytes:
    name = topic.encode()
    length = 2 + len(name) + 2 + len(payload)
    return b"\x32" + _length(length) + struct.pack("!H", len(name)) + name + struct.pack("!H", packet_id) + payload


def _length(value: int) -> bytes:
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)
