"""Checking in to a shift tests what pages come to first, and tells whoever leads of who has nothing that rings."""

from __future__ import annotations

import pytest

from alerts.contacts import State
from gateway.api import schemas
from gateway.embedded import Broker
from tests.support.contacts import town_with_sms
from tests.support.push_service import PushService


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
