"""People keep how they are reached, and test it; what a test proves, and who hears when it is not confirmed."""

from __future__ import annotations

import asyncio
import re
from datetime import time, timedelta

import httpx
import pytest

from alerts.contacts import State
from alerts.delivery import Receipt
from gateway.api import schemas
from gateway.embedded import Broker
from tests.support.contacts import KARIS, refused, town_with_sms
from tests.support.mail import MailServer

# Keeping them ---------------------------------------------------------------------------------------------------------


async def test_somebody_adds_orders_and_quietens_contacts_and_alerts_go_by_that(
    migrated_url: str, broker: Broker, smtp: MailServer
) -> None:
    async with town_with_sms(migrated_url, broker, smtp) as town:
        number = await town.adds("Kari", "sms", "+47 400 00 001")
        mail = await town.adds("Kari", "email", " kari@EXAMPLE.org ")
        assert (number.address, mail.address, number.state) == ("+4740000001", KARIS, State.NOT_TESTED)
        kari, home = await town.who("Kari"), await town.home()
        app = await town.mine("Kari", "in_app")
        await town.front.order_contacts(kari, schemas.ContactOrder(ids=[app.id, mail.id, number.id]))
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Kari", "Kari (email)"]
        await town.passes(seconds=15)
        assert await town.news() == ["Kari (sms)"]
        # While the number is quiet a fall comes all the same.
        quiet = schemas.QuietHours(quiet_from=time(11), quiet_to=time(13))
        view = await town.front.set_quiet_hours(kari, number.id, quiet)
        assert (view.quiet_from, view.quiet_to) == (time(11), time(13))
        later = await town.home()
        await town.says(later.fall_alarm, "fall")
        await town.passes(seconds=15)
        assert sorted(await town.news()) == ["Kari", "Kari (email)", "Kari (sms)"]
        await town.front.set_quiet_hours(kari, number.id, schemas.QuietHours(quiet_from=None, quiet_to=None))
        assert (await town.mine("Kari", "sms")).quiet_from is None


@pytest.mark.parametrize(
    ("channel", "address", "reason"),
    [
        ("email", "kari", "address"),
        ("email", "kari@example.org\nBcc: all@example.org", "address"),
        ("sms", "112 or so", "address"),
        ("sms", "+47\x00", "address"),
        ("pigeon", "loft", "channel"),
        ("web_push", "{}", "channel"),
        ("canary", "canary", "channel"),
        ("in_app", "", "there_already"),
        ("sms", "+4740000001", "there_already"),
    ],
)
async def test_what_cannot_be_reached_is_refused_with_its_reason(
    migrated_url: str, broker: Broker, smtp: MailServer, channel: str, address: str, reason: str
) -> None:
    async with town_with_sms(migrated_url, broker, smtp) as town:
        await town.adds("Kari", "sms", "+4740000001")
        kari = await town.who("Kari")
        request = schemas.ContactRequest.model_construct(channel=channel, address=address)
        assert await refused(town.front.add_contact(kari, request)) == reason


async def test_nobody_touches_anybody_elses_contacts(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        karis = await town.adds("Kari", "sms", "+4740000001")
        ola, quiet = await town.who("Ola"), schemas.QuietHours(quiet_from=None, quiet_to=None)
        assert await refused(town.front.test_contact(ola, karis.id)) == "contact"
        assert await refused(town.front.remove_contact(ola, karis.id, confirmed=True)) == "contact"
        assert await refused(town.front.set_quiet_hours(ola, karis.id, quiet)) == "contact"
        assert await refused(town.front.call_off_test(ola, karis.id)) == "contact"
        assert await refused(town.front.order_contacts(ola, schemas.ContactOrder(ids=[karis.id]))) == "stale"
        assert (await town.mine("Kari", "sms")).id == karis.id


async def test_the_last_one_that_reaches_somebody_on_duty_goes_only_when_they_say_so_again(
    migrated_url: str, broker: Broker
) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        number, kari = await town.adds("Kari", "sms", "+4740000001"), await town.who("Kari")
        assert await refused(town.front.remove_contact(kari, number.id)) == "last_contact"
        other = await town.adds("Kari", "sms", "+4740000002")
        await town.front.remove_contact(kari, number.id)
        assert await refused(town.front.remove_contact(kari, other.id)) == "last_contact"
        await town.front.remove_contact(kari, other.id, confirmed=True)
        assert [each.channel for each in (await town.front.contacts(kari)).contacts] == ["in_app"]
        # Off duty nobody is asked; and what was removed can come back, as if nothing were known of it.
        await town.off_duty("Kari")
        again = await town.adds("Kari", "sms", "+4740000002")
        await town.front.remove_contact(kari, again.id)
        assert [each["params"] for each in await town.audited("contact.removed")] == [{"channel": "sms"}] * 3


async def test_the_address_of_a_contact_that_was_removed_is_forgotten(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        number, kari = await town.adds("Kari", "sms", "+4740000001"), await town.who("Kari")
        await town.front.remove_contact(kari, number.id, confirmed=True)
        await town.passes(hours=1)
        await town.gateway.timekeeper.prune()
        kept = "SELECT address FROM contact WHERE uid = %s"
        assert (await town.rows(kept, number.id))[0]["address"] == "+4740000001"
        await town.rows("UPDATE contact SET removed_at = removed_at - interval '36 days' WHERE uid = %s", number.id)
        await town.gateway.timekeeper.prune()
        assert (await town.rows(kept, number.id))[0]["address"] == str(number.id)


async def test_a_lead_sees_of_colleagues_which_kinds_and_how_they_stand_and_no_address(
    migrated_url: str, broker: Broker
) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        await town.adds("Kari", "sms", "+4740000001")
        staff = await town.front.people(await town.who("Siri"), schemas.StaffQuery())
        (kari,) = [each for each in staff.people if each.name == "Kari"]
        assert [(each.channel, each.state) for each in kari.contacts] == [
            ("in_app", State.NOT_TESTED),
            ("sms", State.NOT_TESTED),
        ]
        assert "4740000001" not in staff.model_dump_json()


# Tests ----------------------------------------------------------------------------------------------------------------


async def test_a_test_goes_by_mail_and_is_confirmed_by_its_link(
    migrated_url: str, broker: Broker, smtp: MailServer
) -> None:
    async with town_with_sms(migrated_url, broker, smtp) as town:
        await town.adds("Kari", "email", KARIS)
        test = await town.tests("Kari", "email")
        assert await town.news() == ["Kari (email)"], "that contact, and nobody else's nor another one of hers"
        (message,) = smtp.messages
        body = message.get_content()
        assert message["Subject"] == "Prøvevarsel: ingen trenger hjelp. Bekreft at det kom fram"
        assert "Sone" not in f"{message['Subject']}{body}"
        (link,) = re.findall(r"https?://\S+/confirm/\S+", body)
        path = httpx.URL(link).path

        # To look at it – as programs that check links do – confirms nothing.
        shown = await town.http.get(path)
        assert (shown.status_code, "Ja, det kom til telefonen min" in shown.text) == (200, True)
        assert (await town.mine("Kari", "email")).state is State.WAITS
        foreign = await town.http.post(path, headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403
        assert (await town.mine("Kari", "email")).state is State.WAITS

        confirmed = await town.http.post(path, headers={"Sec-Fetch-Site": "same-origin"}, follow_redirects=True)
        assert "Bekreftet" in confirmed.text
        await town.settle()
        mail = await town.mine("Kari", "email")
        assert (mail.state, mail.confirmed_at) == (State.WORKS, town.now)
        assert (await town.timeline(test))[-3:] == ["test_confirmed", "cleared", "closed"]
        assert await town.states(test) == [("Kari", "answered")]
        again = await town.http.post(path, headers={"Sec-Fetch-Site": "same-origin"}, follow_redirects=True)
        assert "Bekreftet" in again.text
        await town.passes(hours=1)
        assert await town.news() == []


@pytest.mark.parametrize("language", ["nb", "nn", "en"])
async def test_a_test_says_that_it_is_one_in_every_language(migrated_url: str, broker: Broker, language: str) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        await town.adds("Kari", "sms", "+4740000001")
        await town.rows("UPDATE person SET language = %s WHERE id = %s", language, town.staff["Kari"])
        await town.tests("Kari", "sms")
        (sent,) = town.sms.sent
        assert sent.subject.lower().startswith(("prøve", "test"))
        assert sent.url == f"{sent.base_url}/confirm/{sent.page_key}"
        assert len(f"{sent.subject}, 12:00. {sent.url}") <= 160, "one message"


async def test_whoever_leads_is_told_when_nobody_confirms_it_and_hears_no_more_once_they_do(
    migrated_url: str, broker: Broker
) -> None:
    async with town_with_sms(migrated_url, broker, page_test_seconds=240) as town:
        await town.adds("Kari", "sms", "+4740000001")
        test = await town.tests("Kari", "sms")
        assert await town.news() == ["Kari (sms)"]
        await town.passes(seconds=239)
        assert await town.news() == []
        await town.passes(seconds=1)
        assert await town.news() == ["Siri"]
        assert (await town.mine("Kari", "sms")).state is State.UNCONFIRMED
        told = await town.rows("SELECT params FROM alert_entry JOIN alert a ON a.id = alert_id WHERE a.uid = %s", test)
        assert "4740000001" not in str(told)
        await town.passes(hours=6)
        assert await town.news() == [], "once"
        await town.front.claim_page(town.sms.key(), schemas.PageClaim())
        await town.settle()
        assert (await town.mine("Kari", "sms")).state is State.WORKS
        assert await town.open_tests() == []


async def test_being_signed_in_somewhere_confirms_nothing(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        await town.adds("Kari", "sms", "+4740000001")
        test = await town.tests("Kari", "sms")
        for name in ("Kari", "Siri", "Tek"):
            assert await town.refused(name, test, "claim") == "on_the_phone"
            assert (await town.front.alert_detail(await town.who(name), test)).answers == []
        # Once the lead has been told it is theirs, as every notice is.
        await town.passes(minutes=5)
        await town.answers("Siri", test, "claim")
        await town.front.claim_page(town.sms.key(), schemas.PageClaim())
        assert await town.open_tests() == []


async def test_a_test_is_called_off_renewed_and_not_sent_twice_a_minute(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        number, kari = await town.adds("Kari", "sms", "+4740000001"), await town.who("Kari")
        await town.tests("Kari", "sms")
        first = town.sms.key()
        assert await refused(town.front.test_contact(kari, number.id)) == "just_sent"
        await town.passes(seconds=61)
        await town.tests("Kari", "sms")
        assert len(town.sms.sent) == 2
        assert await refused(town.front.claim_page(first, schemas.PageClaim())) == "over"
        called_off = await town.front.call_off_test(kari, number.id)
        assert called_off.state is State.NOT_TESTED
        await town.passes(minutes=10)
        assert await town.news() == ["Kari (sms)", "Kari (sms)"], "nobody else"
        assert await refused(town.front.claim_page(town.sms.key(), schemas.PageClaim())) == "over"
        # The app on a screen rings nowhere; there is nothing to test.
        app = await town.mine("Kari", "in_app")
        assert await refused(town.front.test_contact(kari, app.id)) == "rings_nowhere"


async def test_a_broken_contact_is_mended_by_a_test_that_is_confirmed_and_not_by_one_that_fails(
    migrated_url: str, broker: Broker
) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        await town.adds("Kari", "sms", "+4740000001")
        town.sms.dead.add("+4740000001")
        await town.front.test_contact(await town.who("Kari"), (await town.mine("Kari", "sms")).id)
        await town.settle()
        broken = await town.mine("Kari", "sms")
        assert (broken.state, broken.reason) == (State.BROKEN, "410 there is no such phone")
        assert await town.open_tests() == [], "the word that it is broken says it all"
        assert sorted(await town.news()) == ["Kari", "Siri"], "both hear that it is broken, once"
        await town.passes(minutes=2)
        await town.front.test_contact(await town.who("Kari"), broken.id)
        await town.settle()
        assert (await town.news(), await town.open_tests()) == ([], [])

        town.sms.dead.clear()
        await town.passes(minutes=2)
        await town.tests("Kari", "sms")
        assert (await town.mine("Kari", "sms")).state is State.WAITS
        await town.front.claim_page(town.sms.key(), schemas.PageClaim())
        await town.settle()
        assert (await town.mine("Kari", "sms")).state is State.WORKS
        assert await town.rows("SELECT 1 FROM alert WHERE closed_at IS NULL") == []


async def test_a_test_that_cannot_be_sent_tells_the_lead_at_once(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        await town.adds("Kari", "sms", "+4740000001")
        test = await town.tests("Kari", "sms")
        await town.front.page_heard(town.sms.key(), Receipt.RECEIVED)
        await town.passes(minutes=1)
        assert await town.news() == ["Kari (sms)"], "to be received is not to be confirmed"
        await town.front.call_off_test(await town.who("Kari"), (await town.mine("Kari", "sms")).id)
        assert (await town.timeline(test))[-3:] == ["test_called_off", "cleared", "closed"]


async def test_a_test_that_several_confirm_at_the_last_moment_is_confirmed_once_and_told_to_nobody_after(
    migrated_url: str, broker: Broker
) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        await town.adds("Kari", "sms", "+4740000001")
        test = await town.tests("Kari", "sms")
        await town.passes(minutes=4, seconds=59)
        key = town.sms.key()
        town.gateway.controlled.move_to(town.now + timedelta(seconds=1))  # type: ignore[union-attr]
        replies = await asyncio.gather(
            *(town.front.claim_page(key, schemas.PageClaim()) for _ in range(4)),
            town.gateway.timekeeper.run_once(),
            town.front.page_heard(key, Receipt.SHOWN),
        )
        assert {each.stage for each in replies[:4]} == {"closed"}
        await town.settle()
        assert (await town.timeline(test)).count("test_confirmed") == 1
        assert len(await town.audited("contact.confirmed")) == 1
        assert await town.rows("SELECT 1 FROM alert WHERE closed_at IS NULL") == []
        assert await town.rows("SELECT 1 FROM page WHERE state IN ('queued', 'leased')") == []


async def test_a_test_outlives_the_contact_neither_when_it_is_removed_nor_when_its_person_leaves(
    migrated_url: str, broker: Broker
) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        number = await town.adds("Kari", "sms", "+4740000001")
        await town.tests("Kari", "sms")
        await town.front.remove_contact(await town.who("Kari"), number.id, confirmed=True)
        assert await town.open_tests() == []
        assert await refused(town.front.claim_page(town.sms.key(), schemas.PageClaim())) == "over"
        await town.passes(minutes=10)
        assert await town.news() == ["Kari (sms)"]
