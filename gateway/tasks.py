"""Tasks that end when they are told to.

Theory
    ``asyncio.wait_for`` of Python 3.11, which the MQTT client and the database pool use, loses a cancellation that
    arrives in the moment its wait is over. A loop around it then goes on for ever, and with it whoever waits for its
    end. So who ends a task asks again until it has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any

ASK_AGAIN = 0.5
"""Seconds."""


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended, whatever they ended with; also when cancelled meanwhile."""
    cancelled = False
    while pending := {task for task in tasks if not task.done()}:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=ASK_AGAIN)
        except asyncio.CancelledError:
            cancelled = True
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at, so that nobody is told of an error that was never retrieved
    if cancelled:
        raise asyncio.CancelledError


async def until_first_ends(*works: Coroutine[Any, Any, None]) -> None:
    """Run side by side until one ends, then end the others. Raises what that one raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(tasks)
    for task in tasks:
        if task in done:
            task.result()
