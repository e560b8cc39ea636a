"""Receipts, answers and the dispatcher at the same time, over the real database: nothing goes back, nothing hangs."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import Any

import pytest

from alerts.delivery import Receipt
from gateway import receipts
from gateway.errors import NotFound
from gateway.store import municipality, pages
from gateway.store import receipts as store
from gateway.store.db import Connection
from gateway.store.pages import LeasedPage
from tests.gateway.place import CHANNELS, NOW, Place, place

FURTHER = ("queued", "leased", "handed_over", "received", "shown")


async def paged_by_push(town: Place) -> LeasedPage:
    """Nina's page on her phone, leased."""
    await town.run(lambda each: municipality.add_contact(each, town.staff["Nina"], "push", "phone", 1))
    town.cache = type(town.cache)(town.cache.local, ("in_app", "push"))
    await town.raise_(town.raising(town.homes[0]))
    leased = await town.run(lambda each: pages.lease(each, NOW, "me", 60, 10, CHANNELS))
    return next(each for each in leased if each.channel == "push")


async def stands(town: Place, page: LeasedPage) -> dict[str, Any]:
    (row,) = await town.rows("SELECT * FROM page WHERE id = %s", page.id)
    return row


async def hear(town: Place, page: LeasedPage, receipt: Receipt) -> None:
    await town.run(lambda each: receipts.heard(each, page.uid, receipt, NOW, town.cache, reason="said so"))


@pytest.mark.parametrize("order", list(permutations(["received", "shown", "settled"])))
async def test_in_any_order_a_page_ends_as_shown_with_all_its_times(migrated_url: str, order: tuple[str, ...]) -> None:
    async with place(migrated_url) as town:
        page, seen = await paged_by_push(town), ["leased"]
        for each in (*order, *order):
            if each == "settled":
                await town.run(lambda c: pages.handed_over(c, page.id, "me", "ok", NOW))
            else:
                await hear(town, page, Receipt(each))
            seen.append((await stands(town, page))["state"])
        assert seen == sorted(seen, key=FURTHER.index)
        row = await stands(town, page)
        assert (row["state"], row["due_at"], row["leased_by"], row["reason"]) == ("shown", None, None, "ok")
        assert row["handed_over_at"] == row["received_at"] == row["shown_at"] == NOW


async def test_receipts_answers_and_settling_at_once_end_with_the_answer(migrated_url: str) -> None:
    async with place(migrated_url, homes=12) as town:
        await town.run(lambda each: municipality.add_contact(each, town.staff["Nina"], "push", "phone", 1))
        await town.run(lambda each: municipality.add_contact(each, town.staff["Nina"], "sms", "number", 2))
        town.cache = type(town.cache)(town.cache.local, ("in_app", "push", "sms"))
        await town.raise_(*(town.raising(home) for home in town.homes))
        leased = await town.run(lambda each: pages.lease(each, NOW, "me", 60, 100, CHANNELS))
        alerts = [row["id"] for row in await town.rows("SELECT id FROM alert")]

        async def settle(page: LeasedPage) -> None:
            await town.run(lambda each: pages.handed_over(each, page.id, "me", "ok", NOW))

        async def claim(page: LeasedPage) -> None:
            await town.run(lambda each: receipts.claim(each, page.key, None, NOW, town.cache))

        async def look(connection: Connection) -> None:
            await store.shown_in_app(connection, town.staff["Nina"], alerts, NOW)

        pushed = [each for each in leased if each.channel == "push"]
        assert len(pushed) == 12
        await asyncio.gather(
            *(hear(town, page, receipt) for page in pushed for receipt in Receipt),
            *(settle(page) for page in leased),
            *(claim(page) for page in pushed for _ in range(2)),
            *(town.run(look) for _ in range(10)),
        )
        states = {row["state"] for row in await town.rows("SELECT DISTINCT state FROM page")}
        assert states <= {"answered", "failed", "withdrawn"}
        holders = await town.rows("SELECT DISTINCT holder_id FROM alert")
        assert holders == [{"holder_id": town.staff["Nina"]}]
        claims = await town.rows("SELECT alert_id FROM alert_entry WHERE code IN ('claimed', 'confirmed')")
        assert len(claims) == 12, "the same claim twice is one"


async def test_a_provider_may_speak_of_a_page_that_is_not_known_any_more(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        page = await paged_by_push(town)
        await town.rows("DELETE FROM page WHERE id = %s", page.id)
        with pytest.raises(NotFound):
            await hear(town, page, Receipt.RECEIVED)
