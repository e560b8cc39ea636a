"""Channels: one file each, with a ``CHANNEL`` class: its pydantic ``Config`` and ``send``. Imported when
it is set up; what takes much memory, with its first page.

What several of them share is in files whose names begin with ``_``: HTTP, providers as data, what is called back.

``send`` never raises for what a network or a server does: it answers :class:`~alerts.delivery.HandedOver` or
:class:`~alerts.delivery.Failed`, within ``TIME_OUT`` seconds. What it is given carries no name, address or diagnosis.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from alerts.delivery import SendResult
from alerts.model import Severity

TIME_OUT = 10.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A page as a channel sees it: the contact's address and a text without personal data. ``page_id`` is a UUID.

    ``url`` is the alert's page, which needs sign-in. ``base_url`` is where this gateway is reached from outside, without a
    slash at the end; with ``page_key`` whoever holds this one page can tell that it was received or shown, and take the
    alert: ``POST {base_url}/api/v1/pages/{page_key}/received`` (``/shown``, ``/claim``). ``language``: of the person.
    ``at``: when the alert was raised, local time as 03:10; with ``subject`` that is what a short message says.
    ``test``: nobody needs help; whoever has the page is to confirm that it came, in the same way as an alert is taken.
    """

    page_id: str
    address: str
    subject: str
    text: str
    severity: Severity
    url: str = ""
    base_url: str = ""
    page_key: str = ""
    language: str = "nb"
    at: str = ""
    test: bool = False


class Channel(Protocol):
    """What is asked of a channel."""

    def check_address(self, address: str) -> str:
        """The form in which a contact's address is kept; ValueError, which says what it must be, for one that can't be reached."""

    async def send(self, outgoing: Outgoing) -> SendResult:
        """Hand the page over."""


@runtime_checkable
class Recalls(Channel, Protocol):
    """A channel that can take back what a phone shows."""

    async def recall(self, outgoing: Outgoing) -> SendResult:
        """The page is of no interest any more: take it from the phone."""


def channel_names() -> tuple[str, ...]:
    """Every channel there is, without importing any."""
    return tuple(sorted(each.name for each in pkgutil.iter_modules(__path__) if not each.name.startswith("_")))


def load_channel(name: str, config: dict[str, Any]) -> Channel:
    """A channel by name. ValidationError where its settings are wrong, KeyError for an unknown name."""
    if name not in channel_names():
        raise KeyError(f"no channel {name!r}; there are: {', '.join(channel_names())}")
    channel_class = import_module(f"{__name__}.{name}").CHANNEL
    channel: Channel = channel_class(channel_class.Config(**config))
    return channel
