"""Tasks end, also those that lose a cancellation as `asyncio.wait_for` of Python 3.11 can."""

from __future__ import annotations

import asyncio

import pytest

from gateway.tasks import end, until_first_ends


async def _deaf(times: int) -> None:
    """Goes on for ever, and overhears this many cancellations."""
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            times -= 1
            if times < 0:
                raise


async def _fails() -> None:
    raise LookupError("first")


async def test_a_lost_cancellation_is_repeated() -> None:
    task = asyncio.create_task(_deaf(1))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await end([task])
    assert task.cancelled()


async def test_the_first_that_ends_ends_all_and_its_error_is_told() -> None:
    async with asyncio.timeout(60):
        with pytest.raises(LookupError, match="first"):
            await until_first_ends(_deaf(1), _fails(), _deaf(0))
    assert len(asyncio.all_tasks()) == 1


async def test_who_is_cancelled_leaves_nothing_behind() -> None:
    outer = asyncio.create_task(until_first_ends(_deaf(1), _deaf(1)))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        await end([outer])
    assert outer.cancelled()
    assert len(asyncio.all_tasks()) == 1
