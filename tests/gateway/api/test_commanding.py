"""Commands over the API: asked for, seen, and refused with a reason."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from gateway.embedded import Broker
from tests.gateway.served import API, Served, problem, served

NASTY: tuple[dict[str, Any], ...] = (
    {"device": "x"},
    {"device": None},
    {"command": ""},
    {"command": "x" * 65},
    {"command": 7},
    {"reason": "because"},
    {"reason": "Inn til Solveig"},
    {"valid_seconds": 9},
    {"valid_seconds": 301},
    {"valid_seconds": "x"},
    {"by": str(uuid4())},
)


async def post(it: Served, name: str, alert: Any, **more: Any) -> httpx.Response:
    headers = {**await it.bearer(name), "Idempotency-Key": more.pop("key", str(uuid4()))}
    return await it.http.post(f"{API}/alerts/{alert}/commands", json=more, headers=headers)


async def test_the_whole_way(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        device = await it.town.fits(home, "e_lock")
        await it.town.says(home.fall_alarm, "fall")
        fall = (await it.town.alert("fall"))["uid"]
        (lock,) = (await it.detail("Kari", fall))["locks"]
        assert (lock["kind"], lock["placed"], lock["parts"], lock["given"]) == ("e_lock", "gang", [], [])
        assert lock["commands"] == [
            {"command": "unlock", "label": "Lås opp"},
            {"command": "unlatch", "label": "Lås opp og åpne"},
            {"command": "lock", "label": "Lås"},
        ]
        asked: dict[str, Any] = {"device": lock["device"], "command": "unlatch", "reason": "get_in"}
        reply = await post(it, "Kari", fall, **asked)
        assert reply.status_code == 202, reply.text
        assert (reply.json()["state"], reply.json()["requested_by"]["name"]) == ("requested", "Kari")
        await it.town.settle()
        await it.town.says(device, "unlatched", command=reply.json()["id"])
        (lock,) = (await it.detail("Vakt", fall))["locks"]
        assert lock["given"][0]["outcome_text"] == "Døra ble låst opp og åpnet"
        assert lock["commands"] == [], "the centre sees it, and was not called"
        told = [each["text"] for each in (await it.detail("Kari", fall))["timeline"]][-3:]
        assert told == [
            "Kari ber låsen: Lås opp og åpne. Hvorfor: For å komme inn",
            "Sendt til låsen: Lås opp og åpne",
            "Låsen har gjort det: Døra ble låst opp og åpnet",
        ]


async def test_refusals(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        await it.town.fits(home, "e_lock")
        await it.town.says(home.fall_alarm, "fall")
        fall = (await it.town.alert("fall"))["uid"]
        (lock,) = (await it.detail("Kari", fall))["locks"]
        good = {"device": lock["device"], "command": "unlock", "reason": "get_in"}
        for nasty in NASTY:
            problem(await post(it, "Kari", fall, **{**good, **nasty}), 422)
        problem(await post(it, "Kari", fall, **{**good, "device": str(uuid4())}), 422, "device")
        problem(await post(it, "Kari", uuid4(), **good), 404, "alert")
        problem(await post(it, "Liv", fall, **good), 404, "alert")
        problem(await post(it, "Vakt", fall, **good), 403, "not_called")
        problem(await post(it, "Kari", fall, **good, key="\x00"), 422, "key")
        assert (await post(it, "Kari", fall, **good, key="k")).status_code == 202
        problem(await post(it, "Kari", fall, **good), 409, "busy")
        problem(await post(it, "Kari", fall, **{**good, "reason": "test"}, key="k"), 409, "key_reused")
        problem(await it.answer("Kari", fall, "claim", key="k"), 409, "key_reused")


@pytest.mark.parametrize("fitted", [True, False])
async def test_a_home_without_a_lock_shows_none(migrated_url: str, broker: Broker, fitted: bool) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        if fitted:
            await it.town.fits(home, "door_sensor")
        await it.town.says(home.fall_alarm, "fall")
        assert (await it.detail("Kari", (await it.town.alert("fall"))["uid"]))["locks"] == []
