"""Live: what transactions announce reaches whoever listens; what may have been missed makes everybody look again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from gateway.live import Live, Subscription
from gateway.store import audit
from gateway.store.audit import Changed
from gateway.tasks import end
from tests.gateway.place import Place, place

KILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
)


@asynccontextmanager
async def live(town: Place) -> AsyncIterator[Live]:
    """Listening, and beginning again as the gateway's supervision does."""
    made = Live(town.database)

    async def again_and_again() -> None:
        while True:
            with suppress(Exception):
                await made.run()

    task = asyncio.create_task(again_and_again())
    try:
        async with asyncio.timeout(60):
            while not made.listening:
                await asyncio.sleep(0.01)
        yield made
    finally:
        await end([task])


async def told(subscription: Subscription) -> Changed | None:
    async with asyncio.timeout(60):
        return await anext(subscription.changes())


async def announce(town: Place, *changes: Changed) -> None:
    async def work(connection: object) -> None:
        for each in changes:
            await audit.announce(connection, each)  # type: ignore[arg-type]

    await town.run(work)


async def test_what_is_announced_is_told_to_everybody_who_listens(migrated_url: str) -> None:
    async with place(migrated_url) as town, live(town) as made:
        with made.subscribe() as one, made.subscribe() as two:
            changed = Changed(frozenset({1, 2}), frozenset({3}), pages=True)
            await announce(town, changed)
            assert await told(one) == await told(two) == changed
            assert made.pages.is_set()


async def test_who_is_slow_is_told_once_of_all(migrated_url: str) -> None:
    async with place(migrated_url) as town, live(town) as made:
        with made.subscribe() as slow, made.subscribe() as quick:
            for zone in range(1, 30):
                await announce(town, Changed(frozenset({zone})))
            heard: frozenset[int] = frozenset()
            while 29 not in heard:
                heard |= (await told(quick) or Changed()).zones
            folded = await told(slow)
            assert folded is not None
            assert folded.zones == frozenset(range(1, 30))


async def test_what_is_rolled_back_is_not_told(migrated_url: str) -> None:
    async with place(migrated_url) as town, live(town) as made:
        with made.subscribe() as one:
            with suppress(ZeroDivisionError):
                async with town.database.connection() as connection:
                    await audit.announce(connection, Changed(frozenset({1})))
                    raise ZeroDivisionError
            await announce(town, Changed(frozenset({2})))
            assert await told(one) == Changed(frozenset({2}))


async def test_nothing_changed_is_no_announcement(migrated_url: str) -> None:
    async with place(migrated_url) as town, live(town) as made:
        with made.subscribe() as one:
            await announce(town, Changed(), Changed(persons=frozenset({5})))
            assert await told(one) == Changed(persons=frozenset({5}))


async def test_more_than_an_announcement_can_carry_makes_everybody_look(migrated_url: str) -> None:
    async with place(migrated_url) as town, live(town) as made:
        with made.subscribe() as one:
            await announce(town, Changed(frozenset(range(10**9, 10**9 + 600)), frozenset(range(10**9, 10**9 + 600))))
            assert await told(one) is None
            assert made.pages.is_set()


async def test_after_the_connection_was_lost_everybody_looks_again(migrated_url: str) -> None:
    async with place(migrated_url) as town, live(town) as made:
        with made.subscribe() as one:
            made.pages.clear()
            await town.rows(KILL)
            assert await told(one) is None
            assert made.listening
            assert made.pages.is_set(), "pages may have been announced meanwhile"
            await announce(town, Changed(frozenset({7})))
            assert await told(one) == Changed(frozenset({7}))


async def test_who_does_not_listen_any_more_is_forgotten(migrated_url: str) -> None:
    async with place(migrated_url) as town, live(town) as made:
        with made.subscribe():
            assert len(made._subscribers) == 1
        assert not made._subscribers
