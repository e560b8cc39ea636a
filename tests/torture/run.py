"""A run: devices talk, blows fall, everything is let heal, and what is stored is judged against what was promised."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from gateway.embedded import EmbeddedPostgres
from gateway.store.migrate import migrate
from tests.support.processes import rows
from tests.torture import stored, town, verdict
from tests.torture.plan import Blow, How, parts
from tests.torture.publisher import Memory, Publisher, Speaker
from tests.torture.servers import Servers, running
from tests.torture.stored import Print, Stored
from tests.torture.verdict import Finding, Told

TICK = 0.1
BURSTS = (0.0, 0.0, 0.0, 1.0, 4.0)
"""How much of what is due on average is said at once: nothing mostly, and now and then a lot."""
CONNECTIONS = 8
HEALS_WITHIN = 45.0
"""Seconds in which something must get better: longer than any time-out and any patience there is."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What is asked for. ``rate``: messages a second on average; ``longest_pause``: seconds between two blows; ``hows``:
    which sorts of blows."""

    times: int = 100
    seed: int = 7
    gateways: int = 2
    devices: int = 600
    rate: float = 300
    longest_pause: float = 6.0
    hows: frozenset[How] = frozenset(How)


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    told: Told
    stored: Stored
    findings: Sequence[Finding]
    blows: Sequence[Blow]
    ended_by_themselves: int
    seconds: float

    @property
    def figures(self) -> dict[str, Any]:
        """The counts, by name."""
        memory, kept = self.told.memory, self.stored
        return {
            "blows": len(self.blows),
            "kills": sum(each.how is How.KILL for each in self.blows),
            "said": len(memory.said),
            "sendings": memory.sendings,
            "acknowledged": len(memory.acknowledged),
            "promised_by_the_broker": len(self.told.promised),
            "receipted": len(memory.receipted),
            "stored": len(kept.messages),
            "alarms": sum(each.alarm for each in memory.said.values()),
            "alerts": len(kept.alerts),
            "pages_handed_over": sum(each.state in verdict.HANDED_OVER for each in kept.pages),
            "mails": len(self.told.mails),
            "ended_by_themselves": self.ended_by_themselves,
            "seconds": round(self.seconds),
            "findings": verdict.by_invariant(self.findings),
        }

    def __str__(self) -> str:
        figures = self.figures
        broken = (
            f"{len(self.findings)} findings" if self.findings else "nothing lost, nothing doubled, no invariant broken"
        )
        return (
            f"torture: {broken} in {figures['blows']} blows ({figures['kills']} times kill −9) and {figures['seconds']} s: "
            f"{figures['said']:,} messages said, {figures['receipted']:,} receipted, {figures['acknowledged']:,} acknowledged, "
            f"{figures['stored']:,} stored once; {figures['alarms']:,} alarms in {figures['alerts']:,} alerts, "
            f"{figures['pages_handed_over']:,} pages handed over."
        )


@dataclass
class _Run:
    """A run that is under way."""

    options: Options
    servers: Servers
    publishers: Sequence[Publisher]
    owners: dict[str, Publisher]
    speakers: Sequence[Speaker]
    memory: Memory
    random: Random
    tell: Tell
    prints: list[Print] = field(default_factory=list)
    done: int = 0

    @property
    def backlog(self) -> int:
        return sum(each.backlog for each in self.publishers)

    @property
    def kept(self) -> set[Any]:
        return set[Any]().union(*(each.outstanding for each in self.publishers))


async def torture(folder: Path, postgres: EmbeddedPostgres, options: Options, tell: Tell) -> Outcome:
    """All of it, on an empty database server; the other servers are its own, in this folder. ``tell`` is given a line for
    each blow."""
    begun = time.monotonic()
    stays, falls = parts(options.times, options.seed, options.gateways, options.longest_pause, options.hows)
    await migrate(postgres.url)
    speakers = await town.build(postgres.url, options.devices)
    async with (
        running(folder, postgres, options.gateways) as servers,
        _talking(options, servers, speakers, tell) as run,
    ):
        await _until_none(lambda: _deaf_lanes(run))
        for blows, broker_falls in ((stays, False), (falls, True)):
            await _part(run, blows, promised=not broker_falls)
            if await _unsettled(run):
                break  # a broker that is killed now would take with it what it has promised, and nobody else would be to blame
        await _until_none(lambda: _unsent(run))
        told = Told(run.memory, frozenset(run.kept), _mails(servers))
    kept = await stored.read(postgres.url, run.prints)
    ended = sum(len(node.ended_by_itself) for node in servers.nodes)
    findings = verdict.judge(told, kept)
    return Outcome(told, kept, findings, (*stays, *falls), ended, time.monotonic() - begun)


@asynccontextmanager
async def _talking(options: Options, servers: Servers, speakers: Sequence[Speaker], tell: Tell) -> AsyncIterator[_Run]:
    """Publishers that are connected for the block."""
    memory = Memory()
    shares = [speakers[index::CONNECTIONS] for index in range(CONNECTIONS)]
    publishers = [Publisher(f"torture-{n}", servers.publishers.port, share, memory) for n, share in enumerate(shares)]
    owners = {each.address.address: publishers[index % CONNECTIONS] for index, each in enumerate(speakers)}
    tasks = [asyncio.create_task(each.run()) for each in publishers]
    try:
        yield _Run(options, servers, publishers, owners, speakers, memory, Random(options.seed), tell)
    finally:
        await _ended(tasks)


async def _part(run: _Run, blows: Sequence[Blow], *, promised: bool) -> None:
    """Blows under load, and then peace, until nothing is outstanding."""
    talk = asyncio.create_task(_talk(run, promised=promised))
    strikes: list[asyncio.Task[None]] = []
    try:
        for blow in blows:
            await asyncio.sleep(blow.pause)
            run.done += 1
            _tell_of(run, blow)
            strikes.append(asyncio.create_task(run.servers.strike(blow)))
        await asyncio.gather(*strikes)
    finally:
        await _ended([talk, *strikes])
    run.tell(f"peace: {run.backlog:,} messages are still kept by their devices")
    await _until_none(lambda: _unsettled(run))
    run.prints.append(await stored.print_of(run.servers.postgres.url))


async def _talk(run: _Run, *, promised: bool) -> None:
    """Something is said all the time. Where the broker's word is a promise, every other device trusts it."""
    words = town.words(run.speakers, run.random)
    owed = 0.0
    while True:
        owed += run.options.rate * TICK * run.random.choice(BURSTS)
        for _ in range(math.floor(owed)):
            speaker, said = next(words)
            trusting = promised and _number(speaker) % 2 == 0
            run.owners[speaker.address.address].say(speaker, said, trusting=trusting, promised=promised)
        owed -= math.floor(owed)
        await asyncio.sleep(TICK)


def _number(speaker: Speaker) -> int:
    """The number in its address."""
    return int(speaker.address.address.rpartition("-")[2])


async def _deaf_lanes(run: _Run) -> int:
    """Lanes that nobody listens to yet. Afterwards the broker keeps what comes."""
    found = await rows(
        run.servers.postgres.url,
        """SELECT count(*) AS n FROM site s CROSS JOIN unnest(ARRAY['alarm', 'bulk']) AS u (lane)
           LEFT JOIN site_lane l ON l.site_id = s.id AND l.lane = u.lane WHERE l.heard_until IS NULL""",
    )
    return int(found[0]["n"])


async def _unsettled(run: _Run) -> int:
    """Messages that devices still keep, and promised ones that are not stored yet."""
    promised = run.memory.receipted | Told(run.memory, frozenset(), frozenset()).promised
    return run.backlog + len(promised - (await stored.messages(run.servers.postgres.url)).keys())


async def _unsent(run: _Run) -> int:
    """Pages that have not left, also those whose gateway was killed while it sent them."""
    return await stored.unsettled(run.servers.postgres.url)


def _tell_of(run: _Run, blow: Blow) -> None:
    memory = run.memory
    counted = (
        f"{len(memory.said):,} said, {len(memory.acknowledged):,} acknowledged, {len(memory.receipted):,} receipted"
    )
    run.tell(f"{run.done:>4} of {run.options.times}: {blow} – {counted}, {run.backlog:,} kept")


def _mails(servers: Servers) -> frozenset[str]:
    """The pages that the mail server has seen, by the uid in each mail's id."""
    return frozenset(str(each["Message-ID"]).strip("<> ").partition("@")[0] for each in servers.mail.messages)


async def _until_none(left: Callable[[], Awaitable[int]]) -> None:
    """Until nothing is left, or what is left has not become less for a while: then it is a finding."""
    least, since = math.inf, time.monotonic()
    while (now_left := await left()) and time.monotonic() - since < HEALS_WITHIN:
        if now_left < least:
            least, since = now_left, time.monotonic()
        await asyncio.sleep(0.5)


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    every = list(tasks)
    for task in every:
        task.cancel()
    await asyncio.gather(*every, return_exceptions=True)
