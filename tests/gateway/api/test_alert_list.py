"""The lists of alerts: their order, and walking them page by page while the world goes on."""

from __future__ import annotations

from typing import Any

from gateway.embedded import Broker
from tests.gateway.served import Served, problem, served


async def walk(it: Served, name: str, limit: int, **query: Any) -> list[str]:
    """Every page from the first to the last."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await it.get(name, "/alerts", limit=limit, **query, **cursor)).json()
        assert len(page["alerts"]) <= limit
        found += [each["id"] for each in page["alerts"]]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def several(it: Served, number: int) -> list[str]:
    return [str(await it.fall()) for _ in range(number)]


async def test_yours_first_then_the_severest_then_the_oldest(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        falls = await several(it, 3)
        home = await it.town.home()
        await it.town.says(home.dispenser, "jam")
        jam = str((await it.town.alerts())[-1]["uid"])
        await it.answer("Kari", jam, "claim")
        assert [each["id"] for each in await it.listed("Kari")] == [jam, *falls]
        assert [each["id"] for each in await it.listed("Ola")] == [*falls, jam]
        assert [each["mine"] for each in await it.listed("Kari")] == [True, False, False, False]


LIMITS = (1, 2, 5, 6, 200)


async def test_every_page_together_is_the_whole_list(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        falls = await several(it, 5)
        await it.town.rows("UPDATE alert SET raised_at = %s", it.town.now)  # all at the same moment
        await it.answer("Kari", falls[3], "claim")
        for limit in LIMITS:
            assert await walk(it, "Kari", limit) == [falls[3], *falls[:3], falls[4]]
        for each in falls:
            await it.answer("Kari", each, "claim")
            await it.answer("Kari", each, "close", cause="real", action="visited")
        await it.town.passes(seconds=5)
        for limit in LIMITS:
            assert await walk(it, "Kari", limit) == []
            assert await walk(it, "Kari", limit, state="closed") == falls[::-1]


async def test_what_closes_meanwhile_hides_nothing(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        falls = await several(it, 5)
        first = (await it.get("Ola", "/alerts", limit=2)).json()
        assert [each["id"] for each in first["alerts"]] == falls[:2]
        await it.answer("Kari", falls[0], "claim")
        await it.town.done("Kari", (await it.town.alerts())[0]["uid"])
        second = (await it.get("Ola", "/alerts", limit=2, cursor=first["next_cursor"])).json()
        assert [each["id"] for each in second["alerts"]] == falls[2:4]


BAD = [
    "",
    "x",
    "-1",
    "1.2.3",
    "1.2.3.4.5",
    "a.b.c.d",
    "1" * 40,
    "9" * 18,
    "9.9.9." + "9" * 18,
    "\x00",
    "½",
    "٣",
    " 1 ",
    "1e9",
]
BAD += ["0.40." + "9" * 18 + ".1", "0." + "9" * 18 + ".1.1", "' OR 1=1 --", "🙂", "x" * 65, "1\n", "../..", "null"]


async def test_bad_cursors_are_the_callers_fault(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        await it.fall()
        for path, query in (("/alerts", {}), ("/alerts", {"state": "closed"}), ("/quarantine", {})):
            for cursor in BAD:
                reply = await it.get("Siri", path, cursor=cursor, **query)
                assert reply.status_code in (200, 422), (path, cursor, reply.text)
                if reply.status_code == 422:
                    problem(reply, 422)
                else:
                    assert cursor.replace(".", "").isdigit(), "only what could be one of ours"
        for limit in ("0", "-1", "201", "1e3", "x", "9" * 30, ""):
            problem(await it.get("Siri", "/alerts", limit=limit), 422, "request")
        problem(await it.get("Siri", "/alerts", state="lost"), 422, "request")
