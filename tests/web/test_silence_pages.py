"""The pages of silences: what somebody sees, what their forms send, and what they are told where it is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from alerts.model import Track
from alerts.silence import Kind, Reason
from tests.web import fake, fake_alerts, fake_people, fake_rules
from tests.web.fake_silences import AWAY, DOOR, FIRE, SOLVEIG, ZONE

TOKEN = {"csrf_token": "csrf-of-this-session"}
LEAD = replace(fake_people.Who(), roles=frozenset({"lead"}))


@pytest.fixture
async def lead(nurse: httpx.AsyncClient, front: fake.FakeFront) -> httpx.AsyncClient:
    front.sessions["token"] = LEAD
    return nurse


async def test_the_ledger_says_what_waits_first_and_ends_with_one_button(
    lead: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    page = (await lead.get("/silences")).text
    assert page.index(str(AWAY)) < page.index(str(FIRE)) < page.index(str(DOOR))
    for told in ("Dør åpnet om natten", "Siri Hodne", "Holdt tilbake: 4, sist 03:02", "1 pågår fortsatt", "Er tilbake"):
        assert told in page, told
    reply = await lead.post(f"/silences/{DOOR}/end", data={**TOKEN, "version": "2"})
    assert (reply.status_code, reply.headers["location"]) == (303, f"/silences/{DOOR}")
    await lead.post(f"/silences/{FIRE}/consent", data={**TOKEN, "version": "2"})
    assert front.silenced.done == [("end", DOOR), ("consent", FIRE)]


async def test_somebody_on_the_road_sees_them_and_is_led_to_none_that_they_may_not_set(
    nurse: httpx.AsyncClient,
) -> None:
    page = (await nurse.get("/silences")).text
    assert str(DOOR) in page
    assert "/silences/new" not in page
    alerts = (await nurse.get("/alerts")).text
    assert "Dempet her: 3; holdt tilbake siden i går: 4" in alerts
    assert (await nurse.get(f"/silences/new?zone={ZONE.id}")).status_code == 403


async def test_a_device_is_silenced_from_its_page(lead: httpx.AsyncClient, front: fake.FakeFront) -> None:
    device = fake_rules.DEVICE.id
    assert f"/silences/new?device={device}" in (await lead.get(f"/devices/{device}")).text
    form = {**TOKEN, "kind": "silence", "device": str(device), "condition": "fall", "track": "care", "vital": "on"}
    asked = {**form, "reason": "repair", "note": "Byttes i morgen", "hours": "8"}
    reply = await lead.post("/silences/new", data=asked)
    assert (reply.status_code, reply.headers["location"]) == (303, f"/silences/{DOOR}")
    (made,) = front.silenced.asked
    assert (made.named, made.condition, made.track, made.vital) == (("device", device), "fall", Track.CARE, True)
    assert (made.reason, made.note, made.until) == (
        Reason.REPAIR,
        "Byttes i morgen",
        fake_people.NOW + timedelta(hours=8),
    )


async def test_a_resident_is_away_until_a_time_by_the_clock_on_the_wall(
    lead: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    form = {**TOKEN, "kind": "away", "resident": str(SOLVEIG.id), "reason": "hospital", "until": "2026-11-25T12:00"}
    await lead.post("/silences/new", data={**form, "hours": "24"})
    (made,) = front.silenced.asked
    assert (made.kind, made.until) == (Kind.AWAY, datetime(2026, 11, 25, 11, 0, tzinfo=UTC))
    reply = await lead.post(f"/silences/{AWAY}/extend", data={**TOKEN, "version": "2", "hours": "72"})
    assert reply.status_code == 303
    assert front.silenced.longer[0].until == fake_people.NOW + timedelta(hours=72)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"hours": "8"}, "Velg en grunn."),
        ({"reason": "repair"}, "Velg en slutt"),
        ({"reason": "repair", "until": "i morgen"}, "Velg en slutt"),
        ({"reason": "repair", "hours": "99999"}, "Velg en slutt"),
        ({"reason": "lunch", "hours": "8"}, "Ikke sendt"),
    ],
)
async def test_what_cannot_be_read_is_said_in_the_form(
    lead: httpx.AsyncClient, front: fake.FakeFront, form: dict[str, str], told: str
) -> None:
    given = {**TOKEN, "kind": "silence", "zone": str(ZONE.id), "note": "Beholdes", **form}
    reply = await lead.post("/silences/new", data=given)
    assert reply.status_code == 422
    assert told in reply.text
    assert 'value="Beholdes"' in reply.text
    assert front.silenced.asked == []


@pytest.mark.parametrize(
    ("reason", "told"), [("stale", "Dempingen er endret"), ("same_person", "Det må en annen person til")]
)
async def test_what_is_refused_shows_the_silence_as_it_is(
    lead: httpx.AsyncClient, front: fake.FakeFront, reason: str, told: str
) -> None:
    front.silenced.refuse = reason
    for name in ("end", "consent", "extend"):
        reply = await lead.post(f"/silences/{FIRE}/{name}", data={**TOKEN, "version": "2", "hours": "8"})
        assert reply.status_code == 409
        assert told in reply.text
    for form in ({"version": "2"}, {**TOKEN, "version": "x"}):
        reply = await lead.post(f"/silences/{FIRE}/end", data=form)
        assert reply.status_code in (403, 422)


async def test_a_resident_who_is_away_shows_on_their_alerts(lead: httpx.AsyncClient, front: fake.FakeFront) -> None:
    fall = fake_alerts.alert().id
    front.change(fall, away_until=fake_people.ago(-600))
    for place in ("/alerts", "/desk", f"/alerts/{fall}"):
        assert "Beboeren er meldt bortreist til 13:14" in (await lead.get(place)).text, place
    assert f"/silences/new?kind=away&amp;resident={SOLVEIG.id}" in (await lead.get(f"/alerts/{fall}")).text
