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
from tests.bench.account import Account
from tests.bench.stage import Stage, say

HUSHED = 10.0
"""Seconds that devices have to end when they are told to in the midst of it."""


@dataclass(frozen=True, slots=True)
class Live:
    """Receipts a second."""

    per_second: float


async def live(stage: Stage, devices: int, seconds: float) -> Live:
    _, url = await stage.town(devices, "live")
    with (
        stage.broker("live-broker") as broker,
        stage.accounts.of(url) as account,
        stage.gateway("live", url, broker) as gateway,
    ):
        gateway.start()
        await gateway.connected()
        before = stage.spent(gateway.pid, broker)
        async with speaking("loop", broker, account, devices, seed=2, seconds=seconds) as devices_speak:
            told = await devices_speak.told()
        spent = stage.spent(gateway.pid, broker).since(before)
        await account.stored()
        await account.settled()
        await gateway.stop()
        say(f"{told['distinct']} messages; {spent.told(told['distinct'])}")
        say(f"publish → receipt: p50 {told['receipt_p50_ms']} ms, p99 {told['receipt_p99_ms']} ms")
    return Live(told["per_s"])


class Speaking:
    """Devices in a process of their own. What they said is put into the account when they end."""

    def __init__(self, process: asyncio.subprocess.Process, account: Account) -> None:
        self._process = process
        self._account = account

    async def told(self) -> dict[str, Any]:
        """What it did, when it has ended."""
        out, _ = await self._process.communicate()
        if self._process.returncode != 0:
            raise RuntimeError(f"the devices ended with {self._process.returncode}; what they said is above")
        told = dict(json.loads(out))
        self._account.said += told["distinct"]
        return told

    async def ended(self) -> dict[str, Any]:
        """Tell it to end."""
        self._process.send_signal(signal.SIGTERM)
        return await self.told()


@asynccontextmanager
async def speaking(
    way: str, broker: Broker, account: Account, devices: int, **options: float
) -> AsyncIterator[Speaking]:
    """``way`` and options as ``python -m tests.bench.load --help`` has them. Left early, they are asked what they said all the same."""
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.load", way, broker.host, str(broker.port), SITE, f"--devices={devices}",
        *given, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    devices_speak = Speaking(process, account)
    try:
        await process.stdout.readline()  # READY, or nothing where it has ended, which is told
        yield devices_speak
    finally:
        if process.returncode is None:
            await _hushed(process, devices_speak)


async def _hushed(process: asyncio.subprocess.Process, devices_speak: Speaking) -> None:
    try:
        async with asyncio.timeout(HUSHED):
            await devices_speak.ended()
    except TimeoutError:
        process.kill()
        await process.wait()
