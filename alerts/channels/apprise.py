"""The long tail: everything that Apprise reaches – Signal, Teams, Matrix, Pushover, Telegram and a hundred others.

The contact's address is an Apprise URL. People write such addresses themselves, and they make this process talk to where they
say: so what they may say is narrow.

Rules
    Only schemes that the settings name. What speaks to this machine instead of to a service can't be named at all.
    No address of this machine or of a private network, by number or by name, but of ``hosts`` that the settings name. A host that
    an address names is looked up before; and whatever a service makes of an address, it is connected to public hosts only
    (:mod:`alerts.channels._outward`).
    Only parameters that say how something looks or sounds: others read files, follow redirects or turn off certificates.
    Apprise blocks, so each page has a thread, and a page whose thread does not come back in time has failed. The thread ends
    with the conversation; there are ``SLOTS`` of them, so that services that hang cannot take all memory.
    Handed over is what Apprise calls a success, and nothing else. It takes any 2xx for one, and reads whatever is answered to the
    end: ``json``, ``xml`` and ``form`` lead anywhere, so name them for people whom you trust with that.

Sources: https://appriseit.com/ and the package's documentation of AppriseAsset (``http_redirects``, ``storage_mode``) and of
the parameters of URLs. The package is imported when the first page goes out: it takes 30 MB.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from alerts.channels import TIME_OUT, Outgoing
from alerts.channels._http import plain
from alerts.channels._outward import addresses_of, outward_only
from alerts.delivery import Failed, HandedOver, SendResult
from alerts.model import Severity
from alerts.subscription import is_public

Result = TypeVar("Result")

HERE = frozenset(
    {"blink1", "dbus", "exec", "file", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "vapid", "windows"}
)
"""What shows, plays, writes or runs something on this machine."""
HARMLESS = frozenset({"channel", "format", "from", "name", "priority", "silent", "sound", "thread", "to"})
SCHEME = re.compile(r"[a-z0-9][a-z0-9.+-]{0,31}")
HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
LONGEST_ADDRESS = 2000
SLOTS = 8
INSIDE = Failed("address must not lead to this machine or into a private network", permanent=True, contact_broken=True)
QUIET = {"apprise": logging.CRITICAL, "urllib3": logging.WARNING}
"""They write down what services answer, and addresses with the tokens in them; we say what became of a page."""


class Apprise:
    """One notification a page."""

    class Config(BaseModel):
        """``schemes``: what an address may begin with, as ``signal`` or ``tgram``. ``hosts``: own servers that may be reached."""

        model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

        schemes: Annotated[frozenset[str], Field(min_length=1)]
        hosts: frozenset[str] = frozenset()
        time_out_seconds: Annotated[float, Field(gt=0, le=60)] = TIME_OUT

        @field_validator("schemes")
        @classmethod
        def _reach_a_service(cls, schemes: frozenset[str]) -> frozenset[str]:
            for each in sorted(schemes):
                if not SCHEME.fullmatch(each):
                    raise ValueError(f"{each!r:.40} is no scheme; an example is signal, of signal://…")
                if each in HERE:
                    raise ValueError(f"{each} does something on this machine and reaches nobody")
            return schemes

    def __init__(self, config: Config) -> None:
        self.config = config
        self._slots = threading.BoundedSemaphore(SLOTS)

    def check_address(self, address: str) -> str:
        """As it was written, without spaces around it."""
        plain = address.strip()
        self._checked(plain)
        return plain

    async def send(self, outgoing: Outgoing) -> SendResult:
        try:
            scheme = self._checked(outgoing.address)
        except ValueError as error:
            return Failed(f"address {error}", permanent=True, contact_broken=True)
        if not self._slots.acquire(blocking=False):
            return Failed(f"{SLOTS} pages are on their way and their services do not answer")
        try:
            async with asyncio.timeout(self.config.time_out_seconds):
                return await _in_a_thread(lambda: self._notify(outgoing, scheme), self._slots.release)
        except RuntimeError:
            self._slots.release()
            return Failed("there is no room for another thread")
        except TimeoutError:
            return Failed(f"{scheme} did not answer within {self.config.time_out_seconds:g} s")

    def _checked(self, address: str) -> str:
        """The scheme. ValueError for what is not to be called."""
        if len(address) > LONGEST_ADDRESS or not address.isprintable():
            raise ValueError("must be an address of Apprise, on one line")
        try:
            parts = urlsplit(address)
        except ValueError:  # as it has half of a bracket
            raise ValueError("must be an address of Apprise, as signal://…") from None
        if parts.scheme not in self.config.schemes:
            raise ValueError(f"must begin with {', '.join(f'{each}://' for each in sorted(self.config.schemes))}")
        if not parts.netloc or parts.fragment:
            raise ValueError("must name a service")
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            if name.lower() not in HARMLESS or "/" in value:
                raise ValueError(f"must not have the parameter {name!r:.20}")
        return parts.scheme

    def _notify(self, outgoing: Outgoing, scheme: str) -> SendResult:
        """In a thread of its own: names are looked up, and the service is called. Apprise raises what its plugins raise."""
        try:
            service = _service(outgoing.address)
            if service is None:
                return Failed("address is not one that Apprise can read", permanent=True, contact_broken=True)
            if problem := self._reaches_inside(service):
                return problem
            with outward_only(self.config.hosts) as minded:
                taken = _notified(service, outgoing)
            if minded.refused and not taken:
                return INSIDE
        except Exception as error:  # noqa: BLE001 - a hundred services by as many hands
            return Failed(f"{scheme}: {type(error).__name__}")
        return HandedOver(f"taken by {scheme}") if taken else Failed(f"{scheme} did not take it")

    def _reaches_inside(self, service: Any) -> Failed | None:
        """Why an address is not to be called. Most services have one place, and tokens stand where a host would."""
        if not any("{host}" in each or "{endpoint}" in each for each in service.templates):
            return None
        host = str(service.host).strip("[]").lower()
        if host in self.config.hosts:
            return None
        addresses = addresses_of(host) if HOST.fullmatch(host) else []
        if not HOST.fullmatch(host) or not all(is_public(each) for each in addresses):
            return INSIDE
        return None if addresses else Failed("the host of the address cannot be found")


@cache
def _asset() -> Any:
    from apprise import AppriseAsset, PersistentStoreMode  # noqa: PLC0415 - see above: it takes 30 MB

    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    return AppriseAsset(app_id="hjemmevakt", http_redirects=False, storage_mode=PersistentStoreMode.MEMORY)


def _service(address: str) -> Any:
    """What Apprise makes of an address; None where it is none."""
    from apprise import Apprise as Client  # noqa: PLC0415 - see above: it takes 30 MB

    return Client.instantiate(address, asset=_asset())


def _notified(service: Any, outgoing: Outgoing) -> bool:
    """Whether the service took it."""
    from apprise import Apprise as Client  # noqa: PLC0415 - the same
    from apprise import NotifyType  # noqa: PLC0415

    kind = NotifyType.FAILURE if outgoing.severity >= Severity.SERIOUS else NotifyType.WARNING
    title, body = plain(" ".join(outgoing.subject.split())), plain(outgoing.text) or " "
    return bool(Client(service).notify(body=body, title=title, notify_type=kind, interpret_escapes=False))


async def _in_a_thread(work: Callable[[], Result], ended: Callable[[], None]) -> Result:
    """``work``'s answer; RuntimeError where no thread can be had. Whoever waits can leave; ``ended`` is called when the thread itself is done.

    A daemon: a service that never ends its answer must not keep the gateway from ending.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result) -> None:
        if not answer.done():
            answer.set_result(result)

    def run() -> None:
        try:
            result = work()
        finally:
            ended()
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=run, name="apprise", daemon=True).start()
    return await answer


CHANNEL = Apprise
