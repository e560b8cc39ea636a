"""Phones that people are pushed to: a subscription becomes a contact, goes with whoever signed in last, and a page reaches it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from alerts.subscription import Subscription
from alerts.vapid import fresh_key, public_key
from gateway.app import Gateway
from gateway.embedded import Broker
from gateway.push import MOST_PHONES, Placed, place
from gateway.settings import load
from gateway.store.push import Phone as Stored
from tests.gateway.served import API, Served, problem, served
from tests.support.push_service import Phone, PushService

NOW = datetime(2026, 3, 3, 11, tzinfo=UTC)


@pytest.fixture
def service() -> Iterator[PushService]:
    with PushService() as made:
        yield made
        assert made.faults == []


@pytest.fixture
async def it(migrated_url: str, broker: Broker) -> AsyncIterator[Served]:
    async with served(migrated_url, broker, push_private_endpoints=True) as made:
        yield made


async def subscribes(it: Served, name: str, phone: Phone, **more: Any) -> httpx.Response:
    of = phone.subscription
    body = {"endpoint": of.endpoint, "keys": {"p256dh": of.p256dh, "auth": of.auth}, **more}
    return await it.http.put(f"{API}/push/subscription", json=body, headers=await it.bearer(name))


async def contacts(it: Served) -> list[tuple[str, str, bool]]:
    """Whose phones are known, at which endpoints, and whether they are used."""
    rows = await it.town.rows(
        """SELECT p.name, c.address, c.active FROM contact c JOIN person p ON p.id = c.person_id
           WHERE c.channel = 'web_push' ORDER BY c.id"""
    )
    return [(row["name"], Subscription.of(row["address"]).endpoint, row["active"]) for row in rows]


async def test_a_page_rings_on_the_phone_before_any_other_way(it: Served, service: PushService) -> None:
    home = await it.town.home()
    phone = service.phone()
    assert (await subscribes(it, "Kari", phone)).status_code == 200
    key = (await it.get("Kari", "/push/key")).json()["key"]
    await it.town.says(home.fall_alarm, "fall")
    await it.town.settle()
    (pushed,) = service.pushed
    assert pushed.claims["k"] == key
    assert (pushed.told["kind"], pushed.told["severity"], pushed.told["language"]) == ("page", 40, "nb")
    assert "Sone" in pushed.told["title"]
    assert "Beboer" not in json.dumps(pushed.told), "no name leaves the gateway"
    first = await it.town.rows(
        """SELECT c.channel FROM contact c JOIN person p ON p.id = c.person_id WHERE p.name = 'Kari'
           ORDER BY c.position, c.id"""
    )
    assert first[0]["channel"] == "web_push"


async def test_a_phone_that_has_no_subscription_any_more_is_a_broken_contact_until_it_is_opened(
    it: Served, service: PushService
) -> None:
    home = await it.town.home()
    phone = service.phone()
    await subscribes(it, "Kari", phone)
    service.answers = [410]
    await it.town.says(home.fall_alarm, "fall")
    await it.town.settle()
    broken = "SELECT broken_reason IS NOT NULL AS broken FROM contact WHERE channel = 'web_push'"
    assert await it.town.rows(broken) == [{"broken": True}]
    assert await notices(it) == [True]
    assert (await subscribes(it, "Kari", phone)).json()["broken"], "to have what is gone mends nothing"
    assert await it.town.rows(broken) == [{"broken": True}]
    again = await subscribes(it, "Kari", service.phone(), replaces=phone.endpoint)
    assert not again.json()["broken"]
    assert await it.town.rows(broken) == [{"broken": False}]
    assert await notices(it) == [False], "and nobody has to see to it any more"
    assert len(await it.town.rows("SELECT 1 AS n FROM audit WHERE action = 'contact.mended'")) == 1


async def notices(it: Served) -> list[bool]:
    """Whether each word of a broken contact is still open."""
    rows = await it.town.rows(
        "SELECT closed_at IS NULL AS open FROM alert WHERE condition = 'contact_broken' ORDER BY id"
    )
    return [row["open"] for row in rows]


@pytest.mark.parametrize("answer", [404, 410, 401, 403])
async def test_what_was_broken_is_mended_by_the_button(it: Served, service: PushService, answer: int) -> None:
    home, phone = await it.town.home(), service.phone()
    await subscribes(it, "Kari", phone)
    service.answers = [answer]
    await it.town.says(home.fall_alarm, "fall")
    await it.town.settle()
    assert await notices(it) == [True]
    assert not (await subscribes(it, "Kari", phone, asked=True)).json()["broken"]
    assert await notices(it) == [False]


@pytest.mark.parametrize("how", ["taken over", "turned off"])
async def test_of_a_phone_that_goes_nobody_hears_any_more(it: Served, service: PushService, how: str) -> None:
    home, broken, tested = await it.town.home(), service.phone(), service.phone()
    uids = [(await subscribes(it, "Kari", each)).json()["id"] for each in (broken, tested)]
    service.answers = [410]
    await it.town.says(home.fall_alarm, "fall")
    await it.town.settle()
    headers = await it.bearer("Kari")
    for uid in uids:
        await it.http.post(f"{API}/me/contacts/{uid}/test", headers=headers)
    open_ = "SELECT condition FROM alert WHERE condition IN ('contact_broken', 'page_test') AND closed_at IS NULL"
    assert {row["condition"] for row in await it.town.rows(open_)} == {"contact_broken", "page_test"}
    for uid, phone in zip(uids, (broken, tested), strict=True):
        if how == "taken over":
            await subscribes(it, "Ola", phone)
        else:
            await it.http.delete(f"{API}/push/subscription/{uid}", headers=headers)
    assert await it.town.rows(open_) == []


async def test_what_its_person_has_removed_comes_back_by_the_button_alone(it: Served, service: PushService) -> None:
    phone, fresh = service.phone(), service.phone()
    uid = (await subscribes(it, "Kari", phone)).json()["id"]
    await it.http.delete(f"{API}/me/contacts/{uid}?confirmed=true", headers=await it.bearer("Kari"))
    for more in ({}, {"id": uid}):
        told = problem(await subscribes(it, "Kari", phone, **more), 409, "turned_off")
        assert "on the phone" in told["mend"]
    problem(await subscribes(it, "Kari", fresh, replaces=phone.endpoint), 409, "turned_off")
    assert await contacts(it) == [("Kari", phone.endpoint, False)]
    # For somebody else it is a phone like any other, and for Kari it stays off when they leave it.
    await subscribes(it, "Ola", phone)
    problem(await subscribes(it, "Kari", phone), 409, "turned_off")
    assert (await contacts(it))[1] == ("Ola", phone.endpoint, True)
    # In time its address is forgotten; what the phone was told is not.
    await it.town.rows("UPDATE contact SET address = uid::text WHERE uid = %s", UUID(uid))
    problem(await subscribes(it, "Kari", phone, id=uid), 409, "turned_off")
    assert (await subscribes(it, "Kari", phone, id=uid, asked=True)).status_code == 200
    assert [(name, used) for name, _, used in await used_phones(it)] == [("Kari", True)]


async def used_phones(it: Served) -> list[tuple[str, str, bool]]:
    rows = await it.town.rows(
        """SELECT p.name, c.address, c.active FROM contact c JOIN person p ON p.id = c.person_id
           WHERE c.channel = 'web_push' AND c.active"""
    )
    return [(row["name"], row["address"], row["active"]) for row in rows]


async def test_a_phone_does_not_vouch_for_itself_and_can_be_told_from_another(it: Served, service: PushService) -> None:
    phone = service.phone()
    of = phone.subscription
    body = {"endpoint": of.endpoint, "keys": {"p256dh": of.p256dh, "auth": of.auth}}
    headers = await it.bearer("Kari")
    agent = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"}
    for sent in (agent, {}):  # what a program calls itself takes nothing away
        await it.http.put(f"{API}/push/subscription", json=body, headers={**headers, **sent})
    listed = (await it.get("Kari", "/me/contacts")).json()["contacts"]
    (shown,) = [each for each in listed if each["channel"] == "web_push"]
    assert (shown["confirmed_at"], shown["state"]) == (None, "not_tested")
    assert (shown["machine"], shown["address"]) == ("iPhone", "")
    assert shown["added_at"]
    assert shown["opened_at"]


async def test_saying_it_again_makes_no_second_phone_and_a_new_endpoint_takes_the_place_of_the_old(
    it: Served, service: PushService
) -> None:
    phone, fresh = service.phone(), service.phone()
    first = (await subscribes(it, "Kari", phone)).json()["id"]
    assert (await subscribes(it, "Kari", phone)).json()["id"] == first
    assert (await subscribes(it, "Kari", Phone(phone.endpoint))).json()["id"] == first, "with other keys, too"
    assert (await subscribes(it, "Kari", fresh, replaces=phone.endpoint)).json()["id"] == first
    assert await contacts(it) == [("Kari", fresh.endpoint, True)]
    assert (await subscribes(it, "Kari", phone, replaces="https://never.example/1")).json()["id"] != first


async def test_a_phone_is_its_last_persons(it: Served, service: PushService) -> None:
    phone = service.phone()
    await subscribes(it, "Kari", phone)
    await subscribes(it, "Ola", phone)
    assert await contacts(it) == [("Kari", phone.endpoint, False), ("Ola", phone.endpoint, True)]
    await subscribes(it, "Kari", phone)
    assert await contacts(it) == [("Kari", phone.endpoint, True), ("Ola", phone.endpoint, False)]


async def test_turned_off_by_its_person_and_by_nobody_else(it: Served, service: PushService) -> None:
    phone = service.phone()
    uid = (await subscribes(it, "Kari", phone)).json()["id"]
    path = f"{API}/push/subscription/{uid}"
    problem(await it.http.delete(path, headers=await it.bearer("Ola")), 404, "phone")
    for _ in range(2):
        assert (await it.http.delete(path, headers=await it.bearer("Kari"))).status_code == 204
    assert await contacts(it) == [("Kari", phone.endpoint, False)]
    told = await it.town.rows("SELECT action, actor_id, params FROM audit WHERE object = 'contact' ORDER BY id")
    kari = it.town.staff["Kari"]
    assert told == [
        {"action": f"contact.{what}", "actor_id": kari, "params": {"channel": "web_push"}}
        for what in ("added", "removed")
    ]


async def test_a_phone_is_tried_by_its_person(it: Served, service: PushService) -> None:
    phone = service.phone()
    uid = (await subscribes(it, "Kari", phone)).json()["id"]
    path = f"{API}/push/subscription/{uid}/test"
    assert (await it.http.post(path, headers=await it.bearer("Kari"))).status_code == 204
    assert (service.told[0]["kind"], service.told[0]["page"]) == ("test", "")
    assert "varsler om alarmer" in service.told[0]["title"]
    problem(await it.http.post(path, headers=await it.bearer("Ola")), 404, "phone")
    service.answers = [410]
    told = problem(await it.http.post(path, headers=await it.bearer("Kari")), 409, "push")
    assert "410" in told["detail"]
    assert "open the app" in told["mend"]


async def test_nobody_has_more_phones_than_ten(it: Served, service: PushService) -> None:
    phones = [service.phone() for _ in range(MOST_PHONES + 2)]
    for phone in phones:
        await subscribes(it, "Kari", phone)
    used = [endpoint for _, endpoint, active in await contacts(it) if active]
    assert used == [each.endpoint for each in phones[2:]], "the ones that were silent for longest made room"


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("https://10.0.0.1/push", "private network"),
        ("http://push.example.com/1", "https"),
        ("javascript:alert(1)", "https"),
    ],
)
async def test_in_production_no_phone_leads_into_our_network(
    migrated_url: str, broker: Broker, endpoint: str, said: str
) -> None:
    async with served(migrated_url, broker) as it:
        told = problem(await subscribes(it, "Kari", Phone(endpoint)), 422, "subscription")
        assert said in told["detail"]
        assert await contacts(it) == []


async def test_the_key_is_made_once_and_a_setting_overrides_it(migrated_url: str) -> None:
    keys = []
    own = fresh_key()
    for given in ({}, {}, {"push_private_key": own}, {}):
        gateway = Gateway(load({}, environment="test", **given), migrated_url, ["web"])
        async with gateway.running():
            assert gateway.front.pushing is not None
            keys.append(gateway.front.pushing.public_key)
    assert keys[0] == keys[1] == keys[3] != keys[2] == public_key(own)


# Deciding ---------------------------------------------------------------------------------------------------------------


def stored(number: int, *, active: bool = True, days: int | None = 0) -> Stored:
    at = None if days is None else NOW - timedelta(days=days)
    address = replace(Phone(f"https://p.example/{number}").subscription).address
    return Stored(number, uuid4(), 1, address, active, at)


def at(number: int) -> str:
    return f"https://p.example/{number}"


def test_where_a_subscription_goes() -> None:
    phones = [stored(1), stored(2), stored(3, active=False)]
    assert place([], at(1), None) == Placed(None, ())
    assert place(phones, at(9), None) == Placed(None, ())
    assert place(phones, at(2), None) == Placed(2, ())
    assert place(phones, at(3), None) == Placed(3, ()), "one that was turned off is turned on again"
    assert place(phones, at(9), at(1)) == Placed(1, ())
    assert place(phones, at(2), at(1)) == Placed(2, (1,)), "both were known: the one before goes"
    assert place(phones, at(1), at(1)) == Placed(1, ())
    assert place(phones, at(9), at(8)) == Placed(None, ())
    assert place([stored(11)], at(1), None) == Placed(None, ()), "an endpoint is no beginning of another"


def test_the_longest_silent_makes_room() -> None:
    phones = [stored(number, days=number) for number in range(1, MOST_PHONES)] + [stored(50, days=None)]
    assert place(phones, at(99), None) == Placed(None, (50,))
    assert place(phones, at(50), None) == Placed(50, ()), "a known one takes no room"
    assert isinstance(phones[0].uid, UUID)
