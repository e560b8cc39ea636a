"""What is called back: a provider tells us what became of a message, or what somebody answered. Parsed and proven here, pure.

Rules
    Every address that we give out is signed: ``sig`` is an HMAC-SHA256 over the path and the page with a secret of this
    gateway. Whoever has no such address cannot say anything, and nobody can say it of another page.
    Where a provider signs its requests, too, that is asked for as well: an address can be found in somebody's log.

    Twilio's signature (https://www.twilio.com/docs/usage/webhooks/webhooks-security): HMAC-SHA1 over the whole address and
    all fields of the form, by name, name and value joined without anything between; the key is the account's auth token.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlencode

from alerts.channels import Channel
from alerts.delivery import Receipt

TWILIO_HEADER = "x-twilio-signature"


@dataclass(frozen=True, slots=True)
class CalledBack:
    """A request of a provider. ``query`` as it came; ``headers`` by names in small letters; ``said``: the form, or JSON.

    ``pairs``: the fields of a form, in their order and each time they come.
    """

    base_url: str
    path: str
    query: str = ""
    page: str = ""
    sig: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    said: Any = None
    pairs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of a page. ``permanent``: there is no such number."""

    page: str
    receipt: Receipt
    reason: str = ""
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody wrote or pressed. ``id``: the provider's, the same when it tells us again; empty where it has none."""

    text: str
    number: str = ""
    page: str = ""
    id: str = ""


@runtime_checkable
class Hears(Channel, Protocol):
    """A channel whose provider calls us back. None for what says nothing to us; ValueError for what cannot be read."""

    def standing_urls(self, base_url: str) -> list[str]:
        """Addresses of ours that are set up at the provider once."""

    def proven(self, call: CalledBack) -> bool:
        """Whether it comes from where it says."""

    def report(self, call: CalledBack) -> Reported | None:
        """What became of a page."""

    def inbound(self, call: CalledBack) -> Said | None:
        """What somebody answered."""

    def reply(self, text: str, language: str) -> tuple[str, str]:
        """How ``text`` is answered, so that who wrote or pressed gets it: content type and body. Empty: not at all."""


def path_of(channel: str, what: str) -> str:
    return f"/api/v1/callbacks/{channel}/{what}"


def signed_url(base_url: str, secret: str, channel: str, what: str, page: str = "") -> str:
    """An address of ours that a provider may call. ``what``: ``status``, ``inbound`` or ``pressed``."""
    path = path_of(channel, what)
    query = {"page": page} if page else {}
    return f"{base_url}{path}?{urlencode({**query, 'sig': _signature(secret, path, page)})}"


def is_ours(call: CalledBack, secret: str) -> bool:
    """Whether the address that was called is one that we gave out."""
    wanted = _signature(secret, call.path, call.page)
    return hmac.compare_digest(call.sig.encode(), wanted.encode())


def is_twilios(call: CalledBack, token: str) -> bool:
    """Whether Twilio has signed it."""
    url = f"{call.base_url}{call.path}" + (f"?{call.query}" if call.query else "")
    told = url + "".join(f"{name}{value}" for name, value in sorted(set(call.pairs)))
    wanted = b64encode(hmac.digest(token.encode(), told.encode("utf-8", "replace"), hashlib.sha1))
    return hmac.compare_digest(call.headers.get(TWILIO_HEADER, "").encode("utf-8", "replace"), wanted)


def _signature(secret: str, path: str, page: str) -> str:
    return hmac.digest(secret.encode(), f"{path}?{page}".encode("utf-8", "replace"), hashlib.sha256).hex()
