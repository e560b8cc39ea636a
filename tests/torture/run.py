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
from tests.torture import of_messages, stored, town, verdict
from tests.torture.memory import Memory, Speaker
from tests.torture.of_alerts import HANDED_OVER
from tests.torture.plan import Blow, How, parts
from tests.torture.publisher import Publisher
from tests.torture.servers import Servers, running
from tests.torture.stored import Print, Stored
from tests.torture.told import Finding, Told

TICK = 0.1
BURSTS = (0.0, 0.0, 0.0, 1.0, 4.0)
"""How much of what is due on average is said at once: nothing mostly, and now and then a lot."""
CONNECTIONS = 8
STATE_SHARE = 0.02
"""States, beside each message."""
STANDING = 3 * CONNECTIONS
"""Devices that say nothing but whether they are there; of each connection one is its gate."""
HEALS_WITHIN = 45.0
"""Seconds in which something must get better: longer than any time-out and any patience there is."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What is asked for. ``rate``: messages a second on average; ``longest_pause``: seconds between two blows; ``hows``:
    which sorts of blows; ``alarm_share``: alarms among messages; ``heals_within``: seconds in which something must get better."""

    times: int = 100
    seed: int = 7
    gateways: int = 2
    devices: int = 600
    rate: float = 300
    longest_pause: float = 6.0
    hows: frozenset[How] = frozenset(How)
    alarm_share: float = town.ALARM_SHARE
    heals_within: float = HEALS_WITHIN


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    told: Told
    stored: Stored
    findings: Sequence[Finding]
    seconds: float

    @property
    def figures(self) -> dict[str, Any]:
        """The counts, by name."""
        memory, kept, struck = self.told.memory, self.stored, self.told.struck
        return {
            "blows": len(struck),
            "planned": self.told.planned,
            "kills": sum(each.how is How.KILL for each in struck),
            "said": len(memory.said),
            "sendings": memory.sendings,
            "acknowledged": len(memory.acknowledged),
            "promised_by_the_broker": len(memory.promised),
            "receipted": len(memory.receipted),
            "stored": len(kept.messages),
            "alarms": sum(each.alarm for each in memory.said.values()),
            "alerts": len(kept.alerts),
            "joined": sum(each.code == "evidence_joined" for each in kept.entries),
            "states": sum(each.times for each in kept.idless),
            "states_promised": memory.states.promised.total(),
            "pages_handed_over": sum(each.state in HANDED_OVER for each in kept.pages),
            "mails": len(self.told.mails),
            "ended_by_themselves": len(self.told.ended),
            "seconds": round(self.seconds),
            "findings": verdict.by_invariant(self.findings),
        }

    def __str__(self) -> str:
        figures = self.figures
        broken = (
            f"{len(self.findings)} findings" if self.findings else "nothing lost, nothing doubled, no invariant broken"
        )
        short = figures["blows"] < figures["planned"]
        blows = f"{figures['blows']} of {figures['planned']} blows" if short else f"{figures['blows']} blows"
        ended = f"; gateways ended by themselves {len(self.told.ended)} times" if self.told.ended else ""
        return (
            f"torture: {broken} in {blows} ({figures['kills']} times kill −9) and {figures['seconds']} s: "
            f"{figures['said']:,} messages said, {figures['receipted']:,} receipted, {figures['acknowledged']:,} acknowledged, "
            f"{figures['stored']:,} stored, {figures['states']:,} states; "
            f"{figures['alarms']:,} alarms in {figures['alerts']:,} alerts, "
            f"{figures['pages_handed_over']:,} pages handed over{ended}."
        )


@dataclass
class _Run:
    """A run that is under way."""

    options: Options
    servers: Servers
    publishers: Sequence[Publisher]
    owners: dict[str, Publisher]
    talking: Sequence[asyncio.Task[None]]
    speakers: Sequence[Speaker]
    standing: Sequence[Speaker]
    memory: Memory
    random: Random
    tell: Tell
    prints: list[Print] = field(default_factory=list)
    begun: int = 0
    struck: list[Blow] = field(default_factory=list)

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
    people = await town.build(postgres.url, options.devices, standing=STANDING)
    async with running(folder, postgres, options.gateways) as servers:
        await _until_none(lambda: _deaf_lanes(postgres.url), HEALS_WITHIN)
        async with _talking(options, servers, people, tell) as run:
            for blows, broker_falls in ((stays, False), (falls, True)):
                await _part(run, blows, promised=not broker_falls)
                if await _unsettled(run):
                    break  # a broker that is killed now would take with it what it has promised, and nobody else would be to blame
            await _hang_up(run)
            await _until_none(lambda: _unsent(run), options.heals_within)
    told = Told(
        run.memory,
        frozenset(run.kept),
        servers.mails,
        len(stays) + len(falls),
        tuple(run.struck),
        servers.ended_by_themselves,
    )
    kept = await stored.read(postgres.url, run.prints)
    return Outcome(told, kept, verdict.judge(told, kept), time.monotonic() - begun)


@asynccontextmanager
async def _talking(options: Options, servers: Servers, people: town.People, tell: Tell) -> AsyncIterator[_Run]:
    """Publishers that are connected for the block, each with devices and a gate of its own."""
    memory, port = Memory(), servers.publishers.port
    gates, others = people.standing[:CONNECTIONS], people.standing[CONNECTIONS:]
    talkers = [*people.speakers, *others]
    publishers = [
        Publisher(f"torture-{index}", port, talkers[index::CONNECTIONS], gate, memory)
        for index, gate in enumerate(gates)
    ]
    owners = {each.address.address: publishers[index % CONNECTIONS] for index, each in enumerate(talkers)}
    tasks = [asyncio.create_task(each.run()) for each in publishers]
    try:
        yield _Run(
            options, servers, publishers, owners, tasks, people.speakers, others, memory, Random(options.seed), tell
        )
    finally:
        await _ended(tasks)


async def _hang_up(run: _Run) -> None:
    """Nobody says anything any more; the broker says of the gates that they are gone."""
    await _ended(run.talking)
    for each in run.publishers:
        each.is_gone()
    await _until_none(lambda: _wrong_states(run), run.options.heals_within)


async def _part(run: _Run, blows: Sequence[Blow], *, promised: bool) -> None:
    """Blows under load, and then peace, until nothing is outstanding."""
    talk = asyncio.create_task(_talk(run, promised=promised))
    strikes: list[asyncio.Task[None]] = []
    try:
        for blow in blows:
            await asyncio.sleep(blow.pause)
            run.begun += 1
            _tell_of(run, blow)
            strikes.append(asyncio.create_task(_strike(run, blow)))
        await asyncio.gather(*strikes)
    finally:
        await _ended([talk, *strikes])
    run.tell(f"peace: {run.backlog:,} messages are still kept by their devices")
    await _until_none(lambda: _unsettled(run), run.options.heals_within)
    run.prints.append(await stored.print_of(run.servers.postgres.url))


async def _strike(run: _Run, blow: Blow) -> None:
    """What is counted is what fell."""
    if await run.servers.strike(blow):
        run.struck.append(blow)
    else:
        run.tell(f"{blow}: it had ended by itself")


async def _talk(run: _Run, *, promised: bool) -> None:
    """Something is said all the time. Where the broker's word is a promise, every other device trusts it."""
    words = town.words(run.speakers, run.random, run.options.alarm_share)
    owed = 0.0
    while True:
        owed += run.options.rate * TICK * run.random.choice(BURSTS)
        for _ in range(math.floor(owed)):
            speaker, said = next(words)
            trusting = promised and _number(speaker) % 2 == 0
            run.owners[speaker.address.address].say(speaker, said, trusting=trusting, promised=promised)
            if run.random.random() < STATE_SHARE:
                _say_state(run, promised=promised)
        owed -= math.floor(owed)
        await asyncio.sleep(TICK)


def _say_state(run: _Run, *, promised: bool) -> None:
    """Some device is there, or is not: perhaps once more."""
    speaker = run.random.choice(run.standing)
    run.owners[speaker.address.address].state(speaker, online=run.random.random() < 0.5, promised=promised)


def _number(speaker: Speaker) -> int:
    """The number in its address."""
    return int(speaker.address.address.rpartition("-")[2])


async def _deaf_lanes(url: str) -> int:
    """Lanes that nobody listens to yet. Afterwards the broker keeps what comes, and its word is a promise."""
    found = await rows(
        url,
        """SELECT count(*) AS n FROM site s CROSS JOIN unnest(ARRAY['alarm', 'bulk']) AS u (lane)
           LEFT JOIN site_lane l ON l.site_id = s.id AND l.lane = u.lane WHERE l.heard_until IS NULL""",
    )
    return int(found[0]["n"])


async def _unsettled(run: _Run) -> int:
    """Messages that devices still keep, promised ones that are not stored yet, and states that are not as they were said."""
    url, memory = run.servers.postgres.url, run.memory
    messages = (memory.receipted | memory.promised) - await stored.words(url)
    states = of_messages.missing(memory.states, await stored.idless(url)).total()
    unheard = sum(each.unheard for each in run.publishers)
    return run.backlog + len(messages) + states + unheard + await _wrong_states(run)


async def _wrong_states(run: _Run) -> int:
    return len(of_messages.wrong(run.memory.states, await stored.online(run.servers.postgres.url)))


async def _unsent(run: _Run) -> int:
    """Pages that have not left, also those whose gateway was killed while it sent them."""
    return await stored.unsettled(run.servers.postgres.url)


def _tell_of(run: _Run, blow: Blow) -> None:
    memory = run.memory
    counted = (
        f"{len(memory.said):,} said, {len(memory.acknowledged):,} acknowledged, {len(memory.receipted):,} receipted"
    )
    run.tell(f"{run.begun:>4} of {run.options.times}: {blow} – {counted}, {run.backlog:,} kept")


async def _until_none(left: Callable[[], Awaitable[int]], seconds: float) -> None:
    """Until nothing is left, or what is left has not become less for so long: then it is a finding."""
    least, since = math.inf, time.monotonic()
    while (now_left := await left()) and time.monotonic() - since < seconds:
        if now_left < least:
            least, since = now_left, time.monotonic()
        await asyncio.sleep(0.5)


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    every = list(tasks)
    for task in every:
        task.cancel()
    await asyncio.gather(*every, return_exceptions=True)
