"""Pages by their keys, as phones speak to the API: without a session, and without a word about anybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from gateway.embedded import Broker
from tests.gateway.served import API, Served, problem, served
from tests.support.phones import RecallingPhones


@asynccontextmanager
async def with_phones(url: str, broker: Broker) -> AsyncIterator[tuple[Served, RecallingPhones]]:
    phones = RecallingPhones()
    async with served(url, broker, channels={"push": phones}) as it:
        await it.town.contact("Kari", "push", "kari-phone", 1)
        yield it, phones


async def test_a_phone_tells_that_it_has_a_page_shows_it_and_takes_the_alert(migrated_url: str, broker: Broker) -> None:
    async with with_phones(migrated_url, broker) as (it, phones):
        fall = await it.fall()
        at = f"{API}/pages/{phones.key()}"
        first = (await it.http.get(at)).json()
        assert first == {
            "state": "handed_over",
            "wanted": True,
            "test": False,
            "severity": 40,
            "zone": "Sone",
            "raised_at": first["raised_at"],
            "url": f"/alerts/{fall}",
        }
        told = [await it.http.post(f"{at}/{receipt}") for receipt in ("received", "shown", "received")]
        assert [each.json()["state"] for each in told] == ["received", "shown", "shown"]
        taken = await it.http.post(f"{at}/claim")
        assert (taken.status_code, taken.json()["stage"]) == (200, "claimed")
        assert (await it.http.post(f"{at}/claim")).json() == taken.json()
        after = (await it.http.get(at)).json()
        assert (after["state"], after["wanted"]) == ("answered", False)
        said = str(first) + taken.text + told[-1].text
        for secret in ("Kari", "Beboer", "Granveien", "fall", "4.1"):
            assert secret.lower() not in said.lower(), secret


async def test_what_cannot_be_taken_is_refused_with_the_reason_and_without_a_name(
    migrated_url: str, broker: Broker
) -> None:
    async with with_phones(migrated_url, broker) as (it, phones):
        fall = await it.fall()
        at = f"{API}/pages/{phones.key()}"
        old = (it.town.now - timedelta(days=2)).isoformat()
        problem(await it.http.post(f"{at}/claim", json={"given_at": old}), 422, "given_at")
        problem(await it.http.post(f"{at}/claim", json={"by": "Ola"}), 422)
        await it.answer("Ola", fall, "claim")
        told = problem(await it.http.post(f"{at}/claim", json={}), 409, "held_by_other")
        assert "a colleague" in told["detail"]
        assert "Ola" not in str(told)
        await it.town.done("Ola", fall)
        problem(await it.http.post(f"{at}/claim"), 410, "over")
        late = await it.http.post(f"{at}/shown")
        assert (late.status_code, late.json()["wanted"]) == (200, False)


@pytest.mark.parametrize("path", ["", "/received", "/shown", "/claim"])
async def test_a_key_that_there_is_not_opens_nothing(migrated_url: str, broker: Broker, path: str) -> None:
    async with with_phones(migrated_url, broker) as (it, phones):
        await it.fall()
        method = "GET" if not path else "POST"
        problem(await it.http.request(method, f"{API}/pages/{'x' * 43}{path}"), 404, "page")
        problem(await it.http.request(method, f"{API}/pages/{phones.sent[-1].page_id}{path}"), 404, "page")
        for strange in ("short", "x" * 129, "%00" * 40, "å" * 40, "' OR 1=1 --".ljust(40, "-")):
            assert (await it.http.request(method, f"{API}/pages/{strange}{path}")).status_code in (404, 422)
        assert await it.town.rows("SELECT 1 FROM page WHERE received_at IS NOT NULL OR shown_at IS NOT NULL") == []


async def test_keys_are_long_by_chance_and_each_its_own(migrated_url: str, broker: Broker) -> None:
    async with with_phones(migrated_url, broker) as (it, _):
        await it.fall()
        await it.fall()
        keys = [row["key"] for row in await it.town.rows("SELECT key FROM page")]
        assert len(keys) == len(set(keys)) >= 4
        assert all(len(each) == 43 for each in keys)


async def test_whoever_opens_an_alert_has_been_shown_its_page_and_the_log_of_looks_is_as_it_was(
    migrated_url: str, broker: Broker
) -> None:
    async with with_phones(migrated_url, broker) as (it, _):
        fall = await it.fall()
        await it.listed("Ola")
        assert ("Kari", "shown") not in await it.town.states(fall), "somebody else looked"
        await it.detail("Kari", fall)
        assert await it.town.states(fall) == [("Kari", "shown"), ("Kari", "handed_over")]
        first = await it.town.rows("SELECT shown_at FROM page WHERE state = 'shown'")
        await it.town.passes(seconds=5)
        await it.listed("Kari")
        assert await it.town.rows("SELECT shown_at FROM page WHERE state = 'shown'") == first
        looks = await it.town.rows(
            "SELECT actor_id FROM audit WHERE action IN ('resident.viewed', 'resident.listed') ORDER BY id"
        )
        assert [each["actor_id"] for each in looks] == [it.town.staff[name] for name in ("Ola", "Kari", "Kari")]
