"""An ecosystem for tests: a device says everything on one topic, and only the payload tells what is an alarm.

Topic    ``one/{site}/{kind}/{device}``; the receipt goes to ``…/receipt``. It takes no commands.
Payload  as the native protocol's. The class follows from the type, and what has none is state; of what cannot be read nobody can tell it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime

from devices.dialects.native import Native
from devices.health import PRESENCE
from devices.kinds import kinds
from devices.model import NAME, DecodeError, DeviceAddress, Lane, Message, MessageClass, Observation, Reason
from simulators.home import class_of

PREFIX = "one"
LEVELS = 4


@dataclass(frozen=True)
class OneTopic:
    """The dialect."""

    name: str = "one_topic"
    topics_tell: bool = False

    def subscriptions(self, site: str, lane: Lane) -> tuple[str, ...]:
        return (f"{PREFIX}/{site}/+/+",)

    def owns(self, topic: str) -> bool:
        return topic.startswith(f"{PREFIX}/")

    def decode(self, message: Message) -> Observation:
        device, kind = self._who(message.topic)
        said = _class_of(kind, message.payload)
        topic = f"hv/v1/{device.site}/{kind}/{device.address}/{said or MessageClass.EVENT}"
        try:
            return replace(_NATIVE.decode(replace(message, topic=topic)), device=device)
        except DecodeError as error:
            raise replace(error, device=device, message_class=said) from None

    def receipt(self, device: DeviceAddress, kind: str, message_id: str) -> tuple[str, bytes] | None:
        return f"{topic_of(device, kind)}/receipt", json.dumps({"id": message_id}).encode()

    def command(
        self, device: DeviceAddress, kind: str, command_id: str, name: str, valid_until: datetime, now: datetime
    ) -> tuple[str, bytes] | None:
        return None

    def _who(self, topic: str) -> tuple[DeviceAddress, str]:
        levels = topic.split("/")
        if len(levels) != LEVELS or not all(map(NAME.fullmatch, levels)) or levels[2] not in kinds():
            raise DecodeError(Reason.TOPIC, f"{topic!r:.200} is not {PREFIX}/{{site}}/{{kind}}/{{device}}")
        return DeviceAddress(levels[1], self.name, levels[3]), levels[2]


def topic_of(device: DeviceAddress, kind: str) -> str:
    return f"{PREFIX}/{device.site}/{kind}/{device.address}"


def _class_of(kind: str, payload: bytes) -> MessageClass | None:
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    said = body.get("type", PRESENCE) if isinstance(body, dict) else None
    return class_of(kind, said) if isinstance(said, str) else None


_NATIVE = Native()
DIALECT = OneTopic()
