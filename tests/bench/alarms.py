"""Alarms: from a device's publish to the page at its channel, idle and with telemetry behind it.

A device of a home of its own presses, and the next one when the first one's page has come: each makes an alert and a page of
its own. The channel is the real one for e-mail, and its server is ours: the page is handed to the channel when it connects,
and accepted when the mail is there. Both ends are in this process, so that one clock measures; telemetry comes from another.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from random import Random

import psycopg

from gateway.embedded import LOOPBACK, Broker
from tests.bench.live import speaking
from tests.bench.load import ALARMS, alarm
from tests.bench.stage import Stage, looking, say
from tests.bench.town import Town
from tests.support.wire import Wire

PAGE_LIMIT = 10.0
"""Seconds after which a page is missing."""
WARM_UP = 5
"""Alarms that are not counted: the first ones make plans and connections."""
LINK = re.compile(r"/alerts/([0-9a-f-]{36})")


@dataclass(frozen=True, slots=True)
class Reached:
    """Milliseconds from publish to page, sorted; ``missing``: alarms without one."""

    handed: list[float]
    accepted: list[float]
    missing: int

    def handed_ms(self, percent: int) -> float:
        return _percentile(self.handed, percent)


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
        writer.close()

    def _take(self, mail: bytes, connected: float) -> None:
        given = time.monotonic()
        found = LINK.search(message_from_bytes(mail, policy=policy.SMTP).get_content())
        if found is not None:
            self.first.setdefault(found[1], Mail(connected, given))
            self._new.set()


async def alarms(stage: Stage, devices: int, count: int, per_second: float) -> tuple[Reached, Reached]:
    """Idle, and with so many messages a second of telemetry published behind it."""
    town, url = await stage.town(devices, "alarms")
    pressed = _each_in_its_home(town, 2 * (count + WARM_UP))
    async with MailServer().running() as mails:
        smtp = {"smtp_host": LOOPBACK, "smtp_port": mails.port}
        with stage.broker("alarms-broker") as broker, stage.gateway("alarms", url, broker, **smtp) as gateway:
            gateway.start()
            await gateway.connected()
            idle = await _press(town.site, pressed[: count + WARM_UP], broker, url, mails)
            loaded = await _press_under_load(stage, town, pressed[count + WARM_UP :], broker, url, mails, per_second)
            await gateway.stop()
    return idle, loaded


async def _press_under_load(
    stage: Stage,
    town: Town,
    devices: Sequence[tuple[str, str]],
    broker: Broker,
    url: str,
    mails: MailServer,
    per_second: float,
) -> Reached:
    with looking(url) as look:
        async with speaking(
            "steady", broker, len(town.devices), seed=3, per_second=per_second, alarm_share=0
        ) as telemetry:
            await asyncio.sleep(2.0)
            begun, before = time.monotonic(), look.begun()
            reached = await _press(town.site, devices, broker, url, mails)
            behind = (look.begun() - before) / (time.monotonic() - begun)
            told = await telemetry.ended()
    say(f"telemetry behind it: {told['per_s']}/s published, {behind:.0f}/s stored (asked for: {per_second:.0f}/s)")
    return reached


async def _press(site: str, devices: Sequence[tuple[str, str]], broker: Broker, url: str, mails: MailServer) -> Reached:
    """One after the other, with a pause of chance between them: no beat of the gateway's is met again and again."""
    random, pressed = Random(len(mails.first)), dict[str, float]()
    with Wire(broker.host, broker.port, "bench-alarms") as wire:
        for kind, address in devices:
            known = len(mails.first)
            said = alarm(site, kind, address, f"alarm-{address}")
            pressed[address] = time.monotonic()
            wire.publish([said])
            await mails.next_one(known, PAGE_LIMIT)
            wire.received(0)
            await asyncio.sleep(random.uniform(0.02, 0.12))
    return _reached(list(pressed.items())[WARM_UP:], _alert_of(url), mails)


def _alert_of(url: str) -> dict[str, str]:
    """The first alert of each device, by its address."""
    with psycopg.connect(url, autocommit=True) as connection:
        query = "SELECT d.address, a.uid::text FROM alert a JOIN device d ON d.id = a.device_id ORDER BY a.id DESC"
        return dict(connection.execute(query).fetchall())


def _reached(pressed: Sequence[tuple[str, float]], alert_of: dict[str, str], mails: MailServer) -> Reached:
    found = [(at, mails.first.get(alert_of.get(address, ""))) for address, at in pressed]
    handed = sorted(1000 * (mail.connected - at) for at, mail in found if mail is not None)
    accepted = sorted(1000 * (mail.given - at) for at, mail in found if mail is not None)
    return Reached(handed, accepted, len(found) - len(handed))


def _each_in_its_home(town: Town, count: int) -> list[tuple[str, str]]:
    """Devices of different homes that can call for help. A second alarm of a resident may join the first one's alert."""
    devices = [each for each in town.devices if each[0] in ALARMS]
    kinds = sorted(ALARMS)
    homes = [devices[at : at + len(kinds)] for at in range(0, len(devices), len(kinds))]
    if len(homes) < count:
        raise ValueError(f"{count} alarms need {6 * count} devices, and there are {len(town.devices)}: ask for more")
    return [home[number % len(home)] for number, home in enumerate(homes[:count])]


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Nearest rank; 0 where there is nothing."""
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0
