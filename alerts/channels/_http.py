"""HTTP as channels speak it: one request and one answer, read within a time and a length, and judged in one place.

Rules
    ``ask`` never raises for what a network or a server does. Its seconds hold for the whole conversation, so that a server
    that drips bytes does not hold a page.
    No redirect is followed: what a page says goes to whom the settings name, and to nobody else.
    At most 64 KiB of an answer are read, and only as they come: nothing is unpacked.
    A page is taken when the service itself says so, by what only it answers with. A 2xx from a proxy's own page is not that.
    What is said of a failure carries no secret: whatever a server repeats of them is taken out.

Theory
    ===================  ==========================================================================================
    2xx as documented    taken
    408, 425, 429, 5xx   again later, after ``Retry-After`` where it is said (RFC 9110, RFC 6585)
    other 4xx            permanent: it will say so again. Whether the contact is to blame the channel has to know
    3xx, other 2xx       again later: somebody stands between us and the service
    no answer            again later
    ===================  ==========================================================================================
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from alerts.delivery import Failed

LONGEST_ANSWER = 64 * 1024
"""Bytes."""
LONGEST_REASON = 200
"""Letters of a server's own words."""
AGAIN_LATER = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. ``secrets``: what must not be told of it, whatever the server answers."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: tuple[str, str] | None = None
    json: Any = None
    form: Mapping[str, Any] | None = None
    secrets: tuple[str, ...] = ()

    @property
    def hidden(self) -> tuple[str, ...]:
        """What must not be told, also as it stands in the header."""
        return (*self.secrets, *((b64encode(":".join(self.auth).encode()).decode(),) if self.auth else ()))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered. ``said``: its JSON, or None where it is none, or too long."""

    status: int
    said: Any = None
    after: timedelta | None = None
    secrets: tuple[str, ...] = ()

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def at(self, path: str) -> str:
        """What stands at ``a.b.0`` of what was said, as text; empty where nothing does."""
        return at(self.said, path)


async def ask(asked: Ask, within: float) -> Answer | Failed:
    """The answer, or why there was none. ``within``: seconds for all of it."""
    try:
        async with asyncio.timeout(within):
            talk = await asyncio.to_thread(_talk)
            return await talk(asked, within)
    except TimeoutError:
        return too_late(within)


def too_late(within: float) -> Failed:
    return Failed(f"the server did not answer within {within:g} s")


def refused(answer: Answer, why: str = "", *, broken: bool = False) -> Failed:
    """What an answer that is not "taken" means. ``why``: the server's words; ``broken``: they are about the contact."""
    told = scrubbed(f"{answer.status}: {why}" if why else f"the server answered {answer.status}", answer.secrets)
    if broken or (400 <= answer.status < 500 and answer.status not in AGAIN_LATER):
        return Failed(told, permanent=True, contact_broken=broken)
    return Failed(told, after=answer.after)


def at(said: Any, path: str) -> str:
    """What stands at ``a.b.0``, as text; empty where nothing does. True and False are ``true`` and ``false``."""
    for part in path.split(".") if path else ():
        if isinstance(said, Mapping):
            said = said.get(part)
        elif isinstance(said, list) and part.isdecimal() and int(part) < len(said):
            said = said[int(part)]
        else:
            return ""
    if isinstance(said, bool):
        return str(said).lower()
    return str(said) if path and isinstance(said, str | int | float) else ""


def scrubbed(text: str, secrets: tuple[str, ...]) -> str:
    """One printable line without the secrets."""
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 1]}…"


def plain(text: str) -> str:
    """A text that can be sent: without halves of letters and control characters, which would keep an alarm from leaving."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(each for each in whole if each == "\n" or ord(each) >= ord(" "))


def service_url(value: str) -> str:
    """The address of a service, without a slash at the end. ValueError unless it is https, or on this machine."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("must be an address as https://sms.example.org, without a user, a ? or a #")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https: passwords, numbers and alerts are not sent in the clear")
    return value.rstrip("/")


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _talk() -> Callable[[Ask, float], Awaitable[Answer | Failed]]:
    """Blocks at first, so that whoever waits has to wait in a thread."""
    from alerts.channels._conversation import talk  # noqa: PLC0415 - many sites never ask anybody

    return talk


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Seconds, or a date (RFC 9110): then counted from the server's own ``Date``, so that no clock is asked."""
    told = headers.get("Retry-After", "").strip()
    try:
        if told.isdecimal():
            return timedelta(seconds=int(told))
        wait = parsedate_to_datetime(told) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return max(wait, timedelta())
