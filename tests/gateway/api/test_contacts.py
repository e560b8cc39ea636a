"""One's own contacts and sessions over HTTP, by the typed client and by hand."""

from __future__ import annotations

from datetime import time
from uuid import UUID

import pytest

from alerts.contacts import State
from gateway.api import schemas
from gateway.client import ProblemError
from gateway.embedded import Broker
from tests.gateway.served import API, problem, served
from tests.support.phones import Phones


async def test_contacts_are_kept_by_their_own_person(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker, channels={"sms": Phones()}) as it, await it.client("Kari") as kari:
        first = await kari.add_contact(schemas.ContactRequest(channel="sms", address="+47 400 00 001"))
        second = await kari.add_contact(schemas.ContactRequest(channel="sms", address="+4740000002"))
        listed = await kari.contacts()
        assert [each.address for each in listed.contacts] == ["", "+4740000001", "+4740000002"]
        assert (listed.may_add, listed.by_phone, listed.told_after) == (["sms"], True, 300)

        app = listed.contacts[0]
        turned = await kari.order_contacts(schemas.ContactOrder(ids=[second.id, first.id, app.id]))
        assert [each.id for each in turned.contacts] == [second.id, first.id, app.id]
        quiet = await kari.set_quiet_hours(first.id, schemas.QuietHours(quiet_from=time(22), quiet_to=time(7)))
        assert (quiet.quiet_from, quiet.quiet_to) == (time(22), time(7))
        assert (await kari.test_contact(first.id)).state is State.WAITS
        assert (await kari.call_off_test(first.id)).state is State.NOT_TESTED
        await kari.remove_contact(first.id)
        with pytest.raises(ProblemError) as refused:
            await kari.remove_contact(second.id)
        assert refused.value.reason == "last_contact"
        await kari.remove_contact(second.id, confirmed=True)
        assert [each.channel for each in (await kari.contacts()).contacts] == ["in_app"]


@pytest.mark.parametrize(
    "body",
    [
        {"quiet_from": "22:00", "quiet_to": None},
        {"quiet_from": "22:00"},
        {"quiet_from": "07:00", "quiet_to": "07:00"},
        {"quiet_from": "22:00+01:00", "quiet_to": "07:00"},
        {"quiet_from": "25:00", "quiet_to": "07:00"},
        {"quiet_from": None, "quiet_to": None, "position": 3},
    ],
)
async def test_quiet_hours_that_make_no_sense_are_refused(
    migrated_url: str, broker: Broker, body: dict[str, object]
) -> None:
    async with served(migrated_url, broker) as it:
        (app,) = (await it.get("Kari", "/me/contacts")).json()["contacts"]
        headers = await it.bearer("Kari")
        problem(await it.http.patch(f"{API}/me/contacts/{app['id']}", json=body, headers=headers), 422)


async def test_sessions_are_seen_and_ended_by_their_own_person(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it, await it.client("Kari") as kari:
        phone = (await it.sign_in("kari")).json()
        there = await kari.signed_in_at()
        assert [(each.id == UUID(phone["id"]), each.this) for each in there] == [(True, False), (False, True)]
        ola = await it.bearer("Ola")
        problem(await it.http.delete(f"{API}/me/sessions/{phone['id']}", headers=ola), 404, "session")
        await kari.end_session(UUID(phone["id"]))
        gone = await it.http.get(f"{API}/me", headers={"Authorization": f"Bearer {phone['token']}"})
        problem(gone, 401, "session")
