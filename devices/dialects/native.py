"""The native MQTT protocol, v1.

Topic    ``hv/v1/{site}/{kind}/{device}/{class}``; class is alarm, event, status or result (upward), command or
         receipt (downward).
Payload  a JSON object with ``id`` (unique per device, at most 64 characters), ``time`` (RFC 3339 with offset),
         ``type`` and the type's own fields at the top level.
State    a status message ``{"online": false}`` (the retained last will) needs no id, time or type.
Kept     unknown fields, and unknown types, which are flagged and shown as such.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from devices.health import PRESENCE
from devices.json import MAX_BYTES, content_hash, parse_object, read_object
from devices.kinds import Check, checks, kinds
from devices.model import (
    NAME,
    DecodeError,
    DeviceAddress,
    Flag,
    Lane,
    Message,
    MessageClass,
    Observation,
    Reason,
    Said,
    crash_of,
    parse_time,
    settle_time,
)
from devices.position import tells_where
from devices.remembered import Remembered
from devices.value import made, value

PREFIX = "hv/v1"
ENVELOPE = frozenset({"id", "time", "type"})
MAX_ID = 64
MAX_BYTES_FOR_ID = 16 * MAX_BYTES
"""Up to which size the id of a message that is too large is still looked for."""
TOPIC_LEVELS = 6

_NAME = "native"
_OWN = PREFIX + "/"
_ALARM, _STATUS = MessageClass.ALARM, MessageClass.STATUS  # to look a member up takes as long as to make a value
_LANE_CLASSES = {
    Lane.ALARM: (MessageClass.ALARM,),
    Lane.BULK: (MessageClass.EVENT, MessageClass.STATUS, MessageClass.RESULT),
}


@value(frozen=True, slots=True)
class _Channel:
    """What a topic tells but for the device. ``checks``: of its kind; None where there is no such kind."""

    site: str
    kind: str
    message_class: MessageClass
    checks: Mapping[str, Check] | None


@value(frozen=True, slots=True)
class _Names:
    """What all objects with the same names have in common.

    ``content``: what may not differ between copies of a message, which is all but its
    id and time; ``content_of_alarm``: the time may not either. A device that counts its ids from the beginning again must not
    have its next fall taken for the last one; a re-sent alarm has the same id and time. ``state``: it may be one.
    ``placeless``: none of them is a coordinate's.
    """

    content: tuple[str, ...]
    content_of_alarm: tuple[str, ...]
    state: bool
    placeless: bool


@dataclass(frozen=True)
class Native:
    """The native protocol as a dialect."""

    name: str = _NAME
    topics_tell: bool = True

    def subscriptions(self, site: str, lane: Lane) -> tuple[str, ...]:
        return tuple(f"{PREFIX}/{site}/+/+/{message_class}" for message_class in _LANE_CLASSES[lane])

    def owns(self, topic: str) -> bool:
        return topic.startswith(_OWN)

    def decode(self, message: Message) -> Observation:
        channel, device = parse_topic(message.topic)
        try:
            return _decode(channel, device, message)
        except DecodeError as error:
            raise replace(
                error,
                device=device,
                kind=channel.kind,
                message_class=channel.message_class,
                message_id=_readable_id(message.payload),
            ) from None
        except Exception as error:
            named = device, channel.kind, channel.message_class, _readable_id(message.payload)
            raise DecodeError(Reason.POISON, crash_of(error), *named) from error

    def receipt(self, device: DeviceAddress, kind: str, message_id: str) -> tuple[str, bytes] | None:
        return topic_of(device, kind, "receipt"), b'{"id":' + to_json(message_id) + b"}"

    def command(
        self, device: DeviceAddress, kind: str, command_id: str, name: str, valid_until: datetime, now: datetime
    ) -> tuple[str, bytes] | None:
        body = {"id": command_id, "time": now.isoformat(), "type": name, "valid_until": valid_until.isoformat()}
        return topic_of(device, kind, "command"), json.dumps(body, separators=(",", ":")).encode()


DIALECT = Native()


@dataclass(frozen=True, slots=True)
class Ordered:
    """A command as a device reads it: which it is, what it asks for, and from when on it must not be obeyed."""

    command_id: str
    name: str
    valid_until: datetime


def read_command(payload: bytes) -> Ordered:
    """A command's payload, read strictly: DecodeError for one that lacks something. A device must obey no such command."""
    body = parse_object(payload)
    command_id, name = _text("id", body.get("id")), _text("type", body.get("type"))
    try:
        return Ordered(command_id, name, parse_time(body.get("valid_until")))
    except ValueError as error:
        raise DecodeError(Reason.BAD_TIME, f"'valid_until' {error}, not {body.get('valid_until')!r:.80}") from None


def topic_of(device: DeviceAddress, kind: str, last: str) -> str:
    """The topic of a device's messages; ``last`` is a message class, ``command`` or ``receipt``."""
    return f"{PREFIX}/{device.site}/{kind}/{device.address}/{last}"


def encode(device: DeviceAddress, kind: str, message_id: str, said: Said) -> tuple[str, bytes]:
    """Topic and payload of what a device says; the inverse of decoding."""
    body: dict[str, Any] = {**said.fields, "id": message_id, "time": said.at.isoformat(), "type": said.type}
    payload = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return topic_of(device, kind, said.message_class), payload


def parse_topic(topic: str) -> tuple[_Channel, DeviceAddress]:
    """Who speaks on a topic, or DecodeError with as much of the message class as can be told."""
    before, _, last = topic.rpartition("/")
    before, _, address = before.rpartition("/")
    channel = _CHANNELS[before, last]
    if channel is None or _IS_NAME(address) is None:
        raise _not_a_topic(topic)
    return channel, made(DeviceAddress, (channel.site, _NAME, address))


def _channel(levels: tuple[str, str]) -> _Channel | None:
    """By all levels before the device, and the one behind it. There are few, for all devices."""
    place, message_class = _PLACE.fullmatch(levels[0]), _CLASSES.get(levels[1])
    if place is None or message_class is None:
        return None
    return _Channel(place[1], place[2], message_class, checks().get(place[2]))


LONGEST_CHANNEL = 200
"""Letters; names are bounded, so longer ones are none, and not to be remembered."""
_CHANNELS = Remembered(_channel, lambda levels: len(levels[0]) + len(levels[1]) <= LONGEST_CHANNEL)
_CLASSES = {str(each): each for each in MessageClass}
_IS_NAME = NAME.fullmatch
_PLACE = re.compile(rf"{PREFIX}/({NAME.pattern})/({NAME.pattern})")


def _not_a_topic(topic: str) -> DecodeError:
    """What is wrong with it."""
    levels = topic.split("/")
    message_class = _CLASSES.get(levels[-1])
    if len(levels) != TOPIC_LEVELS or "/".join(levels[:2]) != PREFIX or message_class is None:
        detail = f"{topic!r:.200} is not {PREFIX}/{{site}}/{{kind}}/{{device}}/{{class}}"
        return DecodeError(Reason.TOPIC, detail, message_class=message_class)
    wrong = next(
        (level, what) for level, what in zip(levels[2:5], _NAMED, strict=True) if NAME.fullmatch(level) is None
    )
    detail = f"{wrong[1]} {wrong[0]!r:.200} may have letters, digits and . _ : - only, at most 64"
    return DecodeError(Reason.TOPIC, detail, message_class=message_class)


_NAMED = ("site", "kind", "device")


def _decode(channel: _Channel, device: DeviceAddress, message: Message) -> Observation:
    if channel.checks is None:
        raise DecodeError(Reason.UNKNOWN_KIND, f"{channel.kind!r} is not one of {', '.join(sorted(kinds()))}")
    body, plain = read_object(message.payload)
    names = _NAMES[tuple(body)]
    content = names.content_of_alarm if channel.message_class is _ALARM else names.content
    hashed = content_hash(body, content, plain=plain)
    said_type, message_id, claimed = _said(channel, channel.checks, names, body, message.received_at)
    occurred_at, flags = settle_time(claimed, message.received_at)
    if message.retained:
        flags |= {Flag.RETAINED}
    if said_type not in channel.checks:
        flags |= {Flag.UNKNOWN_TYPE}
    return Observation(
        device,
        channel.kind,
        channel.message_class,
        said_type,
        message_id,
        occurred_at,
        message.received_at,
        body,
        message.payload,
        hashed,
        flags,
        not (plain and names.placeless),
    )


def _said(
    channel: _Channel, by_type: Mapping[str, Check], names: _Names, body: dict[str, Any], received_at: datetime
) -> tuple[str, str | None, datetime]:
    """Type, id, and the time it claims. What is left of ``body`` are the type's own fields."""
    if names.state and channel.message_class is _STATUS and isinstance(body["online"], bool):
        return PRESENCE, None, received_at
    message_id, said_type = _text("id", body.pop("id", None)), _text("type", body.pop("type", None))
    claimed = body.pop("time", None)
    check = by_type.get(said_type)
    if check is not None:
        try:
            check(body)
        except ValidationError as error:
            raise _bad_fields(said_type, error) from None
    return said_type, message_id, _time(claimed)


def _names(names: tuple[str, ...]) -> _Names:
    return _Names(
        content=tuple(sorted(each for each in names if each not in ("id", "time"))),
        content_of_alarm=tuple(sorted(each for each in names if each != "id")),
        state=ENVELOPE.isdisjoint(names) and "online" in names,
        placeless=not any(map(tells_where, names)),
    )


MOST_NAMES, LONGEST_NAME = 20, 30
"""Of an object that is worth to be remembered."""
_NAMES = Remembered(_names, lambda names: len(names) <= MOST_NAMES and all(len(each) <= LONGEST_NAME for each in names))


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID:
        detail = f"{name!r} must be a string of 1 to {MAX_ID} characters, not {value!r:.80}"
        raise DecodeError(Reason(name), detail)
    return value


def _time(value: object) -> datetime:
    try:
        return parse_time(value)
    except ValueError as error:
        raise DecodeError(Reason.BAD_TIME, f"'time' {error}, not {value!r:.80}") from None


def _bad_fields(said_type: str, error: ValidationError) -> DecodeError:
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return DecodeError(Reason.BAD_FIELDS, f"{said_type}.{where}: {first['msg']}")


def _readable_id(payload: bytes) -> str | None:
    """The id, wherever it can be read: also of what cannot be stored, or its device would send it for ever."""
    try:
        value = from_json(payload[:MAX_BYTES_FOR_ID], allow_inf_nan=False)
        message_id = _text("id", value.get("id")) if isinstance(value, dict) else "\x00"
    except (ValueError, DecodeError):
        return None
    return None if "\x00" in message_id else message_id
