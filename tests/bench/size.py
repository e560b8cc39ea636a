"""Size: 100,000 devices fitted, all of them have spoken. How much memory did the gateway need, and how soon is it ready?

Ready is: from the start of the process until both lanes are connected and subscribed, as its log says; the middle one of
several starts.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import islice
from statistics import median

from tests.bench.load import messages, publish
from tests.bench.stage import Stage, peak_mb, say, until
from tests.support.processes import GatewayProcess


@dataclass(frozen=True, slots=True)
class Size:
    """Megabytes at most (VmHWM), and seconds from the start to both lanes connected."""

    rss_mb: float
    ready_s: float


async def size(stage: Stage, devices: int, starts: int) -> Size:
    town, url = await stage.town(devices, "size")
    said = list(islice(messages(town.site, town.devices, seed=4), devices + devices // 50))
    with (
        stage.broker("size-broker") as broker,
        stage.accounts.of(url) as account,
        stage.gateway("size", url, broker) as gateway,
    ):
        ready = [await _ready(gateway)]
        account.said = len(set(said))
        say(f"{devices} devices, {account.said} messages")
        await asyncio.to_thread(publish, broker.host, broker.port, said)
        await account.stored(every=0.1)
        await account.settled()  # the timekeeper looks at what is due, too
        rss = peak_mb(gateway.pid)
        await gateway.stop()
        for _ in range(starts - 1):
            ready.append(await _ready(gateway))
            await gateway.stop()
    return Size(rss, median(ready))


async def _ready(gateway: GatewayProcess) -> float:
    begun = time.monotonic()
    gateway.start()
    await until(lambda: all(gateway.entries("lane.connected", lane=lane) for lane in ("alarm", "bulk")), every=0.01)
    return time.monotonic() - begun
