"""Pages that are received, shown and answered, or not: which of a person's contacts is tried when, and what an answer stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from alerts.delivery import Noted, PageState, Receipt
from gateway import breaking, dispatcher, receipts
from gateway.api import schemas
from gateway.clock import pause
from gateway.embedded import Broker
from gateway.errors import Conflict, Gone, NotFound
from tests.support.phones import Phones, RecallingPhones
from tests.support.world import World, world


class Town(World):
    """Kari has a phone with the app on it, a number and an address, in this order; Ola a phone."""

    push: RecallingPhones
    sms: Phones
    voice: Phones

    async def falls(self, *, settle: bool = True) -> UUID:
        home = await self.home()
        await self.says(home.fall_alarm, "fall", settle=settle)
        await eventually(self, "SELECT 1 FROM page")
        fall: UUID = (await self.alert())["uid"]
        return fall

    async def hears(self, key: str, receipt: Receipt) -> schemas.PageView:
        shown = await self.gateway.front.page_heard(key, receipt)
        await self.settle()
        return shown

    async def provider_says(self, phones: Phones, receipt: Receipt, **more: Any) -> PageState | Noted:
        """Of the last page: by the id that it was sent with."""
        uid, now = UUID(phones.sent[-1].page_id), self.now
        said = await self.gateway.database.run(
            lambda each: receipts.heard(each, uid, receipt, now, self.gateway.cache, **more)
        )
        await self.settle()
        return said

    async def page(self, phones: Phones) -> dict[str, Any]:
        (row,) = await self.rows("SELECT * FROM page WHERE uid = %s", UUID(phones.sent[-1].page_id))
        return row


@asynccontextmanager
async def town_with_phones(url: str, broker: Broker, **settings: Any) -> AsyncIterator[Town]:
    push, sms, voice = RecallingPhones(), Phones(), Phones()
    channels = {"push": push, "sms": sms, "voice": voice}
    async with world(url, broker, channels=channels, **settings) as made:
        town = Town(made.gateway, made.site, made.broker, made.clients, made.zones, made.staff, made._ids)
        town.client, town.obeying = made.client, made.obeying
        town.push, town.sms, town.voice = push, sms, voice
        await town.contact("Kari", "push", "kari-phone", 1)
        await town.contact("Kari", "sms", "+4740000001", 2)
        await town.contact("Kari", "voice", "+4740000001", 3)
        await town.contact("Ola", "push", "ola-phone", 1)
        yield town


@pytest.fixture
async def town(migrated_url: str, broker: Broker) -> AsyncIterator[Town]:
    async with town_with_phones(migrated_url, broker) as made:
        yield made


# The chain ------------------------------------------------------------------------------------------------------------


async def test_without_a_receipt_the_next_contact_is_tried_fifteen_seconds_later_and_no_other(town: Town) -> None:
    await town.falls()
    assert await town.news() == ["Kari", "Kari (push)"]
    await town.passes(seconds=14)
    assert await town.news() == []
    await town.passes(seconds=1)
    assert await town.news() == ["Kari (sms)"]
    await town.passes(seconds=14)
    assert await town.news() == []
    await town.passes(seconds=1)
    assert await town.news() == ["Kari (voice)"]


@pytest.mark.parametrize("receipt", [Receipt.RECEIVED, Receipt.SHOWN])
async def test_a_receipt_of_the_phone_and_no_other_contact_is_tried(town: Town, receipt: Receipt) -> None:
    fall = await town.falls()
    assert await town.news() == ["Kari", "Kari (push)"]
    shown = await town.hears(town.push.key(), receipt)
    assert (shown.state, shown.wanted, shown.url) == (PageState(receipt), True, f"/alerts/{fall}")
    await town.passes(seconds=59)
    assert await town.news() == []
    # Nobody answers: the next step pages both, each from the first contact on.
    await town.passes(seconds=1)
    assert sorted(await town.news()) == ["Kari", "Kari (push)", "Ola", "Ola (push)"]


async def test_the_app_on_a_screen_where_nobody_sits_stops_no_chain(town: Town) -> None:
    fall = await town.falls()
    await town.gateway.front.alert_list(await town.who("Kari"), "open", None, 50)
    assert ("Kari", "shown") in await town.states(fall)
    await town.passes(seconds=15)
    assert await town.news() == ["Kari", "Kari (push)", "Kari (sms)"]


async def test_a_phone_that_fails_for_good_calls_the_next_contact_at_once_and_those_behind_it_sooner(
    town: Town,
) -> None:
    town.push.dead.add("kari-phone")
    fall = await town.falls()
    assert await town.pages(fall) == [("Kari", "in_app", 1), ("Kari", "sms", 1)]
    await town.passes(seconds=14)
    assert len(await town.pages(fall)) == 2
    await town.passes(seconds=1)
    assert await town.pages(fall) == [("Kari", "in_app", 1), ("Kari", "sms", 1), ("Kari", "voice", 1)]


async def test_a_provider_that_could_not_deliver_after_all_calls_the_next_contact_at_once(town: Town) -> None:
    fall = await town.falls()
    await town.news()
    await town.passes(seconds=5)
    assert await town.provider_says(town.push, Receipt.FAILED, reason="expired") is PageState.FAILED
    assert await town.news() == ["Kari (sms)"]
    assert "page_failed" in await town.timeline(fall)
    assert await town.rows("SELECT 1 FROM contact WHERE broken_reason IS NOT NULL") == []
    # The same again, and word of it that comes after all, change nothing.
    assert await town.provider_says(town.push, Receipt.FAILED, reason="expired") is Noted.OVER
    assert await town.provider_says(town.push, Receipt.RECEIVED) is Noted.OVER
    assert (await town.timeline(fall)).count("page_failed") == 1
    page = await town.page(town.push)
    assert (page["state"], page["reason"], page["received_at"]) == ("failed", "expired", town.now)


async def test_when_every_contact_has_failed_after_all_the_alert_goes_on_at_once(town: Town) -> None:
    await town.rows("UPDATE contact SET active = false WHERE channel = 'in_app'")
    fall = await town.falls()
    for phones in (town.push, town.sms):
        await town.provider_says(phones, Receipt.FAILED, reason="undeliverable")
    assert "attempt_failed" not in await town.timeline(fall)
    assert await town.news() == ["Kari (push)", "Kari (sms)", "Kari (voice)"]
    await town.provider_says(town.voice, Receipt.FAILED, reason="undeliverable")
    assert (await town.timeline(fall))[-3:] == ["page_failed", "attempt_failed", "step_reached"]
    assert sorted(await town.news()) == ["Kari (push)", "Ola (push)"]


async def test_a_phone_that_is_off_is_not_tried_again_once_another_contact_has_reached_its_person(town: Town) -> None:
    town.push.busy.add("kari-phone")
    await town.falls(settle=False)
    await town.gateway.dispatcher.run_once()
    await town.gateway.dispatcher.settled()
    await town.rows("UPDATE page SET due_at = due_at - interval '15 s' WHERE state = 'queued' AND tries = 0")
    await town.gateway.dispatcher.run_once()
    await town.gateway.dispatcher.settled()
    await town.hears(town.sms.key(), Receipt.RECEIVED)
    town.push.busy.clear()
    await town.passes(seconds=45)
    assert await town.news() == ["Kari", "Kari (sms)"]
    assert [each.address for each in town.push.recalled] == ["kari-phone"], "it may have got there all the same"


async def test_a_try_that_fails_after_its_person_was_reached_is_the_last_and_is_taken_back(town: Town) -> None:
    await _fall_while_push_is_slow(town)
    await town.rows("UPDATE page SET due_at = due_at - interval '15 s' WHERE state = 'queued'")
    async with asyncio.timeout(60):
        while not town.sms.sent:
            await town.gateway.dispatcher.run_once()
            await pause(0.02)
    await town.gateway.front.page_heard(town.sms.key(), Receipt.RECEIVED)
    town.push.busy.add("kari-phone")
    town.push.let_go.set()
    await town.settle()
    page = await town.page(town.push)
    assert (page["state"], page["ended_at"], page["recalled_at"]) == ("withdrawn", town.now, town.now)
    assert [each.address for each in town.push.recalled] == ["kari-phone"]


async def _fall_while_push_is_slow(town: Town) -> UUID:
    """Its page is being sent, and stays so until ``let_go``."""
    town.push.slow = True
    fall = await town.falls(settle=False)
    async with asyncio.timeout(60):
        while not town.push.sent:
            await town.gateway.dispatcher.run_once()
            await pause(0.02)
    return fall


# Quiet hours ----------------------------------------------------------------------------------------------------------


async def test_a_contact_in_its_quiet_hours_is_left_out_of_what_can_wait_and_of_nothing_else(town: Town) -> None:
    await town.rows("UPDATE contact SET quiet_from = '11:00', quiet_to = '06:00' WHERE channel <> 'in_app'")
    await town.rows("UPDATE contact SET active = false WHERE channel = 'push'")
    home = await town.home()
    await town.rows("UPDATE contact SET quiet_from = NULL, quiet_to = NULL WHERE channel = 'voice'")
    await town.person("Trond", "technical", "Sone", position=0)
    await town.contact("Trond", "sms", "+4740000002", 1)
    await town.contact("Trond", "voice", "+4740000002", 2)
    await town.rows(
        "UPDATE contact SET quiet_from = '11:00', quiet_to = '06:00' WHERE address = '+4740000002' AND channel = 'sms'"
    )
    await town.says(home.fall_alarm, "battery_low", battery=9.0)
    await town.passes(minutes=5)
    assert await town.news() == ["Trond", "Trond (voice)"]  # noon in Oslo is within them
    await town.says(home.fall_alarm, "fall")
    await town.passes(seconds=15)
    assert await town.news() == ["Kari", "Kari (sms)", "Kari (voice)"]


# Receipts that are late or out of order -------------------------------------------------------------------------------


async def test_late_and_double_receipts_keep_their_first_times_and_move_nothing_back(town: Town) -> None:
    await town.falls()
    first = town.now
    key = town.push.key()
    assert (await town.hears(key, Receipt.SHOWN)).state is PageState.SHOWN
    await town.passes(seconds=10)
    assert (await town.hears(key, Receipt.RECEIVED)).state is PageState.SHOWN
    assert (await town.hears(key, Receipt.SHOWN)).state is PageState.SHOWN
    assert await town.provider_says(town.push, Receipt.FAILED, reason="lost", contact_broken=True) is Noted.AS_FAR
    page = await town.page(town.push)
    assert (page["shown_at"], page["received_at"]) == (first, first + timedelta(seconds=10))
    assert await town.rows("SELECT 1 FROM contact WHERE broken_reason IS NOT NULL") == []


async def test_a_receipt_that_overtakes_our_own_word_counts_and_the_page_is_not_sent_again(town: Town) -> None:
    await _fall_while_push_is_slow(town)
    assert (await town.page(town.push))["state"] == "leased"
    shown = await town.gateway.front.page_heard(town.push.key(), Receipt.RECEIVED)
    assert shown.state is PageState.RECEIVED
    await pause(0.7)  # longer than a lease is looked at again
    town.push.let_go.set()
    await town.settle()
    page = await town.page(town.push)
    assert (page["state"], page["reason"], page["tries"]) == ("received", "taken", 1)
    assert page["handed_over_at"] is not None
    await town.passes(seconds=50)
    assert len(town.push.sent) == 1
    assert not town.sms.sent


async def test_a_page_that_is_withdrawn_and_then_shown_stays_withdrawn_and_is_taken_back(town: Town) -> None:
    fall = await town.falls()
    await town.passes(minutes=1)
    ola = next(each for each in town.push.sent if each.address == "ola-phone")
    await town.answers("Kari", fall, "claim")
    shown = await town.hears(ola.page_key, Receipt.SHOWN)
    assert (shown.state, shown.wanted) == (PageState.WITHDRAWN, False)
    (row,) = await town.rows("SELECT shown_at, recalled_at FROM page WHERE uid = %s", UUID(ola.page_id))
    assert (row["shown_at"], row["recalled_at"]) == (town.now, town.now)
    assert ola.page_id in {each.page_id for each in town.push.recalled}


# Answers --------------------------------------------------------------------------------------------------------------


async def test_an_answer_marks_ones_own_pages_and_takes_everybody_elses_back(town: Town) -> None:
    fall = await town.falls()
    await town.passes(minutes=1)
    await town.answers("Ola", fall, "claim")
    assert sorted(set(await town.states(fall))) == [("Kari", "withdrawn"), ("Ola", "answered")]
    (mine,) = await town.rows("SELECT answered_at FROM page WHERE state = 'answered' AND recalled_at IS NOT NULL")
    assert mine["answered_at"] == town.now
    assert {each.address for each in town.push.recalled} == {"kari-phone", "ola-phone"}
    assert await town.rows("SELECT 1 FROM page WHERE recall_at IS NOT NULL") == []
    await town.passes(minutes=4)
    assert len(town.voice.sent) == 1, "what waited of the chain was withdrawn"


async def test_a_phone_that_cannot_be_reached_is_asked_three_times_to_take_a_page_back(town: Town) -> None:
    fall = await town.falls()
    town.push.deaf = 3
    await town.answers("Kari", fall, "claim", settle=False)
    for _ in range(4):
        await town.rows("UPDATE page SET hidden_until = '-infinity'")
        await town.gateway.dispatcher.run_once()
        await town.gateway.dispatcher.settled()
    assert (town.push.deaf, town.push.recalled) == (0, [])
    assert await town.rows("SELECT 1 FROM page WHERE recall_at IS NOT NULL OR recalled_at IS NOT NULL") == []


async def test_what_was_being_sent_when_somebody_answered_is_taken_back_after_it_has_got_out(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "RENEW_SECONDS", 60.0)  # nobody looks again meanwhile
    fall = await _fall_while_push_is_slow(town)
    await town.answers("Siri", fall, "claim", settle=False)
    town.push.let_go.set()
    await town.settle()
    page = await town.page(town.push)
    assert (page["state"], page["recalled_at"]) == ("withdrawn", town.now)
    assert page["handed_over_at"] is not None
    assert [each.address for each in town.push.recalled][-1] == "kari-phone"


async def test_what_waits_for_another_try_when_somebody_answers_is_taken_back(town: Town) -> None:
    town.push.busy.add("kari-phone")
    fall = await town.falls(settle=False)
    await town.gateway.dispatcher.run_once()
    await town.gateway.dispatcher.settled()
    await town.answers("Siri", fall, "claim")
    assert [each.address for each in town.push.recalled] == ["kari-phone"], "the time-out was ours, perhaps"
    (row,) = await town.rows("SELECT count(*) AS n FROM page WHERE recalled_at IS NOT NULL")
    assert row["n"] == 1, "what waited in the chain never left"


async def test_what_one_answers_while_it_waits_for_another_try_is_taken_back(town: Town) -> None:
    town.push.busy.add("kari-phone")
    fall = await town.falls(settle=False)
    await town.gateway.dispatcher.run_once()
    await town.gateway.dispatcher.settled()
    await town.answers("Kari", fall, "claim")
    assert [each.address for each in town.push.recalled] == ["kari-phone"]


async def test_what_was_broken_off_is_taken_back_once_more(town: Town) -> None:
    """The request may be on its way still, behind the first recall."""
    await _fall_while_push_is_slow(town)
    await town.rows(  # as it is when somebody has answered, and the first recall is done
        "UPDATE page SET state = 'withdrawn', due_at = NULL, leased_by = NULL WHERE state IN ('queued', 'leased')"
    )
    async with asyncio.timeout(15):  # less than it would take to give up by itself
        await town.gateway.dispatcher.settled()
    assert (town.push.let_go.is_set(), town.push.recalled) == (False, [])
    await town.settle()
    assert [each.address for each in town.push.recalled] == ["kari-phone"]
    assert (await town.page(town.push))["handed_over_at"] is None


async def test_from_an_answer_on_nothing_of_it_is_queued_or_leased_and_phones_are_told(
    migrated_url: str, broker: Broker
) -> None:
    """In real time, through the real dispatcher loop."""
    async with town_with_phones(migrated_url, broker, start=None) as town:
        town.sms.slow = True
        fall = await town.falls(settle=False)
        await eventually(
            town,
            "SELECT 1 FROM page p JOIN contact c ON c.id = contact_id AND channel = 'push' WHERE handed_over_at < now()",
        )
        await town.rows("UPDATE page SET due_at = due_at - interval '15 s' WHERE state = 'queued'")
        await eventually(town, "SELECT 1 FROM page WHERE state = 'leased'")
        await town.answers("Kari", fall, "claim", settle=False)
        assert await town.rows("SELECT 1 FROM page WHERE state IN ('queued', 'leased')") == []
        async with asyncio.timeout(15):
            while not town.push.recalled:
                await pause(0.01)
        town.sms.let_go.set()


async def eventually(town: World, query: str) -> None:
    async with asyncio.timeout(60):
        while not await town.rows(query):
            await pause(0.02)


# By a page's key ------------------------------------------------------------------------------------------------------


async def test_an_alert_is_taken_by_the_key_of_a_page_in_the_name_of_its_person(town: Town) -> None:
    fall = await town.falls()
    key, front = town.push.key(), town.gateway.front
    await town.passes(seconds=20)
    given_at = town.now - timedelta(seconds=15)
    taken = await front.claim_page(key, schemas.PageClaim(given_at=given_at))
    assert (taken.stage, taken.url) == ("claimed", f"/alerts/{fall}")
    await town.settle()
    alert = await town.alert()
    assert alert["holder_id"] == town.staff["Kari"]
    (entry,) = await town.rows("SELECT given_at, actor_id FROM alert_entry WHERE code = 'claimed'")
    assert (entry["given_at"], entry["actor_id"]) == (given_at, town.staff["Kari"])
    assert town.push.recalled == [], "the phone that answered knows"
    # The same again is the same answer.
    assert await front.claim_page(key, schemas.PageClaim(given_at=given_at)) == taken
    assert (await town.timeline(fall)).count("claimed") == 1
    assert "confirmed" not in await town.timeline(fall)
    # Until they have given it back: then it is not theirs, and they are told.
    await town.answers("Kari", fall, "release")
    with pytest.raises(Conflict, match="given back"):
        await front.claim_page(key, schemas.PageClaim(given_at=given_at))


async def test_a_claim_by_key_that_comes_too_late_is_told_plainly_and_names_nobody(town: Town) -> None:
    fall = await town.falls()
    key, front = town.push.key(), town.gateway.front
    await town.answers("Ola", fall, "claim")
    assert not (await front.page(key)).wanted
    with pytest.raises(Conflict) as refused:
        await front.claim_page(key, schemas.PageClaim())
    assert (refused.value.reason, refused.value.detail) == ("held_by_other", "a colleague has it")
    await town.answers("Ola", fall, "close", cause="real", action="visited")
    with pytest.raises(Conflict, match="being closed"):
        await front.claim_page(key, schemas.PageClaim())
    await town.passes(seconds=5)
    with pytest.raises(Gone):
        await front.claim_page(key, schemas.PageClaim())


async def test_a_key_of_yesterday_of_somebody_who_left_or_of_nobody_takes_nothing(town: Town) -> None:
    await town.falls()
    key, front = town.push.key(), town.gateway.front
    with pytest.raises(NotFound):
        await front.page(key[:-1] + ("A" if key[-1] != "A" else "B"))
    await town.rows("UPDATE person SET active = false WHERE name = 'Kari'")
    assert not (await front.page(key)).wanted
    with pytest.raises(Gone):
        await front.claim_page(key, schemas.PageClaim())
    await town.rows("UPDATE person SET active = true WHERE name = 'Kari'")
    await town.rows("UPDATE assignment SET during = tstzrange(lower(during), %s)", town.now)
    with pytest.raises(Gone, match="no role"):
        await front.claim_page(key, schemas.PageClaim())
    await town.rows("UPDATE assignment SET during = tstzrange(lower(during), NULL)")
    await town.rows("UPDATE page SET created_at = created_at - interval '24 hours 1 second'")
    assert not (await front.page(key)).wanted
    with pytest.raises(Gone):
        await front.claim_page(key, schemas.PageClaim())


# Broken contacts ------------------------------------------------------------------------------------------------------


async def test_a_broken_contact_is_told_to_its_person_and_the_lead_once_and_is_over_when_it_works(town: Town) -> None:
    town.push.dead.add("kari-phone")
    await town.falls()
    assert sorted(await town.news()) == ["Kari", "Kari", "Kari (sms)", "Kari (sms)", "Siri"]
    notice = await town.alert("contact_broken", track="technical")
    assert notice["notice"]
    (told,) = await town.entries(notice["uid"], "contact_broken")
    assert told == {"persons": [town.staff["Kari"]], "channel": "push"}
    everything = await town.rows(
        "SELECT e.params::text AS t FROM alert_entry e UNION ALL SELECT params::text FROM audit"
    )
    assert not [each for each in everything if "kari-phone" in each["t"] or "410 " in each["t"]]

    # A page that left before and is reported broken as well tells nobody again.
    (contact,) = await town.rows("SELECT id FROM contact WHERE address = 'kari-phone'")
    assert await town.provider_says(town.sms, Receipt.FAILED, reason="no such number", contact_broken=True)
    broken = await town.alerts("contact_broken", track="technical")
    assert len(broken) == 2, "another contact, another notice"
    await town.provider_says(town.sms, Receipt.FAILED, reason="no such number", contact_broken=True)
    assert len(await town.entries(broken[1]["uid"], "contact_broken")) == 1

    # Its person shows that it works.
    book = await town.gateway.database.run(town.gateway.cache.read)
    now = town.now
    await town.gateway.database.run(lambda each: breaking.mended(each, contact["id"], now, book))
    closed = await town.rows("SELECT closed_at FROM alert WHERE id = %s", notice["id"])
    assert closed[0]["closed_at"] == now
    assert await town.rows("SELECT 1 FROM contact WHERE id = %s AND broken_reason IS NOT NULL", contact["id"]) == []
