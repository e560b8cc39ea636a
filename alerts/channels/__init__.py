"""Channels: one file each, with a ``CHANNEL`` class: its pydantic ``Config`` and ``send``. Imported when used.

``send`` never raises for what a network or a server does: it answers :class:`~alerts.delivery.HandedOver` or
:class:`~alerts.delivery.Failed`, within ``TIME_OUT`` seconds. What it is given carries no name, address or diagnosis.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from alerts.delivery import SendResult
from alerts.model import Severity

TIME_OUT = 10.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A page as a channel sees it: the contact's address and a text without personal data. ``page_id`` is a UUID."""

    page_id: str
    address: str
    subject: str
    text: str
    severity: Severity


class Channel(Protocol):
    """What the dispatcher asks of a channel."""

    async def send(self, outgoing: Outgoing) -> SendResult:
        """Hand the page over."""


def channel_names() -> tuple[str, ...]:
    """Every channel there is, without importing any."""
    return tuple(sorted(entry.name for entry in pkgutil.iter_modules(__path__)))


def load_channel(name: str, config: dict[str, Any]) -> Channel:
    """A channel by name. ValidationError where its settings are wrong, KeyError for an unknown name."""
    if name not in channel_names():
        raise KeyError(f"no channel {name!r}; there are: {', '.join(channel_names())}")
    channel_class = import_module(f"{__name__}.{name}").CHANNEL
    channel: Channel = channel_class(channel_class.Config(**config))
    return channel
