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
from pathlib import Path

import psycopg

from gateway.embedded import Broker, installation
from gateway.seed import SITE
from tests.bench.load import publish
from tests.bench.node_red import NodeRed
from tests.bench.profile import Profile
from tests.bench.stage import Looking, Stage, looking, peak_mb, say, until
from tests.support.wire import Said, Wire

RED_STORED = "SELECT count(*) FROM node_red"


@dataclass(frozen=True, slots=True)
class Drained:
    """``lost`` and ``duplicated``: messages that are not stored, and rows that are too many."""

    per_second: float
    rss_mb: float = 0.0
    lost: int = 0
    duplicated: int = 0


async def by_the_gateway(stage: Stage, devices: int, said: Sequence[Said], profile: Path | None) -> Drained:
    _, url = await stage.town(devices, "drain")
    different = len(set(said))
    with stage.broker("drain-broker") as broker, looking(url) as look:
        with stage.gateway("drain-first", url, broker) as gateway:
            gateway.start()
            await gateway.connected()
            await gateway.stop()
        _fill(said, broker)
        with stage.gateway("drain", url, broker) as gateway:
            gateway.start()
            await until(lambda: look.begun() > 0, every=0.005)
            first, before = look.begun(), stage.spent(gateway.pid, broker)
            with Profile(gateway.pid, profile):
                await until(lambda: look.has(different))
            spent = stage.spent(gateway.pid, broker).since(before)
            say(spent.told(different - first))
            rss = peak_mb(gateway.pid)
            await gateway.stop()
        known, stored = look.known(), look.stored()
    return Drained((different - first) / spent.clock, rss, different - known, stored - known)


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
