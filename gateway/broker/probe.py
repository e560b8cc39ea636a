"""Trying a broker: a throw-away session goes away, misses messages, and comes back.

Rules
    It disturbs nobody: sessions and topics of its own, beside the canaries' and below what the access list gives the
    gateway; little things, in small handfuls, so that whoever else runs here waits for milliseconds at most; and whatever
    happens, the session is gone in the end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

import structlog

from gateway.broker.check import AHEAD, Found, Witness
from gateway.clock import Clock, monotonic, pause
from gateway.errors import GatewayError
from gateway.frames import Delivery
from gateway.mqtt import BrokerSettings, Granted, Link, LinkLost, try_out

log = structlog.get_logger()

LONGEST = 60.0
"""Seconds for the whole of it; more where more than usual is tried."""
HANDFUL = 20
BREATH = 0.01
"""Seconds between two handfuls."""
QUIET = 0.5
"""Seconds without a message after which a broker waits for our word."""
LATE = 0.1
"""Seconds after which a time-out comes late."""
ASK_AGAIN = 1.0
PATIENCE = 10.0
"""Seconds for a message to ourselves to come back."""
END = -1
SYSTEM = ("$SYS/broker/uptime", "$SYS/broker/version")


class NotTried(GatewayError):
    """The broker could not be tried; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a broker is tried. ``name`` keeps two who try the same broker apart."""

    broker: BrokerSettings
    site: str
    name: str = "check"

    @property
    def session(self) -> str:
        return f"hjemmevakt-{self.site}-{self.name}"

    def topic(self, last: str = "") -> str:
        return f"hv/v1/{self.site}/gateway/{last or self.name}/canary"

    @property
    def witness(self) -> str:
        return self.topic("witness")


async def probe(place: Place, clock: Clock, messages: int) -> Found:
    """Try the broker; it keeps a witness afterwards. NotTried when it cannot be done."""
    try:
        async with asyncio.timeout(LONGEST + messages / 100):
            found = await _probe(place, clock, messages)
            if found.session_kept and found.came == found.sent and found.in_order and found.fills_our_hands:
                return found
            # Somebody who tries it at the same time ends our session, and perhaps makes it anew: it is there, and what was
            # sent meanwhile is not; and one that is busy may pause as if it waited for us. So nothing is said against a broker
            # before it was tried again, and where nobody else is.
            # The witness it found is of before, while the second trial finds what the first one has left.
            log.info("broker.tried_again", sent=found.sent, came=found.came, kept=found.session_kept)
            alone = replace(place, name=f"{place.name}-{uuid4().hex[:8]}")
            return replace(await _probe(alone, clock, messages), witness=found.witness)
    except LinkLost as error:
        raise NotTried(f"the broker cannot be tried: {error}") from None
    except OSError as error:
        raise NotTried(f"the broker cannot be reached: {error.strerror or error}") from None
    except TimeoutError:
        told = f"the broker takes too long, or does not hand us our own messages on {place.topic()}"
        raise NotTried(f"{told}: may the gateway's account read and write them?") from None


async def _probe(place: Place, clock: Clock, messages: int) -> Found:
    run = uuid4().hex
    async with _throw_away(place, clock):
        granted = await _go_away(place, clock)
        witness, left, system = await _send(place, clock, run, messages)
        kept, ahead, numbers = await _come_back(place, clock, run)
    return Found(
        granted=granted,
        session_kept=kept,
        sent=messages,
        came=len(set(numbers)),
        in_order=numbers == sorted(numbers),
        ahead=ahead,
        witness=witness,
        left=left,
        uptime=_seconds(system.get(SYSTEM[0], "")),
        release=system.get(SYSTEM[1]),
    )


@asynccontextmanager
async def _throw_away(place: Place, clock: Clock) -> AsyncIterator[None]:
    """The session is not there before, and not after."""
    async with try_out(place.broker, place.session, clock, keep=False):
        pass
    try:
        yield
    finally:
        with suppress(LinkLost, OSError):
            async with try_out(place.broker, place.session, clock, keep=False):
                pass


async def _go_away(place: Place, clock: Clock) -> Granted | None:
    """Subscribe, and leave."""
    async with try_out(place.broker, place.session, clock) as trying:
        await trying.link.subscribe([place.topic()])
        return trying.granted


async def _send(
    place: Place, clock: Clock, run: str, messages: int
) -> tuple[Witness | None, Witness | None, dict[str, str]]:
    """What waits for the session; and from the same connection the witness that is there, the one that is there afterwards,
    and what the broker says of itself."""
    async with try_out(place.broker, f"{place.session}-sender", clock, keep=False) as trying:
        for number in range(messages - 1):
            trying.link.publish_behind(place.topic(), _numbered(run, number))
            if number % HANDFUL == HANDFUL - 1:
                await pause(BREATH)
        await trying.link.publish(place.topic(), _numbered(run, messages - 1))  # acknowledged: so are those before
        with suppress(LinkLost):  # not every broker has them, or lets us
            await trying.link.subscribe(SYSTEM)
        kept = await _retained(trying.link, place, run)
        witness = left = _witness(kept.pop(place.witness, b""))
        if witness is None and (trying.granted is None or trying.granted.retains):
            left = Witness(run, clock.now().replace(microsecond=0))
            await trying.retain(place.witness, _testimony(left))
        return witness, left, {topic: payload.decode(errors="replace") for topic, payload in kept.items()}


async def _retained(link: Link, place: Place, run: str) -> dict[str, bytes]:
    """What the broker has kept of what we look at: it comes before what is sent after the subscription."""
    echo = place.topic(f"{place.name}-echo")
    await link.subscribe([place.witness, echo])
    await link.publish(echo, run.encode())
    found: dict[str, bytes] = {}
    async with asyncio.timeout(PATIENCE):
        while True:
            batch = await link.batch(HANDFUL)
            link.acknowledge(batch)
            found |= {each.message.topic: each.message.payload for each in batch}
            if found.get(echo) == run.encode():
                del found[echo]
                return found


async def _come_back(place: Place, clock: Clock, run: str) -> tuple[bool, int, list[int]]:
    """Whether the session was there, how many came before any was acknowledged (we stop to count where it is enough), and which,
    in their order."""
    async with try_out(place.broker, place.session, clock) as trying:
        link = trying.link
        await link.subscribe([place.topic()])
        first = await _until_quiet(link)
        link.acknowledge(first)
        end = asyncio.create_task(_say_the_end(link, place.topic(), run))
        try:
            rest = await _until_the_end(link, run)
        finally:
            end.cancel()
            await asyncio.wait([end])
    numbers = [_number(each.message.payload, run) for each in first]
    return link.resumed, len(first), [*(each for each in numbers if each is not None), *rest]


async def _until_quiet(link: Link) -> list[Delivery]:
    """What comes before the broker waits for us. A time-out that came late is none: it was we who stood still."""
    found: list[Delivery] = []
    while len(found) < AHEAD:
        began = monotonic()
        try:
            async with asyncio.timeout(QUIET):
                found += await link.batch(HANDFUL)
        except TimeoutError:
            if monotonic() - began < QUIET + LATE:
                break
    return found


async def _say_the_end(link: Link, topic: str, run: str) -> None:
    """Again and again: where the queue is full, it is dropped like everything else."""
    while True:
        link.publish_behind(topic, _numbered(run, END))
        await pause(ASK_AGAIN)


async def _until_the_end(link: Link, run: str) -> list[int]:
    numbers: list[int] = []
    while True:
        async with asyncio.timeout(PATIENCE):
            batch = await link.batch(HANDFUL)
        link.acknowledge(batch)
        for each in batch:
            number = _number(each.message.payload, run)
            if number == END:
                return numbers
            if number is not None:
                numbers.append(number)
        await pause(0)


# What is said -------------------------------------------------------------------------------------------------------


def _numbered(run: str, number: int) -> bytes:
    return f"{run} {number}".encode()


def _number(payload: bytes, run: str) -> int | None:
    """None for what another run has left behind."""
    name, _, number = payload.decode(errors="replace").partition(" ")
    return int(number) if name == run and number.lstrip("-").isdecimal() else None


def _testimony(witness: Witness) -> bytes:
    return json.dumps({"name": witness.name, "since": witness.since.isoformat()}).encode()


def _witness(payload: bytes) -> Witness | None:
    """None where there is none, or only something that sits in its place."""
    try:
        told = json.loads(payload)
        since = datetime.fromisoformat(told["since"])
        return Witness(str(told["name"]), since.astimezone(UTC)) if since.tzinfo else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _seconds(uptime: str) -> float | None:
    """As Mosquitto says it: "12 seconds"."""
    first = uptime.partition(" ")[0]
    return float(first) if first.isdecimal() else None
