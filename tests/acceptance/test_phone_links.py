"""A phone is signed in by a code, once, and signed out from afar."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx

from gateway.access import SESSION_COOKIE
from gateway.embedded import Broker
from gateway.errors import Problem
from gateway.store.sessions import LIFETIME
from tests.support.contacts import GATEWAY, refused, town_with_sms
from tests.support.world import PASSWORD

OURS = {"Sec-Fetch-Site": "same-origin", "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"}


async def test_a_phone_is_signed_in_by_a_link_once_and_signed_out_from_afar(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        kari = await town.who("Kari")
        link = await town.front.make_phone_link(kari)
        path = httpx.URL(link.url).path
        async with httpx.AsyncClient(transport=town.http._transport, base_url=GATEWAY, headers=OURS) as phone:
            for _ in range(2):  # to look uses nothing up
                assert "Kari" in (await phone.get(path)).text
            signed_in = await phone.post(path)
            assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/phone")
            assert phone.cookies.get(SESSION_COOKIE)
            assert "iPhone" in (await phone.get("/me/contacts")).text
            (there,) = [each for each in await town.front.signed_in_at(kari) if "iPhone" in each.agent]
            assert (there.until - there.since, there.this) == (LIFETIME, False)
            # A second one who has seen the code comes too late.
            async with httpx.AsyncClient(transport=town.http._transport, base_url=GATEWAY, headers=OURS) as thief:
                for reply in (await thief.get(path), await thief.post(path)):
                    assert (reply.status_code, SESSION_COOKIE in thief.cookies) == (410, False)
            await town.front.end_session(kari, there.id)
            assert (await phone.get("/me/contacts")).headers["location"].startswith("/sign-in")
        lines = [
            (await town.audited(each))[0]["actor_id"]
            for each in ("phone_link.made", "phone_link.used", "session.ended")
        ]
        assert lines == [town.staff["Kari"]] * 3
        (row,) = await town.rows("SELECT token_hash FROM phone_link")
        assert path.rpartition("/")[2].encode() not in row["token_hash"]


async def test_a_session_that_began_by_a_link_makes_no_other(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        link = await town.front.make_phone_link(await town.who("Kari"))
        async with httpx.AsyncClient(transport=town.http._transport, base_url=GATEWAY, headers=OURS) as phone:
            assert (await phone.post(httpx.URL(link.url).path)).status_code == 303
            csrf = await town.rows("SELECT csrf_token FROM session WHERE by_link")
            form = {"do": "phone_link", "csrf_token": csrf[0]["csrf_token"]}
            told = await phone.post("/me/contacts", data=form, headers={"Accept-Language": "nb"})
            assert (told.status_code, "logg inn med passordet ditt" in told.text) == (403, True)
        assert await town.rows("SELECT 1 FROM phone_link WHERE used_at IS NULL") == []
        assert (await town.front.make_phone_link(await town.who("Kari"))).url, "with a password as before"


async def test_of_two_who_use_a_link_at_once_one_is_signed_in(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        link = await town.front.make_phone_link(await town.who("Kari"))
        token = link.url.rpartition("/")[2]
        tried = await asyncio.gather(
            *(town.front.use_phone_link(token, None, "phone") for _ in range(5)), return_exceptions=True
        )
        assert sum(not isinstance(each, BaseException) for each in tried) == 1
        assert {each.reason for each in tried if isinstance(each, Problem)} == {"phone_link"}


async def test_a_link_is_no_good_when_it_is_old_guessed_or_of_somebody_who_has_left(
    migrated_url: str, broker: Broker
) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        kari = await town.who("Kari")
        tokens = [(await town.front.make_phone_link(kari)).url.rpartition("/")[2] for _ in range(4)]
        assert await refused(town.front.phone_link(tokens[0], None)) == "phone_link", "three hold at a time"
        assert (await town.front.phone_link(tokens[1], None)).name == "Kari"
        await town.rows("UPDATE phone_link SET expires_at = now() WHERE expires_at > now()")
        assert await refused(town.front.use_phone_link(tokens[1], None, "")) == "phone_link"
        for guess in ("", "x", "x" * 43, "å" * 200, tokens[2] + "x", "' OR true --"):
            assert await refused(town.front.use_phone_link(guess, None, "")) == "phone_link"
        fresh = (await town.front.make_phone_link(kari)).url.rpartition("/")[2]
        await town.rows("UPDATE person SET active = false WHERE id = %s", town.staff["Kari"])
        assert await refused(town.front.use_phone_link(fresh, None, "")) == "phone_link"


async def test_a_phone_on_which_somebody_else_is_signed_in_is_not_taken_over(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        link = await town.front.make_phone_link(await town.who("Kari"))
        path = httpx.URL(link.url).path
        async with httpx.AsyncClient(transport=town.http._transport, base_url=GATEWAY, headers=OURS) as phone:
            ola = await town.front.sign_in("ola", PASSWORD, "phone")
            phone.cookies.set(SESSION_COOKIE, ola.token)
            for reply in (await phone.get(path), await phone.post(path)):
                assert (reply.status_code, "Ola" in reply.text, "Kari" in reply.text) == (409, True, False)
            phone.cookies.clear()
            cross = await phone.post(path, headers={"Sec-Fetch-Site": "cross-site"})
            assert (cross.status_code, SESSION_COOKIE in phone.cookies) == (403, False)
            assert (await phone.post(path)).status_code == 303, "nothing of that has used it up"


async def test_a_session_is_ended_by_nobody_else(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        kari, ola = await town.who("Kari"), await town.who("Ola")
        (karis,) = await town.front.signed_in_at(kari)
        assert await refused(town.front.end_session(ola, karis.id)) == "session"
        assert (karis.this, karis.agent) == (True, "story")
        assert karis.until - karis.since == timedelta(hours=12)
