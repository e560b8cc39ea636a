"""Alarms: from a device's publish to the page at its channel, idle and with telemetry behind it.

A device of a home of its own presses, and the next one when the first one's page has come: each makes an alert and a page of
its own. The channel is the real one for e-mail, and its server is ours: the page is handed to the channel when it connects,
and accepted when the mail is there. Both ends are in this process, so that one clock measures; telemetry comes from another.

An alarm without a page is lost, and counts as one that took for ever: a percentile that falls on such a one is none.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes, policy
from random import Random

import psycopg

from gateway.embedded import LOOPBACK, Broker
from tests.bench.account import Account
from tests.bench.live import speaking
from tests.bench.load import ALARMS, alarm
from tests.bench.stage import Stage, say
from tests.bench.town import Town
from tests.support.wire import Wire

GIVE_UP = 3
"""So many alarms after each other without a page, and no more are made."""
WARM_UP = 5
"""Alarms that are not counted: the first ones make plans and connections."""
RUN_UP = 2.0
"""Seconds of telemetry before the first alarm behind which there is some."""
LINK = re.compile(r"/alerts/([0-9a-f-]{36})")


@dataclass(frozen=True, slots=True)
class Reached:
    """Milliseconds from publish to page, sorted; ``missing``: alarms without one."""

    handed: list[float]
    accepted: list[float]
    missing: int

    def handed_ms(self, percent: int) -> float | None:
        """Nearest rank among all alarms; None where that one had no page."""
        rank = min(len(self.handed) + self.missing - 1, (len(self.handed) + self.missing) * percent // 100)
        return self.handed[rank] if 0 <= rank < len(self.handed) else None


@dataclass(frozen=True, slots=True)
class Found:
    """``behind_per_s``: telemetry that was published and stored meanwhile, the lesser of the two."""

    idle: Reached
    loaded: Reached
    behind_per_s: float


@dataclass(frozen=True, slots=True)
class Mail:
    """When the channel connected, and when it had given the mail; monotonic seconds."""

    connected: float
    given: float


class MailServer:
    """As much of SMTP as a mail needs, in few steps. Keeps the first mail of each alert."""

    def __init__(self) -> None:
        self.first: dict[str, Mail] = {}
        self._new = asyncio.Event()
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[MailServer]:
        server = await asyncio.start_server(self._talk, LOOPBACK, 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def next_one(self, known: int, seconds: float) -> None:
        """Until there are mails of more alerts than that, or so long."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.first) <= known:
                    self._new.clear()
                    await self._new.wait()
        except TimeoutError:
            return

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until it hangs up, or the bench ends in the midst of it."""
        with suppress(asyncio.CancelledError, asyncio.IncompleteReadError):
            await self._converse(reader, writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected = time.monotonic()
        writer.write(b"220 bench\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                self._take(await reader.readuntil(b"\r\n.\r\n"), connected)
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 2.0.0 ok\r\n")
            if verb == b"QUIT":
                break

    def _take(self, mail: bytes, connected: float) -> None:
        given = time.monotonic()
        found = LINK.search(message_from_bytes(mail, policy=policy.SMTP).get_content())
        if found is not None:
            self.first.setdefault(found[1], Mail(connected, given))
            self._new.set()


class Buttons:
    """Devices that call for help, one after the other. ``page_limit``: seconds after which a page is missing."""

    def __init__(
        self, site: str, url: str, broker: Broker, mails: MailServer, account: Account, page_limit: float
    ) -> None:
        self._site = site
        self._url = url
        self._broker = broker
        self._mails = mails
        self._account = account
        self._page_limit = page_limit
        account.besides = self._without_page

    async def press(self, devices: Sequence[tuple[str, str]]) -> Reached:
        """With a pause of chance between them: no beat of the gateway's is met again and again."""
        random, pressed, quiet = Random(len(self._mails.first)), dict[str, float](), 0
        with Wire(self._broker.host, self._broker.port, "bench-alarms") as wire:
            for kind, address in devices:
                known = len(self._mails.first)
                said = alarm(self._site, kind, address, f"alarm-{address}")
                pressed[address] = time.monotonic()
                self._account.said += wire.publish([said])
                await self._mails.next_one(known, self._page_limit)
                quiet = quiet + 1 if len(self._mails.first) == known else 0
                if quiet == GIVE_UP:
                    break
                wire.received(0)
                await asyncio.sleep(random.uniform(0.02, 0.12))
        return self._reached(pressed)

    def _reached(self, pressed: Mapping[str, float]) -> Reached:
        """Without the first ones, but for those that had no page."""
        mail_of = self._mail_of()
        found = [(at, mail_of.get(address)) for address, at in pressed.items()]
        counted = [(at, mail) for at, mail in found[WARM_UP:] if mail is not None]
        handed = sorted(1000 * (mail.connected - at) for at, mail in counted)
        accepted = sorted(1000 * (mail.given - at) for at, mail in counted)
        return Reached(handed, accepted, sum(mail is None for _, mail in found))

    def _without_page(self) -> int:
        """Alarms that are stored and had no page. One that is not stored is lost already."""
        return sum(mail is None for mail in self._mail_of().values())

    def _mail_of(self) -> dict[str, Mail | None]:
        """Of each device whose alarm is stored, by its address: the mail of its first alert."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            query = """SELECT d.address, a.uid::text FROM said s JOIN device d ON d.id = s.device_id
                       LEFT JOIN alert a ON a.device_id = d.id WHERE s.message_id LIKE 'alarm-%' ORDER BY a.id DESC"""
            return {address: self._mails.first.get(uid) for address, uid in connection.execute(query)}


async def alarms(stage: Stage, devices: int, count: int, per_second: float, page_limit: float) -> Found:
    """Idle, and with so many messages a second of telemetry published behind it."""
    town, url = await stage.town(devices, "alarms")
    pressed = _each_in_its_home(town, 2 * (count + WARM_UP))
    async with MailServer().running() as mails:
        smtp = {"smtp_host": LOOPBACK, "smtp_port": mails.port}
        with (
            stage.broker("alarms-broker") as broker,
            stage.accounts.of(url) as account,
            stage.gateway("alarms", url, broker, **smtp) as gateway,
        ):
            buttons = Buttons(town.site, url, broker, mails, account, page_limit)
            gateway.start()
            await gateway.connected()
            idle = await buttons.press(pressed[: count + WARM_UP])
            async with speaking(
                "steady", broker, account, devices, seed=3, per_second=per_second, alarm_share=0
            ) as telemetry:
                loaded, behind = await _under_load(buttons, pressed[count + WARM_UP :], account)
                told = await telemetry.ended()
            await account.stored()
            await account.settled()
            await gateway.stop()
    say(f"telemetry behind it: {told['per_s']}/s published, {behind:.0f}/s stored (asked for: {per_second:.0f}/s)")
    return Found(idle, loaded, min(told["per_s"], behind))


async def _under_load(buttons: Buttons, devices: Sequence[tuple[str, str]], account: Account) -> tuple[Reached, float]:
    """And how much a second was stored meanwhile, without the alarms themselves."""
    await asyncio.sleep(RUN_UP)
    begun, before = time.monotonic(), account.look.stored() - account.said
    reached = await buttons.press(devices)
    seconds = time.monotonic() - begun
    return reached, (account.look.stored() - account.said - before) / seconds


def _each_in_its_home(town: Town, count: int) -> list[tuple[str, str]]:
    """Devices of different homes that can call for help. A second alarm of a resident may join the first one's alert."""
    devices = [each for each in town.devices if each[0] in ALARMS]
    kinds = sorted(ALARMS)
    homes = [devices[at : at + len(kinds)] for at in range(0, len(devices), len(kinds))]
    if len(homes) < count:
        raise ValueError(f"{count} alarms need {6 * count} devices, and there are {len(town.devices)}: ask for more")
    return [home[number % len(home)] for number, home in enumerate(homes[:count])]
