"""Live: messages are published as fast as they are stored, how fast is that?

A closed loop: so many messages are on the way without a receipt, and each receipt lets the next one out. A queue neither
grows without end nor runs dry, and what is counted is what the gateway has stored, committed and said so.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gateway.embedded import Broker
from gateway.seed import SITE
from tests.bench.stage import Stage, looking, say


@dataclass(frozen=True, slots=True)
class Live:
    """Receipts a second, and what is amiss."""

    per_second: float
    lost: int
    duplicated: int


async def live(stage: Stage, devices: int, seconds: float) -> Live:
    _, url = await stage.town(devices, "live")
    with stage.broker("live-broker") as broker, stage.gateway("live", url, broker) as gateway:
        gateway.start()
        await gateway.connected()
        before = stage.spent(gateway.pid, broker)
        async with speaking("loop", broker, devices, seed=2, seconds=seconds) as devices_speak:
            told = await devices_speak.told()
        spent = stage.spent(gateway.pid, broker).since(before)
        await gateway.stop()
        say(f"{told['distinct']} messages; {spent.told(told['distinct'])}")
        say(f"publish → receipt: p50 {told['receipt_p50_ms']} ms, p99 {told['receipt_p99_ms']} ms")
        with looking(url) as look:
            known, stored = look.known(), look.stored()
    return Live(told["per_s"], told["distinct"] - known, stored - known)


class Speaking:
    """Devices in a process of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self) -> dict[str, Any]:
        """What it did, when it has ended."""
        out, _ = await self._process.communicate()
        if self._process.returncode != 0:
            raise RuntimeError(f"the devices ended with {self._process.returncode}; what they said is above")
        return dict(json.loads(out))

    async def ended(self) -> dict[str, Any]:
        """Tell it to end."""
        self._process.send_signal(signal.SIGTERM)
        return await self.told()


@asynccontextmanager
async def speaking(way: str, broker: Broker, devices: int, **options: float) -> AsyncIterator[Speaking]:
    """``way`` and options as ``python -m tests.bench.load --help`` has them."""
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.load", way, broker.host, str(broker.port), SITE, f"--devices={devices}",
        *given, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Speaking(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
