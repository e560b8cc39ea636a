"""Drained: what waits in the persistent session is stored, how fast? By the gateway, by the least that could be done, by a peer.

Each of the three has a broker of its own, to which the same messages are published while it is away: a session is made, left,
filled, and taken up again. The gateway's time runs from its first row to its last commit. The ceiling is ``mosquitto_sub``
into ``psql COPY``: no validation, no rules, no identity, nothing kept back when it fails.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from gateway.embedded import Broker, installation
from gateway.seed import SITE
from tests.bench.load import publish
from tests.bench.node_red import NodeRed
from tests.bench.profile import Profile
from tests.bench.report import commit
from tests.bench.stage import Looking, Stage, looking, peak_mb, say, until
from tests.support.wire import Said, Wire

FIRST = 60.0
"""Seconds to the first row at most: until the gateway is up, and has taken up its session."""
RED_STORED = "SELECT count(*) FROM node_red"


@dataclass(frozen=True, slots=True)
class Drained:
    """Messages a second, and the gateway's memory at most."""

    per_second: float
    rss_mb: float = 0.0


async def by_the_gateway(stage: Stage, devices: int, said: Sequence[Said], profile: Path | None) -> Drained:
    _, url = await stage.town(devices, "drain")
    with stage.broker("drain-broker") as broker, stage.accounts.of(url) as account:
        look = account.look
        with stage.gateway("drain-first", url, broker) as gateway:
            gateway.start()
            await gateway.connected()
            await gateway.stop()
        account.said = len(set(said))
        _fill(said, broker)
        with stage.gateway("drain", url, broker) as gateway:
            gateway.start()
            await until(lambda: look.begun() > 0 or not gateway.running, every=0.005, seconds=FIRST)
            first, before = look.begun(), stage.spent(gateway.pid, broker)
            with Profile(gateway.pid, profile) as seen:
                end = await account.stored()
            told = stage.spent(gateway.pid, broker).since(before).told(account.said - first)
            drained = min(look.begun(), account.said) - first
            say(told)
            seen.write(
                f"{datetime.now(UTC):%d %B %Y, %H:%M}, commit {commit()}", f"{drained} messages drained. {told}."
            )
            rss = peak_mb(gateway.pid)
            await account.settled()
            await gateway.stop()
    return Drained(drained / (end - before.clock), rss)


async def by_the_ceiling(stage: Stage, said: Sequence[Said]) -> Drained:
    url = stage.postgres.url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE ceiling (topic text, payload text)")
    with stage.broker("ceiling-broker") as broker:
        session = f"mosquitto_sub -h {broker.host} -p {broker.port} -c -i bench-ceiling -q 1 -t 'hv/v1/{SITE}/#'"
        await _shell(f"{session} -E", stage.folder)  # until its subscription is acknowledged
        _fill(said, broker)
        psql = f"{installation()}/bin/psql '{url}' -q -c 'COPY ceiling FROM STDIN'"
        begun = time.monotonic()
        await _shell(f"{session} -F '%t\t%p' -C {len(said)} | {psql}", stage.folder)
        seconds = time.monotonic() - begun
    return Drained(len(said) / seconds)


async def by_node_red(stage: Stage, said: Sequence[Said]) -> Drained | None:
    """None where there is no Node.js, or its packages cannot be had; a line says why."""
    if (missing := NodeRed.missing()) is not None:
        say(f"Node-RED is not measured: {missing}")
        return None
    with psycopg.connect(stage.postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE node_red (id bigint GENERATED ALWAYS AS IDENTITY, topic text, payload text)")
    folder = stage.folder / "node-red"
    with stage.broker("node-red-broker") as broker, looking(stage.postgres.url) as look:
        with NodeRed(folder, broker, stage.postgres):
            await _hears(broker, look)
        _fill(said, broker)
        look.run("TRUNCATE node_red RESTART IDENTITY")
        with NodeRed(folder, broker, stage.postgres):
            await until(lambda: look.number(RED_STORED) > 0, every=0.01)
            begun, first = time.monotonic(), look.number(RED_STORED)
            await until(lambda: look.number(RED_STORED) >= len(said), every=0.05)
            seconds = time.monotonic() - begun
    return Drained((len(said) - first) / seconds)


async def _hears(broker: Broker, look: Looking) -> None:
    """Until what is published arrives: the session has its subscription."""
    with Wire(broker.host, broker.port, "bench-probe") as wire:
        while look.number(RED_STORED) == 0:
            wire.publish([(f"hv/v1/{SITE}/probe", b"{}")])
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)


def _fill(said: Sequence[Said], broker: Broker) -> None:
    begun = time.monotonic()
    publish(broker.host, broker.port, said)
    say(f"published and acknowledged: {len(said)} in {time.monotonic() - begun:.1f} s")


async def _shell(command: str, folder: Path) -> None:
    """Run it to its end; a failure is ours."""
    process = await asyncio.create_subprocess_shell(command, cwd=folder)
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.kill()
        raise
    if code != 0:
        raise subprocess.CalledProcessError(code, command)
