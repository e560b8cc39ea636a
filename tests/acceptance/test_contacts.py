"""People keep how they are reached, test it, and add a phone by a code; what a test proves, and who hears when it is not confirmed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import time, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from alerts.contacts import State
from alerts.delivery import Receipt
from gateway.access import SESSION_COOKIE
from gateway.api import schemas
from gateway.api.app import create_app
from gateway.embedded import Broker
from gateway.errors import Problem
from gateway.store.sessions import LIFETIME
from tests.support.mail import MailServer
from tests.support.phones import Phones
from tests.support.push_service import PushService
from tests.support.world import PASSWORD, World, world

KARIS = "kari@example.org"
GATEWAY = "http://gateway.test"


class Town(World):
    """Kari, who is on duty, is in the app, and has a number where the story gives her one."""

    http: httpx.AsyncClient
    sms: Phones

    @property
    def front(self) -> Any:
        return self.gateway.front

    async def adds(self, name: str, channel: str, address: str) -> schemas.ContactView:
        request = schemas.ContactRequest(channel=channel, address=address)
        added: schemas.ContactView = await self.front.add_contact(await self.who(name), request)
        return added

    async def mine(self, name: str, channel: str) -> schemas.ContactView:
        listed = await self.front.contacts(await self.who(name))
        found: schemas.ContactView = next(each for each in listed.contacts if each.channel == channel)
        return found

    async def tests(self, name: str, channel: str) -> UUID:
        """Somebody tests a contact; the alert that it is."""
        await self.front.test_contact(await self.who(name), (await self.mine(name, channel)).id)
        await self.settle()
        (test,) = await self.open_tests()
        return test

    async def open_tests(self) -> list[UUID]:
        found = await self.rows("SELECT uid FROM alert WHERE condition = 'page_test' AND closed_at IS NULL ORDER BY id")
        return [each["uid"] for each in found]

    async def checks_in(self, name: str) -> None:
        await self.front.check_in(await self.who(name))
        await self.settle()

    async def uses_check_in(self, *, tests: bool | None = None) -> None:
        (zone,) = await self.rows("SELECT uid FROM zone WHERE id = %s", self.zones["Sone"])
        setting = schemas.CheckInSetting(minutes=30, tests=tests)
        await self.front.set_check_in(await self.who("Siri"), zone["uid"], setting)
        await self.settle()

    async def audited(self, action: str) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM audit WHERE action = %s ORDER BY id", action)


@asynccontextmanager
async def town_with_sms(url: str, broker: Broker, smtp: MailServer | None = None, **more: Any) -> AsyncIterator[Town]:
    sms = Phones()
    async with world(url, broker, smtp, channels={"sms": sms}, **more) as made:
        app = create_app(made.gateway.front, made.gateway, made.gateway.clock)
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url=GATEWAY) as http:
            town = Town(made.gateway, made.site, made.broker, made.clients, made.zones, made.staff, made._ids)
            town.client, town.obeying, town.http, town.sms = made.client, made.obeying, http, sms
            yield town


async def refused(doing: Awaitable[Any]) -> str:
    try:
        done = await doing
    except Problem as problem:
        return problem.reason
    raise AssertionError(f"it was done: {done}")


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


# At check-in ----------------------------------------------------------------------------------------------------------


async def test_checking_in_sends_a_test_to_the_first_contact_and_tells_the_lead_if_it_is_not_confirmed(
    migrated_url: str, broker: Broker
) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        await town.adds("Kari", "sms", "+4740000001")
        await town.adds("Kari", "sms", "+4740000002")
        await town.uses_check_in()
        await town.news()
        await town.checks_in("Kari")
        assert [each.address for each in town.sms.sent] == ["+4740000001"]
        await town.checks_in("Kari")
        assert len(town.sms.sent) == 1, "to say it again changes nothing"
        await town.passes(minutes=5)
        assert await town.news() == ["Kari (sms)", "Siri"]
        assert (await town.audited("contact.tested_at_check_in"))[0]["actor_id"] == town.staff["Kari"]


async def test_whoever_has_confirmed_lately_is_not_tested_again(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker, page_test_hours=12) as town:
        await town.adds("Kari", "sms", "+4740000001")
        await town.uses_check_in()
        await town.checks_in("Kari")
        await town.front.claim_page(town.sms.key(), schemas.PageClaim())
        for hours, sent in ((6, 1), (7, 2)):
            await town.front.check_out(await town.who("Kari"))
            await town.passes(hours=hours)
            await town.checks_in("Kari")
            assert len(town.sms.sent) == sent


async def test_an_answer_that_came_with_a_page_shows_as_well_that_the_phone_works(
    migrated_url: str, broker: Broker
) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        await town.adds("Kari", "sms", "+4740000001")
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        await town.front.claim_page(town.sms.key(), schemas.PageClaim())
        await town.uses_check_in()
        await town.checks_in("Kari")
        assert len(town.sms.sent) == 1
        assert (await town.mine("Kari", "sms")).state is State.WORKS


async def test_where_the_zone_does_not_want_it_checking_in_tests_nothing(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        await town.adds("Kari", "sms", "+4740000001")
        await town.uses_check_in(tests=False)
        await town.checks_in("Kari")
        assert (town.sms.sent, await town.open_tests()) == ([], [])


async def test_a_phone_that_has_registered_itself_is_tested_at_check_in_as_any_other_contact(
    migrated_url: str, broker: Broker
) -> None:
    """That the app was opened on it is no sign that it rings."""
    with PushService() as service:
        async with town_with_sms(migrated_url, broker, push_private_endpoints=True, page_test_seconds=300) as town:
            kari, phone = await town.who("Kari"), service.phone()
            of = phone.subscription
            keys = schemas.PushKeys(p256dh=of.p256dh, auth=of.auth)
            await town.front.push_subscribe(kari, schemas.PushRequest(endpoint=of.endpoint, keys=keys))
            assert (await town.mine("Kari", "web_push")).state is State.NOT_TESTED
            await town.uses_check_in()
            await town.news()
            await town.checks_in("Kari")
            (pushed,) = service.told
            assert pushed["title"].startswith("Prøvevarsel")
            # Opening the app meanwhile confirms nothing.
            await town.passes(minutes=4)
            await town.front.push_subscribe(kari, schemas.PushRequest(endpoint=of.endpoint, keys=keys))
            await town.passes(minutes=1)
            assert await town.news() == ["Kari (web_push)", "Siri"]
            assert (await town.mine("Kari", "web_push")).state is State.UNCONFIRMED
            await town.front.claim_page(pushed["page"], schemas.PageClaim())
            assert (await town.mine("Kari", "web_push")).state is State.WORKS
            await town.front.check_out(kari)
            await town.passes(hours=1)
            await town.checks_in("Kari")
            assert len([each for each in service.told if each["kind"] == "page"]) == 1, "confirmed lately"


@pytest.mark.parametrize("why", ["the app alone", "broken"])
async def test_the_lead_is_told_at_once_and_once_for_a_shift_of_whoever_has_nothing_that_rings(
    migrated_url: str, broker: Broker, why: str
) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        if why == "broken":
            await town.adds("Kari", "sms", "+4740000001")
            await town.rows("UPDATE contact SET broken_reason = 'gone', broken_at = now() WHERE channel = 'sms'")
        await town.uses_check_in()
        await town.news()
        await town.checks_in("Kari")
        assert (town.sms.sent, await town.open_tests()) == ([], [])
        assert await town.news() == ["Siri"]
        (told,) = await town.alerts("nothing_rings", track="technical")
        assert (await town.timeline(told["uid"]))[-1] == "nothing_rings"
        await town.front.check_out(await town.who("Kari"))
        assert (await town.timeline(told["uid"]))[-1] == "closed"
        await town.checks_in("Kari")
        assert (await town.news(), len(await town.alerts("nothing_rings", track="technical"))) == ([], 1), (
            "once for a shift"
        )


async def test_it_is_over_when_somebody_checks_in_with_something_that_rings(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        await town.uses_check_in()
        await town.checks_in("Kari")
        (told,) = await town.alerts("nothing_rings", track="technical")
        await town.rows("UPDATE check_in SET out_at = %s", town.now)
        await town.adds("Kari", "sms", "+4740000001")
        await town.checks_in("Kari")
        assert ((await town.timeline(told["uid"]))[-1], len(town.sms.sent)) == ("closed", 1)


async def test_it_is_over_when_a_new_contact_is_confirmed(migrated_url: str, broker: Broker) -> None:
    async with town_with_sms(migrated_url, broker) as town:
        await town.uses_check_in()
        await town.checks_in("Kari")
        (told,) = await town.alerts("nothing_rings", track="technical")
        await town.adds("Kari", "sms", "+4740000001")
        await town.front.test_contact(await town.who("Kari"), (await town.mine("Kari", "sms")).id)
        await town.settle()
        assert (await town.timeline(told["uid"]))[-1] != "closed"
        await town.front.claim_page(town.sms.key(), schemas.PageClaim())
        assert (await town.timeline(told["uid"]))[-1] == "closed"


# A phone --------------------------------------------------------------------------------------------------------------


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
