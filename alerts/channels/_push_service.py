"""A browser's push service, spoken to: signed, encrypted, and at an address that was looked at. Imported with the first push: the
packages that it needs take 20 MB, and half a second.

Rules
    An endpoint comes from a phone. Its host is looked up once, no address of a private network is called, and no other than
    the ones that were looked at; redirects are not followed.
    The service is told nothing but sizes and times. How long a signature holds, it tells by its own clock, and so do we.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ssl import SSLContext

import httpx
from py_vapid import Vapid02
from pywebpush import WebPusher

from alerts.channels._http import retry_after
from alerts.delivery import Failed
from alerts.subscription import Subscription, is_public
from alerts.vapid import read_key

SIGNED_FOR = timedelta(hours=12)
"""How long our signature holds; a push service takes none of more than 24 hours (RFC 8292), by its own clock."""
TCP = 6


@dataclass(frozen=True, slots=True)
class Answered:
    """What a push service said, and after how long to come again; its text is not read."""

    status: int
    after: timedelta | None = None


class PushService:
    """``private_key``: ours, as text; ``subject``: whom a service can turn to; ``patience``: seconds until it is connected and has
    answered; ``private``: hosts of this network are called, too."""

    def __init__(self, private_key: str, subject: str, patience: float, *, private: bool) -> None:
        self._key = read_key(private_key)
        self._subject = subject
        self._patience = patience
        self._private = private

    async def post(self, subscription: Subscription, plain: bytes, headers: Mapping[str, str]) -> Answered | Failed:
        """What the service answered, or why it could not be asked. It can take longer than our patience, by the time for looking up."""
        try:
            encrypted = await asyncio.to_thread(_encrypted, subscription, plain)
            addresses = await self._addresses(subscription)
            return await self._call(subscription, addresses, encrypted, {**headers, **self._signed(subscription)})
        except PrivateHostError as error:
            return Failed(str(error), permanent=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Failed(f"{type(error).__name__}: {error}")

    def _signed(self, subscription: Subscription) -> dict[str, str]:
        to = subscription.to
        claims = {
            "sub": self._subject,
            "aud": f"{to.scheme}://{to.netloc}",
            "exp": int((datetime.now(UTC) + SIGNED_FOR).timestamp()),
        }
        signed: dict[str, str] = Vapid02(self._key, conf={"no-strict": True}).sign(claims)
        return signed

    async def _addresses(self, subscription: Subscription) -> Sequence[str]:
        """Where the host is, the older kind of address first. PrivateHostError where that is inside."""
        url = httpx.URL(subscription.endpoint)
        port = url.port or (443 if url.scheme == "https" else 80)
        host = subscription.to.hostname or ""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, proto=TCP)
        addresses = sorted({str(address[0]) for *_, address in found}, key=lambda each: (":" in each, each))
        if not self._private and not all(is_public(each) for each in addresses):
            raise PrivateHostError("the push service's name leads into a private network: it is not called")
        return addresses

    async def _call(
        self, subscription: Subscription, addresses: Sequence[str], encrypted: bytes, headers: Mapping[str, str]
    ) -> Answered:
        """One address after the other, until one can be reached."""
        url, to = httpx.URL(subscription.endpoint), subscription.to
        patience = httpx.Timeout(self._patience, connect=self._patience / len(addresses))
        async with httpx.AsyncClient(verify=self._context, trust_env=False, timeout=patience) as client:
            for last, address in enumerate(addresses, 1 - len(addresses)):
                try:
                    async with client.stream(
                        "POST",
                        url.copy_with(host=address),
                        content=encrypted,
                        headers={**headers, "Host": to.netloc},
                        extensions={"sni_hostname": to.hostname or ""},
                    ) as answer:
                        return Answered(answer.status_code, retry_after(answer.headers))
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    if last == 0:
                        raise
        raise AssertionError("unreachable")

    @cached_property
    def _context(self) -> SSLContext:
        """Made once: to read all the authorities takes longer than a push."""
        return httpx.create_ssl_context()


class PrivateHostError(Exception):
    """A name leads to a host that is none of the internet's."""


def _encrypted(subscription: Subscription, plain: bytes) -> bytes:
    """So that only this one browser reads it."""
    keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
    encrypted: bytes = WebPusher({"endpoint": subscription.endpoint, "keys": keys}).encode(plain)["body"]
    return encrypted
