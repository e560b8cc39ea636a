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
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from devices.health import PRESENCE
from devices.json import MAX_BYTES, content_hash, parse_object
from devices.kinds import Kind, kinds
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
    parse_time,
    settle_time,
)

PREFIX = "hv/v1"
ENVELOPE = frozenset({"id", "time", "type"})
MAX_ID = 64
MAX_BYTES_FOR_ID = 16 * MAX_BYTES
"""Up to which size the id of a message that is too large is still looked for."""
TOPIC_LEVELS = 6

_LANE_CLASSES = {
    Lane.ALARM: (MessageClass.ALARM,),
    Lane.BULK: (MessageClass.EVENT, MessageClass.STATUS, MessageClass.RESULT),
}


class _Origin(NamedTuple):
    device: DeviceAddress
    kind: str
    message_class: MessageClass


@dataclass(frozen=True)
class Native:
    """The native protocol as a dialect."""

    name: str = "native"
    topics_tell: bool = True

    def subscriptions(self, site: str, lane: Lane) -> tuple[str, ...]:
        return tuple(f"{PREFIX}/{site}/+/+/{message_class}" for message_class in _LANE_CLASSES[lane])

    def owns(self, topic: str) -> bool:
        return topic.startswith(PREFIX + "/")

    def decode(self, message: Message) -> Observation:
        origin = parse_topic(message.topic)
        try:
            return _decode(origin, message)
        except DecodeError as error:
            raise replace(
                error,
                device=origin.device,
                kind=origin.kind,
                message_class=origin.message_class,
                message_id=_readable_id(message.payload),
            ) from None

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
    command_id, name = _text(body, "id", Reason.NO_ID), _text(body, "type", Reason.NO_TYPE)
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


def parse_topic(topic: str) -> _Origin:
    """Who speaks on a topic, or DecodeError with as much of the message class as can be told."""
    before, _, last = topic.rpartition("/")
    before, _, address = before.rpartition("/")
    place, message_class = _place(before), _CLASSES.get(last)
    if place is None or message_class is None or NAME.fullmatch(address) is None:
        raise _not_a_topic(topic)
    site, kind = place
    return _Origin(DeviceAddress(site, DIALECT.name, address), kind, message_class)


LONGEST_PLACE = 200
"""Letters; names are bounded, so longer ones are none, and not to be remembered."""


@lru_cache(maxsize=1024)
def _place(before: str) -> tuple[str, str] | None:
    """Site and kind, as the first levels of a topic name them. There are few, for all devices."""
    found = _PLACE.fullmatch(before) if len(before) <= LONGEST_PLACE else None
    return (found[1], found[2]) if found else None


_CLASSES = {str(each): each for each in MessageClass}
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


def _decode(origin: _Origin, message: Message) -> Observation:
    kind = kinds().get(origin.kind)
    if kind is None:
        raise DecodeError(Reason.UNKNOWN_KIND, f"{origin.kind!r} is not one of {', '.join(sorted(kinds()))}")
    body = parse_object(message.payload)
    if _is_presence(origin, body):
        return _observation(origin, kind, message, (PRESENCE, None, message.received_at), body, body)
    message_id, said_type = _text(body, "id", Reason.NO_ID), _text(body, "type", Reason.NO_TYPE)
    fields = body.copy()
    for name in ENVELOPE:
        fields.pop(name, None)
    _check_fields(kind, said_type, fields)
    return _observation(origin, kind, message, (said_type, message_id, _time(body)), body, fields)


def _observation(
    origin: _Origin,
    kind: Kind,
    message: Message,
    said: tuple[str, str | None, datetime],
    body: dict[str, Any],
    fields: dict[str, Any],
) -> Observation:
    """``said``: type, id and the time it claims."""
    said_type, message_id, claimed = said
    occurred_at, flags = settle_time(claimed, message.received_at)
    if message.retained:
        flags |= {Flag.RETAINED}
    if said_type not in kind.events:
        flags |= {Flag.UNKNOWN_TYPE}
    return Observation(
        origin.device,
        origin.kind,
        origin.message_class,
        said_type,
        message_id,
        occurred_at,
        message.received_at,
        fields,
        message.payload,
        content_hash(body, _not_content(origin)),
        flags,
    )


def _not_content(origin: _Origin) -> frozenset[str]:
    """What may differ between copies of a message: its time, but not an alarm's. A device that counts its ids from the
    beginning again must not have its next fall taken for the last one; a re-sent alarm has the same id and time."""
    return _NO_ID if origin.message_class is MessageClass.ALARM else _NO_ID_NOR_TIME


_NO_ID, _NO_ID_NOR_TIME = frozenset({"id"}), frozenset({"id", "time"})


def _is_presence(origin: _Origin, body: Mapping[str, Any]) -> bool:
    state = origin.message_class is MessageClass.STATUS and ENVELOPE.isdisjoint(body)
    return state and isinstance(body.get("online"), bool)


def _text(body: Mapping[str, Any], name: str, reason: Reason) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID:
        raise DecodeError(reason, f"{name!r} must be a string of 1 to {MAX_ID} characters, not {value!r:.80}")
    return value


def _time(body: Mapping[str, Any]) -> datetime:
    value = body.get("time")
    try:
        return parse_time(value)
    except ValueError as error:
        raise DecodeError(Reason.BAD_TIME, f"'time' {error}, not {value!r:.80}") from None


def _check_fields(kind: Kind, said_type: str, fields: Mapping[str, Any]) -> None:
    model = kind.events.get(said_type)
    if model is None:
        return
    try:
        model.__pydantic_validator__.validate_python(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DecodeError(Reason.BAD_FIELDS, f"{said_type}.{where}: {first['msg']}") from None


def _readable_id(payload: bytes) -> str | None:
    """The id, wherever it can be read: also of what cannot be stored, or its device would send it for ever."""
    try:
        value = from_json(payload[:MAX_BYTES_FOR_ID], allow_inf_nan=False)
        message_id = _text(value, "id", Reason.NO_ID) if isinstance(value, dict) else "\x00"
    except (ValueError, DecodeError):
        return None
    return None if "\x00" in message_id else message_id
