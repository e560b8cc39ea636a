"""A push subscription: where a browser can be reached by Web Push (RFC 8030), and the keys that it alone can decrypt with.

Rules
    An address is a contact's, so it is one line of text: the subscription as JSON, always written the same way.
    An endpoint comes from a phone and is called by us. It has to be an ``https`` address of a public host: nobody makes the
    gateway call a server inside its own network. What a name leads to is looked at when it is called
    (``alerts/channels/web_push.py``).
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Self
from urllib.parse import SplitResult, urlsplit

LONGEST_ENDPOINT = 2000
NO_ENDPOINT = "the endpoint is no address of a push service"
POINT, SECRET = 65, 16
"""Bytes of a browser's public key, an uncompressed point of P-256, and of its secret (RFC 8291)."""
NAT64 = IPv6Network("64:ff9b::/96")
"""Leads to the address of the older kind that its end is (RFC 6052)."""
NOBODYS = tuple(map(IPv6Network, ("::/96", "64:ff9b:1::/48", "fec0::/10")))
"""Networks of no public host that ``ipaddress`` does not know as such: IPv4-compatible (RFC 4291), the NAT64 of a network of its own
(RFC 8215), and site-local (RFC 3879)."""
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
"""The curve P-256 (FIPS 186-4): y² = x³ - 3x + B modulo P."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """``endpoint``: where a push goes; ``p256dh`` and ``auth``: the browser's key and secret, as base64url."""

    endpoint: str
    p256dh: str
    auth: str

    @classmethod
    def of(cls, address: str) -> Self:
        """As it is stored. ValueError for what is none."""
        try:
            parts = json.loads(address)
        except ValueError:
            raise ValueError("this is no push subscription") from None
        names = set(cls.__dataclass_fields__)
        if (
            not isinstance(parts, dict)
            or set(parts) != names
            or not all(isinstance(parts[each], str) for each in names)
        ):
            raise ValueError("this is no push subscription")
        return cls(**parts)

    @property
    def address(self) -> str:
        """As it is stored; it begins with :func:`begins`."""
        parts = {"endpoint": self.endpoint, "p256dh": self.p256dh, "auth": self.auth}
        return json.dumps(parts, separators=(",", ":"))

    @property
    def to(self) -> SplitResult:
        """Where it goes, in parts."""
        return urlsplit(self.endpoint)


def begins(endpoint: str) -> str:
    """How the address of every subscription with this endpoint begins."""
    return f'{{"endpoint":{json.dumps(endpoint)},'


def check(subscription: Subscription, *, private: bool = False) -> None:
    """ValueError, with what is wrong, for one that cannot be pushed to. ``private``: this network's own hosts, and ``http``,
    are taken, too."""
    _check_endpoint(subscription.endpoint, private=private)
    if not _on_the_curve(_bytes(subscription.p256dh)):
        raise ValueError("p256dh is no public key of the curve P-256")
    if len(_bytes(subscription.auth)) != SECRET:
        raise ValueError(f"auth is not {SECRET} bytes")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet, and not of somebody's own network."""
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        if any(found in each for each in NOBODYS):
            return False
        found = _inside(found) or found
    return found.is_global and not found.is_multicast


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The older kind of address that a newer one leads to."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _check_endpoint(endpoint: str, *, private: bool) -> None:
    if len(endpoint) > LONGEST_ENDPOINT or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise ValueError(NO_ENDPOINT)
    try:
        to = urlsplit(endpoint)
        host, port = to.hostname, to.port
    except ValueError:
        raise ValueError(NO_ENDPOINT) from None
    if to.scheme != "https" and not (private and to.scheme == "http"):
        raise ValueError("the endpoint has to be an https address")
    if not host or to.username is not None or to.fragment or port == 0:
        raise ValueError(NO_ENDPOINT)
    if not private and _is_inside(host):
        raise ValueError("the endpoint is a host of a private network")


def _is_inside(host: str) -> bool:
    """Whether a host can be told from its name to be none of the internet's."""
    try:
        return not is_public(host)
    except ValueError:
        return "." not in host or host.rstrip(".").endswith((".localhost", ".local", ".internal", ".home.arpa"))


def _bytes(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (NotBase64, ValueError):
        return b""


def _on_the_curve(point: bytes) -> bool:
    if len(point) != POINT or point[0] != 4:
        return False
    x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
    return x < P and y < P and (y * y - (x * x * x - 3 * x + B)) % P == 0
