"""The outbox: a page is leased by one, an answer withdraws it, and a lease that runs out is taken over."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from gateway.store import pages, receipts
from gateway.store.db import Connection
from gateway.store.pages import LeasedPage
from tests.gateway.place import CHANNELS, NOW, Place, place

SOON = timedelta(seconds=1)


async def lease(town: Place, holder: str, limit: int = 100, seconds: float = 60) -> list[LeasedPage]:
    return await town.run(lambda each: pages.lease(each, NOW + SOON, holder, seconds, limit, CHANNELS))


async def unsent(town: Place, now: datetime) -> int:
    """What health says of pages that are due."""
    return int((await town.run(lambda each: pages.standing(each, now)))["unsent"])


async def stands(town: Place) -> dict[str, Any]:
    (row,) = await town.rows("SELECT state, due_at, leased_by, handed_over_at FROM page")
    return row


async def test_dispatchers_share_and_no_page_is_anybodys_twice(migrated_url: str) -> None:
    async with place(migrated_url, homes=40) as town:
        await town.raise_(*(town.raising(home) for home in town.homes))
        taken = await asyncio.gather(*(lease(town, f"d{number}", 9) for number in range(8)))
        ids = [each.id for part in taken for each in part]
        assert len(ids) == len(set(ids)) == 40
        assert await lease(town, "late") == []


async def test_the_severest_first_and_what_the_text_needs(migrated_url: str) -> None:
    async with place(migrated_url, homes=3) as town:
        for home, severity in zip(town.homes, (30, 40, 20), strict=True):
            await town.raise_(town.raising(home, severity=severity))
        first = (await lease(town, "me", 1))[0]
        assert (int(first.severity), first.zone, first.channel, first.address) == (40, "Nord", "in_app", "nina")
        assert (first.tries, first.attempt, first.language) == (1, 1, "nb")
        assert [int(each.severity) for each in await lease(town, "me")] == [30, 20]


async def test_nothing_is_leased_before_it_is_due(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))
        assert await town.run(lambda each: pages.lease(each, NOW - SOON, "me", 60, 10, CHANNELS)) == []
        assert await unsent(town, NOW) == 1


async def test_a_lease_that_ran_out_is_taken_over_and_the_first_has_lost_it(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))
        (mine,) = await lease(town, "one", seconds=0)
        (again,) = await lease(town, "two")
        assert (mine.id, again.id, again.tries) == (mine.id, mine.id, 2)
        assert not await town.run(lambda each: pages.which_leased(each, [mine.id], "one"))
        assert not await town.run(lambda each: pages.handed_over(each, mine.id, "one", "ok", NOW))
        assert not await town.run(lambda each: pages.retry(each, mine.id, "one", "no", 0, NOW))
        assert not await town.run(lambda each: pages.failed(each, mine.id, "one", "no", NOW))
        assert await town.run(lambda each: pages.handed_over(each, mine.id, "two", "ok", NOW))
        assert await stands(town) == {
            "state": "handed_over", "due_at": None, "leased_by": None, "handed_over_at": NOW,
        }  # fmt: skip


async def test_back_off_hides_a_page_from_everybody(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))
        (page,) = await lease(town, "me")
        assert await town.run(lambda each: pages.retry(each, page.id, "me", "busy", 60, NOW))
        assert await lease(town, "me") == []
        assert await unsent(town, NOW + SOON) == 1, "health still counts it"
        await town.rows("UPDATE page SET hidden_until = clock_timestamp()")
        assert [each.tries for each in await lease(town, "me")] == [2]


async def test_an_answer_withdraws_what_waits_and_what_is_leased(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))
        (page,) = await lease(town, "me")
        await town.run(lambda each: pages.withdraw(each, page.alert_id, NOW))
        assert not await town.run(lambda each: pages.which_leased(each, [page.id], "me"))
        assert not await town.run(lambda each: pages.retry(each, page.id, "me", "busy", 0, NOW))
        assert (await stands(town))["state"] == "withdrawn"
        assert await lease(town, "me", seconds=0) == []


async def test_sent_and_withdrawn_at_the_same_time_is_withdrawn_with_the_time_noted(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))
        (page,) = await lease(town, "me")
        await town.run(lambda each: pages.withdraw(each, page.alert_id, NOW))
        assert not await town.run(lambda each: pages.handed_over(each, page.id, "me", "ok", NOW + SOON))
        found = await stands(town)
        assert (found["state"], found["handed_over_at"]) == ("withdrawn", NOW + SOON)


async def test_a_page_that_got_there_first_is_withdrawn_and_keeps_its_time(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))
        (page,) = await lease(town, "me")
        assert await town.run(lambda each: pages.handed_over(each, page.id, "me", "ok", NOW))
        await town.run(lambda each: pages.withdraw(each, page.alert_id, NOW))
        found = await stands(town)
        assert (found["state"], found["handed_over_at"]) == ("withdrawn", NOW)


async def test_withdrawing_races_with_handing_over_and_the_answer_wins(migrated_url: str) -> None:
    async with place(migrated_url, homes=20) as town:
        await town.raise_(*(town.raising(home) for home in town.homes))
        leased = await lease(town, "me")

        async def send(page: LeasedPage) -> bool:
            return await town.run(lambda each: pages.handed_over(each, page.id, "me", "ok", NOW))

        async def answer(page: LeasedPage) -> None:
            await town.run(lambda each: pages.withdraw(each, page.alert_id, NOW))

        await asyncio.gather(*(work(page) for page in leased for work in (send, answer)))
        query = "SELECT state, count(*) AS n, count(handed_over_at) AS noted FROM page GROUP BY state"
        assert await town.rows(query) == [{"state": "withdrawn", "n": 20, "noted": 20}]


async def test_a_page_of_a_channel_that_a_process_has_not_got_is_left_to_others_for_a_while(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))

        async def lease_of(channel: str, at: timedelta) -> list[LeasedPage]:
            return await town.run(lambda each: pages.lease(each, NOW + at, "me", 60, 10, [channel]))

        assert await lease_of("email", pages.LEFT_TO_OTHERS - SOON) == []
        (page,) = await lease_of("email", pages.LEFT_TO_OTHERS)
        await town.run(lambda each: pages.retry(each, page.id, "me", "no such channel here", 0, NOW))
        assert await lease_of("email", 2 * pages.LEFT_TO_OTHERS) == [], "whoever has it is first again"
        assert len(await lease_of("in_app", 2 * pages.LEFT_TO_OTHERS)) == 1


async def test_taking_back_is_left_to_others_as_well(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        page = await _withdrawn_while_sent(town)

        async def lease_of(channel: str, at: timedelta) -> list[LeasedPage]:
            return await town.run(lambda each: pages.lease_recalls(each, NOW + at, 60, 10, [channel]))

        assert await lease_of("in_app", pages.LEFT_TO_OTHERS - SOON) == []
        assert [each.id for each in await lease_of("email", timedelta())] == [page.id]
        await town.rows("UPDATE page SET hidden_until = clock_timestamp() - interval '11 s'")
        assert len(await lease_of("in_app", pages.LEFT_TO_OTHERS)) == 1


async def _withdrawn_while_sent(town: Place) -> LeasedPage:
    await town.raise_(town.raising(town.homes[0]))
    await town.rows("UPDATE contact SET channel = 'email'")
    (page,) = await lease(town, "me")
    await town.run(lambda each: pages.withdraw(each, page.alert_id, NOW))
    return page


async def test_what_leaves_after_it_was_taken_back_has_tries_of_its_own(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        page = await _withdrawn_while_sent(town)

        async def recall() -> LeasedPage:
            await town.rows("UPDATE page SET hidden_until = '-infinity'")
            (leased,) = await town.run(lambda each: pages.lease_recalls(each, NOW + SOON, 60, 10, CHANNELS))
            return leased

        first, second = await recall(), await recall()
        assert (first.recall_tries, second.recall_tries) == (1, 2)
        await town.run(lambda each: pages.handed_over(each, page.id, "me", "ok", NOW + SOON, recalls=True))
        assert not await town.run(lambda each: pages.recalled(each, second, NOW)), "that was before it left"
        third = await recall()
        assert third.recall_tries == 1
        assert not await town.run(lambda each: pages.recalled(each, first, NOW)), "nor is it that one"
        assert await town.run(lambda each: pages.recalled(each, third, NOW))


async def test_an_attempt_has_failed_when_every_page_of_it_has(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))
        stored = await town.alert()
        (page,) = await lease(town, "me")

        async def failed(connection: Connection) -> bool:
            return await pages.attempt_failed(connection, stored.id, 1)

        assert not await town.run(failed)
        assert await town.run(lambda each: pages.failed(each, page.id, "me", "no such phone", NOW))
        assert await town.run(failed)
        assert not await town.run(lambda each: pages.attempt_failed(each, stored.id, 7))


async def test_a_broken_contact_is_counted_on_by_nobody(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.run(lambda each: receipts.break_contact(each, town.contacts["Nina"], "unknown user", NOW))
        await town.raise_(town.raising(town.homes[0]))
        codes = await town.rows("SELECT code FROM alert_entry ORDER BY seq")
        assert [each["code"] for each in codes] == ["raised", "step_skipped", "step_skipped", "step_reached"]
        assert await town.rows("SELECT person_id FROM page") == [{"person_id": town.staff["Berit"]}]
