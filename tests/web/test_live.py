"""The stream that tells a page to look again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from sse_starlette import ServerSentEvent

from gateway.web import live
from tests.web import fake, fake_people


@pytest.fixture
async def events(front: fake.FakeFront) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
    """The stream of Ingrid Aase's session, after its first sign of life."""
    stream = live._events(front, fake_people.Who(), "token")
    assert (await anext(stream)).event == "ping"
    while not front.watching:
        await asyncio.sleep(0)
    yield stream
    await stream.aclose()
    assert front.watching == 0


async def test_a_change_is_told_without_content(events: AsyncIterator[ServerSentEvent], front: fake.FakeFront) -> None:
    for _ in range(2):
        front.tell()
        told = await anext(events)
        assert (told.event, told.data) == ("changed", "")
        assert b"data: \r\n" in told.encode(), "without a line of data a browser drops the event"


def _sign_out(front: fake.FakeFront) -> None:
    front.sessions.clear()


def _move_to_another_zone(front: fake.FakeFront) -> None:
    front.sessions["token"] = replace(fake_people.Who(), zone_ids=frozenset({2}))


@pytest.mark.parametrize("happens", [_sign_out, _move_to_another_zone])
async def test_it_ends_when_its_reader_may_see_something_else(
    events: AsyncIterator[ServerSentEvent], front: fake.FakeFront, happens: Callable[[fake.FakeFront], None]
) -> None:
    happens(front)
    front.tell()
    assert (await anext(events)).event == "ended"
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_it_looks_at_the_session_even_if_nothing_changes(
    events: AsyncIterator[ServerSentEvent], front: fake.FakeFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_AT_SESSION_SECONDS", 0.05)
    front.sessions.clear()
    assert (await anext(events)).event == "ended"
