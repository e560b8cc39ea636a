"""Dialects: one file an ecosystem, which turns a foreign topic and payload into an observation.

A dialect is a module with ``DIALECT``. Its conformance suite finds it by itself.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Protocol

from devices.model import DeviceAddress, Lane, Message, MessageClass, Observation


class Dialect(Protocol):
    """What the gateway asks of an ecosystem."""

    @property
    def name(self) -> str:
        """Its name, also the ecosystem in a device's address."""

    @property
    def topics_tell(self) -> bool:
        """Whether a topic tells if what comes on it is an alarm. Where none does, both lanes listen to the same topics, and
        each takes in what is its own: so an alarm never waits behind telemetry, and is stored once all the same."""

    def subscriptions(self, site: str, lane: Lane) -> tuple[str, ...]:
        """The topic filters of one lane of a site; no two filters may match the same topic."""

    def owns(self, topic: str) -> bool:
        """Whether a topic is of this ecosystem."""

    def decode(self, message: Message) -> Observation:
        """What a device said. DecodeError when it cannot be read."""

    def receipt(self, device: DeviceAddress, kind: str, message_id: str) -> tuple[str, bytes] | None:
        """Topic and payload of the gateway's receipt, or None where the ecosystem has none."""

    def command(
        self, device: DeviceAddress, kind: str, command_id: str, name: str, valid_until: datetime, now: datetime
    ) -> tuple[str, bytes] | None:
        """Topic and payload of a command, which the device must not obey from ``valid_until`` on; None where the ecosystem
        takes no such command."""


@cache
def dialects() -> Mapping[str, Dialect]:
    """Every dialect by name."""
    found = (import_module(f"{__name__}.{entry.name}") for entry in pkgutil.iter_modules(__path__))
    return {module.DIALECT.name: module.DIALECT for module in found}


def dialect_of(topic: str) -> Dialect:
    """The dialect whose topic this is; the native one, whose decoder says what is wrong with it, where none owns it."""
    for dialect in _in_order():
        if dialect.owns(topic):
            return dialect
    return dialects()["native"]


@cache
def _in_order() -> tuple[Dialect, ...]:
    return tuple(dialects().values())


def lane_of(message_class: MessageClass | None) -> Lane:
    """The lane that takes in what is of this class. What nobody can tell the class of is no alarm by its topic."""
    return Lane.ALARM if message_class is MessageClass.ALARM else Lane.BULK
