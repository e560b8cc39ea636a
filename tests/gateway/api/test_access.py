"""Who may call what, and who sees which alert. A route that is not in the table here fails."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import APIRouter, Depends
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount

from gateway.access import (
    ANYBODY,
    AUDITORS,
    CONSENTERS,
    KEEPERS,
    LEADERS,
    OVERSEERS,
    PLANNERS,
    POLICY_MAKERS,
    RESPONDERS,
    RULERS,
    Role,
)
from gateway.api.access import Access
from gateway.api.app import check_declared
from gateway.embedded import Broker
from tests.gateway.served import API, Served, problem, served
from tests.support.push_service import Phone
from tests.support.rules import own

PUBLIC, SIGNED_IN, PAGE, OPEN_PAGE = "public", "signed in", "page", "open page"
STREAMS = {f"{API}/changes", "/events"}
CLASSES: dict[tuple[str, str], str | frozenset[Role]] = {
    ("POST", f"{API}/sessions"): PUBLIC,
    ("DELETE", f"{API}/sessions/current"): SIGNED_IN,
    ("GET", f"{API}/me"): ANYBODY,
    ("PUT", f"{API}/me/language"): ANYBODY,
    ("GET", f"{API}/me/sessions"): SIGNED_IN,
    ("DELETE", f"{API}/me/sessions/{{uid}}"): SIGNED_IN,
    ("GET", f"{API}/me/contacts"): ANYBODY,
    ("POST", f"{API}/me/contacts"): ANYBODY,
    ("PUT", f"{API}/me/contacts/order"): ANYBODY,
    ("PATCH", f"{API}/me/contacts/{{uid}}"): ANYBODY,
    ("DELETE", f"{API}/me/contacts/{{uid}}"): ANYBODY,
    ("POST", f"{API}/me/contacts/{{uid}}/test"): ANYBODY,
    ("DELETE", f"{API}/me/contacts/{{uid}}/test"): ANYBODY,
    ("GET", f"{API}/alerts"): ANYBODY,
    ("GET", f"{API}/alerts/{{uid}}"): ANYBODY,
    ("GET", f"{API}/alerts/{{uid}}/path"): OVERSEERS,
    ("POST", f"{API}/alerts/{{uid}}/answers"): ANYBODY,
    ("POST", f"{API}/alerts/{{uid}}/commands"): ANYBODY,
    ("GET", f"{API}/changes"): ANYBODY,
    ("GET", f"{API}/pages/{{key}}"): PUBLIC,
    ("POST", f"{API}/pages/{{key}}/received"): PUBLIC,
    ("POST", f"{API}/pages/{{key}}/shown"): PUBLIC,
    ("POST", f"{API}/pages/{{key}}/claim"): PUBLIC,
    ("GET", f"{API}/quarantine"): OVERSEERS,
    ("POST", f"{API}/quarantine/decode"): OVERSEERS,
    ("POST", f"{API}/quarantine/{{uid}}/decode"): OVERSEERS,
    ("GET", f"{API}/sites"): ANYBODY,
    ("GET", f"{API}/rules"): ANYBODY,
    ("GET", f"{API}/rules/{{uid}}"): ANYBODY,
    ("GET", f"{API}/rule-types"): ANYBODY,
    ("PUT", f"{API}/rules"): RULERS,
    ("POST", f"{API}/rules/preview"): RULERS,
    ("POST", f"{API}/rules/{{uid}}/withdraw"): RULERS,
    ("GET", f"{API}/silences"): ANYBODY,
    ("POST", f"{API}/silences"): OVERSEERS,
    ("GET", f"{API}/silences/count"): ANYBODY,
    ("GET", f"{API}/silences/draft"): OVERSEERS,
    ("GET", f"{API}/silences/{{uid}}"): ANYBODY,
    ("POST", f"{API}/silences/{{uid}}/consent"): CONSENTERS,
    ("POST", f"{API}/silences/{{uid}}/extend"): OVERSEERS,
    ("POST", f"{API}/silences/{{uid}}/end"): ANYBODY,
    ("GET", f"{API}/devices"): OVERSEERS,
    ("POST", f"{API}/devices"): KEEPERS,
    ("GET", f"{API}/devices/{{uid}}"): OVERSEERS,
    ("GET", f"{API}/observations"): OVERSEERS,
    ("GET", f"{API}/observations/buckets"): OVERSEERS,
    ("GET", f"{API}/observations/counted"): OVERSEERS,
    ("PATCH", f"{API}/devices/{{uid}}"): KEEPERS,
    ("POST", f"{API}/devices/{{uid}}/fit"): KEEPERS,
    ("POST", f"{API}/devices/{{uid}}/move"): KEEPERS,
    ("POST", f"{API}/devices/{{uid}}/take-down"): KEEPERS,
    ("GET", f"{API}/devices/{{uid}}/doses"): OVERSEERS,
    ("POST", f"{API}/devices/{{uid}}/doses"): KEEPERS,
    ("POST", f"{API}/doses/{{uid}}/end"): KEEPERS,
    ("GET", f"{API}/residents"): ANYBODY,
    ("POST", f"{API}/residents"): KEEPERS,
    ("GET", f"{API}/residents/{{uid}}"): ANYBODY,
    ("GET", f"{API}/residents/{{uid}}/access-log"): AUDITORS,
    ("PATCH", f"{API}/residents/{{uid}}"): KEEPERS,
    ("POST", f"{API}/residents/{{uid}}/move-in"): KEEPERS,
    ("POST", f"{API}/residents/{{uid}}/move-out"): KEEPERS,
    ("GET", f"{API}/dwellings"): ANYBODY,
    ("POST", f"{API}/dwellings"): KEEPERS,
    ("GET", f"{API}/dwellings/{{uid}}"): ANYBODY,
    ("PATCH", f"{API}/dwellings/{{uid}}"): KEEPERS,
    ("GET", f"{API}/zones"): ANYBODY,
    ("GET", f"{API}/people"): LEADERS,
    ("GET", f"{API}/people/{{uid}}"): LEADERS,
    ("GET", f"{API}/rosters/{{uid}}"): ANYBODY,
    ("GET", f"{API}/rosters/{{uid}}/duty"): ANYBODY,
    ("PUT", f"{API}/rosters/{{uid}}/check-in"): PLANNERS,
    ("POST", f"{API}/rosters/{{uid}}/shifts"): PLANNERS,
    ("POST", f"{API}/shifts/{{uid}}/end"): PLANNERS,
    ("POST", f"{API}/rosters/{{uid}}/rotations"): PLANNERS,
    ("POST", f"{API}/rosters/{{uid}}/patterns"): PLANNERS,
    ("POST", f"{API}/rosters/{{uid}}/patterns/end"): PLANNERS,
    ("POST", f"{API}/rosters/{{uid}}/preview"): PLANNERS,
    ("POST", f"{API}/rotations/{{uid}}/end"): PLANNERS,
    ("POST", f"{API}/rosters/{{uid}}/overrides"): PLANNERS,
    ("POST", f"{API}/overrides/{{uid}}/withdraw"): PLANNERS,
    ("POST", f"{API}/rosters/{{uid}}/swaps"): ANYBODY,
    ("POST", f"{API}/swaps/{{uid}}/answer"): ANYBODY,
    ("POST", f"{API}/rosters/{{uid}}/import"): PLANNERS,
    ("GET", f"{API}/absences"): ANYBODY,
    ("POST", f"{API}/absences"): ANYBODY,
    ("PATCH", f"{API}/absences/{{uid}}"): ANYBODY,
    ("GET", f"{API}/me/duty"): ANYBODY,
    ("POST", f"{API}/me/check-in"): RESPONDERS,
    ("POST", f"{API}/me/check-out"): RESPONDERS,
    ("GET", f"{API}/feeds"): ANYBODY,
    ("POST", f"{API}/feeds"): ANYBODY,
    ("DELETE", f"{API}/feeds/{{uid}}"): ANYBODY,
    ("GET", f"{API}/policies"): ANYBODY,
    ("GET", f"{API}/policies/{{uid}}"): ANYBODY,
    ("POST", f"{API}/policies"): POLICY_MAKERS,
    ("PUT", f"{API}/policies/{{uid}}"): POLICY_MAKERS,
    ("POST", f"{API}/policies/{{uid}}/withdraw"): POLICY_MAKERS,
    ("GET", f"{API}/policy-options"): POLICY_MAKERS,
    ("GET", f"{API}/rehearsal"): OVERSEERS,
    ("GET", f"{API}/reach"): OVERSEERS,
    ("GET", f"{API}/teams"): LEADERS,
    ("POST", f"{API}/teams"): POLICY_MAKERS,
    ("GET", f"{API}/teams/{{uid}}"): LEADERS,
    ("PUT", f"{API}/teams/{{uid}}"): POLICY_MAKERS,
    ("POST", f"{API}/teams/{{uid}}/withdraw"): POLICY_MAKERS,
    ("GET", f"{API}/push/key"): ANYBODY,
    ("PUT", f"{API}/push/subscription"): ANYBODY,
    ("DELETE", f"{API}/push/subscription/{{uid}}"): ANYBODY,
    ("POST", f"{API}/push/subscription/{{uid}}/test"): ANYBODY,
    ("GET", f"{API}/commands"): ANYBODY,
    ("GET", f"{API}/commands/{{uid}}"): ANYBODY,
    ("GET", f"{API}/statistics/fleet"): OVERSEERS,
    ("GET", f"{API}/statistics/fleet.csv"): OVERSEERS,
    ("GET", f"{API}/statistics/activity"): OVERSEERS,
    ("GET", f"{API}/statistics/activity.csv"): OVERSEERS,
    ("GET", f"{API}/statistics/alerts"): LEADERS,
    ("GET", f"{API}/statistics/alerts.csv"): LEADERS,
    ("POST", f"{API}/callbacks/{{channel}}/status"): PUBLIC,
    ("POST", f"{API}/callbacks/{{channel}}/inbound"): PUBLIC,
    ("POST", f"{API}/callbacks/{{channel}}/pressed"): PUBLIC,
    ("GET", f"{API}/statistics/answers"): LEADERS,
    ("GET", f"{API}/statistics/answers.csv"): LEADERS,
    ("GET", f"{API}/statistics/devices"): OVERSEERS,
    ("GET", f"{API}/statistics/devices.csv"): OVERSEERS,
    ("GET", f"{API}/statistics/residents"): LEADERS,
    ("GET", f"{API}/statistics/residents.csv"): LEADERS,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("GET", "/contracts"): PUBLIC,
    ("GET", "/contracts/{name:path}"): PUBLIC,
    ("GET", "/health"): PUBLIC,
    ("GET", "/health/live"): PUBLIC,
    ("GET", "/health/ready"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
    ("MOUNT", "/static"): PUBLIC,
    ("MOUNT", "/docs/assets"): PUBLIC,
    ("GET", "/"): OPEN_PAGE,
    ("GET", "/sign-in"): OPEN_PAGE,
    ("POST", "/sign-in"): OPEN_PAGE,
    ("POST", "/language"): OPEN_PAGE,
    ("GET", "/alerts/{uid}/answer"): OPEN_PAGE,
    ("GET", "/alerts/{uid}/command"): OPEN_PAGE,
    ("POST", "/sign-out"): PAGE,
    ("GET", "/alerts"): PAGE,
    ("GET", "/alerts/{uid}"): PAGE,
    ("GET", "/alerts/{uid}/path"): PAGE,
    ("POST", "/alerts/{uid}/answer"): PAGE,
    ("POST", "/alerts/{uid}/command"): PAGE,
    ("GET", "/quarantine"): PAGE,
    ("POST", "/quarantine/decode"): PAGE,
    ("POST", "/quarantine/{uid}/decode"): PAGE,
    ("GET", "/desk"): PAGE,
    ("GET", "/how-it-works"): OPEN_PAGE,
    ("GET", "/sites"): PAGE,
    ("GET", "/rules"): PAGE,
    ("GET", "/rules/edit"): PAGE,
    ("POST", "/rules/edit"): PAGE,
    ("GET", "/rules/{uid}"): PAGE,
    ("POST", "/rules/{uid}/withdraw"): PAGE,
    ("GET", "/policies"): PAGE,
    ("GET", "/policies/edit"): PAGE,
    ("POST", "/policies/edit"): PAGE,
    ("GET", "/policies/{uid}"): PAGE,
    ("POST", "/policies/{uid}/withdraw"): PAGE,
    ("GET", "/teams"): PAGE,
    ("GET", "/teams/edit"): PAGE,
    ("POST", "/teams/edit"): PAGE,
    ("GET", "/teams/{uid}"): PAGE,
    ("POST", "/teams/{uid}/withdraw"): PAGE,
    ("GET", "/reach"): PAGE,
    ("GET", "/rehearsal"): PAGE,
    ("GET", "/silences"): PAGE,
    ("GET", "/silences/new"): PAGE,
    ("POST", "/silences/new"): PAGE,
    ("GET", "/silences/{uid}"): PAGE,
    ("POST", "/silences/{uid}/end"): PAGE,
    ("POST", "/silences/{uid}/extend"): PAGE,
    ("POST", "/silences/{uid}/consent"): PAGE,
    ("GET", "/figures"): PAGE,
    ("GET", "/devices"): PAGE,
    ("GET", "/devices/{uid}"): PAGE,
    ("GET", "/rosters"): PAGE,
    ("POST", "/rosters"): PAGE,
    ("GET", "/rosters/patterns"): PAGE,
    ("POST", "/rosters/patterns"): PAGE,
    ("GET", "/rosters/patterns/edit"): PAGE,
    ("POST", "/rosters/patterns/edit"): PAGE,
    ("GET", "/rosters/rotations/edit"): PAGE,
    ("POST", "/rosters/rotations/edit"): PAGE,
    ("GET", "/rosters/import"): PAGE,
    ("POST", "/rosters/import"): PAGE,
    ("GET", "/my-shifts"): PAGE,
    ("POST", "/my-shifts"): PAGE,
    ("GET", "/calendar/{token}.ics"): PUBLIC,
    ("GET", "/me/contacts"): PAGE,
    ("POST", "/me/contacts"): PAGE,
    ("GET", "/add-phone/{token}"): PUBLIC,
    ("POST", "/add-phone/{token}"): PUBLIC,
    ("GET", "/confirm/{key}"): PUBLIC,
    ("POST", "/confirm/{key}"): PUBLIC,
    ("GET", "/residents/{uid}/access-log"): PAGE,
    ("GET", "/sw.js"): PUBLIC,
    ("GET", "/words.js"): PUBLIC,
    ("GET", "/manifest.webmanifest"): PUBLIC,
    ("GET", "/offline"): PUBLIC,
    ("GET", "/phone"): PAGE,
    ("GET", "/events"): PAGE,
}
RULE = {"kind": "fall_alarm", "scope": {"zone": str(uuid4())}, "spec": own("fall_alarm", "button_pressed")}
STRETCH = {"begins": "2026-06-01T08:00:00Z", "ends": "2026-06-01T16:00:00Z"}
PHONE = Phone("https://push.example.com/1").subscription
SHIFT = {"weekday": 0, "start": "08:00", "end": "16:00", "from_date": "2026-06-01"}
PATTERN = {
    "person": str(uuid4()),
    "from_date": "2026-06-01",
    "shifts": [{"weekday": 0, "start": "08:00", "end": "16:00"}],
}
BODIES: dict[str, dict[str, Any]] = {
    f"{API}/me/language": {"json": {"language": "nb"}},
    f"{API}/push/subscription": {
        "json": {"endpoint": PHONE.endpoint, "keys": {"p256dh": PHONE.p256dh, "auth": PHONE.auth}}
    },
    f"{API}/me/contacts": {"json": {"channel": "in_app"}},
    f"{API}/me/contacts/order": {"json": {"ids": [str(uuid4())]}},
    f"{API}/me/contacts/{{uid}}": {"json": {"quiet_from": "22:00", "quiet_to": "07:00"}},
    f"{API}/observations": {"params": {"device": str(uuid4())}},
    f"{API}/observations/buckets": {"params": {"device": str(uuid4())}},
    f"{API}/observations/counted": {"params": {"device": str(uuid4())}},
    f"{API}/statistics/activity": {"params": {"zone": str(uuid4())}},
    f"{API}/statistics/activity.csv": {"params": {"zone": str(uuid4())}},
    f"{API}/rules": {"json": RULE},
    f"{API}/silences": {"json": {"zone": str(uuid4()), "reason": "visit", "until": "2026-03-04T06:00:00Z"}},
    f"{API}/silences/draft": {"params": {"zone": str(uuid4())}},
    f"{API}/silences/{{uid}}/consent": {"json": {"version": 1}},
    f"{API}/silences/{{uid}}/extend": {"json": {"version": 1, "until": "2026-03-04T06:00:00Z"}},
    f"{API}/silences/{{uid}}/end": {"json": {"version": 1}},
    f"{API}/devices": {"json": {"site": "nowhere", "address": "x", "kind": "fall_alarm"}},
    f"{API}/devices/{{uid}}": {"json": {}},
    f"{API}/devices/{{uid}}/fit": {"json": {"dwelling": str(uuid4())}},
    f"{API}/devices/{{uid}}/move": {"json": {"dwelling": str(uuid4())}},
    f"{API}/devices/{{uid}}/take-down": {"json": {}},
    f"{API}/devices/{{uid}}/doses": {"json": {"local_time": "08:30"}},
    f"{API}/doses/{{uid}}/end": {"json": {}},
    f"{API}/residents": {"json": {"name": "Kåre", "dwelling": str(uuid4())}},
    f"{API}/residents/{{uid}}": {"json": {}},
    f"{API}/residents/{{uid}}/move-in": {"json": {"dwelling": str(uuid4())}},
    f"{API}/residents/{{uid}}/move-out": {"json": {}},
    f"{API}/dwellings": {"json": {"zone": str(uuid4()), "address": "Granveien 1"}},
    f"{API}/dwellings/{{uid}}": {"json": {}},
    f"{API}/rosters/{{uid}}/check-in": {"json": {"minutes": 10}},
    f"{API}/rosters/{{uid}}/shifts": {"json": {**SHIFT, "person": str(uuid4())}},
    f"{API}/shifts/{{uid}}/end": {"json": {"last_day": "2026-06-01", "version": 1}},
    f"{API}/rosters/{{uid}}/rotations": {
        "json": {"name": "Natt", "persons": [str(uuid4())], "first_day": "2026-06-01", "hand_over": "08:00"}
    },
    f"{API}/rosters/{{uid}}/patterns": {"json": PATTERN},
    f"{API}/rosters/{{uid}}/patterns/end": {
        "json": {"shifts": [{"id": str(uuid4()), "version": 1}], "last_day": "2026-06-01"}
    },
    f"{API}/rosters/{{uid}}/preview": {"json": {"pattern": PATTERN}},
    f"{API}/rotations/{{uid}}/end": {"json": {"last_day": "2026-06-01", "version": 1}},
    f"{API}/rosters/{{uid}}/overrides": {"json": {**STRETCH, "leaves": str(uuid4())}},
    f"{API}/overrides/{{uid}}/withdraw": {"json": {"version": 1}},
    f"{API}/rosters/{{uid}}/swaps": {"json": {"other": str(uuid4()), "mine": STRETCH, "theirs": STRETCH}},
    f"{API}/swaps/{{uid}}/answer": {"json": {"answer": "accept", "version": 1}},
    f"{API}/rosters/{{uid}}/import": {
        "json": {"calendar": "x", "source": "turnus", "since": "2026-06-01", "until": "2026-07-01"}
    },
    f"{API}/absences": {"json": {"person": str(uuid4())}},
    f"{API}/absences/{{uid}}": {"json": {"version": 1, "withdraw": True}},
    f"{API}/feeds": {"json": {"zone": str(uuid4())}},
    f"{API}/policies": {"json": {"scope": {"zone": str(uuid4())}, "policy": {}}},
    f"{API}/policies/{{uid}}": {"json": {"policy": {}, "version": 1}},
    f"{API}/policies/{{uid}}/withdraw": {"json": {"version": 1}},
    f"{API}/policy-options": {"params": {"zone": str(uuid4())}},
    f"{API}/rehearsal": {"params": {"zone": str(uuid4())}},
    f"{API}/teams": {"json": {"zone": str(uuid4()), "name": "Nattpatruljen"}},
    f"{API}/teams/{{uid}}": {"json": {"name": "Nattpatruljen", "members": [], "version": 1}},
    f"{API}/teams/{{uid}}/withdraw": {"json": {"version": 1}},
    f"{API}/rules/preview": {"json": RULE},
    f"{API}/rules/{{uid}}/withdraw": {"json": {"version": 1}},
    f"{API}/alerts/{{uid}}/answers": {"json": {"answer": "on_way"}, "headers": {"Idempotency-Key": "k"}},
    f"{API}/alerts/{{uid}}/commands": {
        "json": {"device": str(uuid4()), "command": "unlock", "reason": "test"},
        "headers": {"Idempotency-Key": "k"},
    },
}
HAVE = {"Kari": Role.RESPONDER, "Siri": Role.LEAD, "Vakt": Role.CENTRE, "Tek": Role.TECHNICAL, "Ada": Role.ADMIN}


def routes(every: list[BaseRoute]) -> list[tuple[str, str]]:
    """(method, path) of each, those of included routers too; HEAD goes with GET."""
    found: list[tuple[str, str]] = []
    for route in iter_route_contexts(every):
        methods = {"MOUNT"} if isinstance(route.original_route, Mount) else route.methods or {"?"}
        found += [(method, route.path or "?") for method in sorted(methods - {"HEAD"})]
    return found


async def call(it: Served, method: str, path: str, name: str | None) -> httpx.Response:
    """As somebody, or as nobody."""
    more = BODIES.get(path, {})
    headers = {**more.get("headers", {}), **(await it.bearer(name) if name else {})}
    where, params = path.format(uid=uuid4()), more.get("params")
    return await it.http.request(method, where, params=params, json=more.get("json"), headers=headers)


async def test_every_route_is_classified_and_declares_what_it_is(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        assert sorted(routes(it.app.routes)) == sorted(CLASSES), "say here who may call it"
        for route in iter_route_contexts(it.app.routes):
            path = route.path or ""
            if path.startswith(API):
                allowed = CLASSES[next(iter(route.methods or ())), path]
                declared = [each.call.roles for each in route.dependant.dependencies if isinstance(each.call, Access)]
                assert declared == {PUBLIC: [], SIGNED_IN: [None]}.get(str(allowed), [allowed]), path


async def test_an_endpoint_that_says_nothing_is_refused_when_the_app_is_made(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        forgetful = APIRouter(prefix=API)

        @forgetful.get("/open", dependencies=[Depends(lambda: None)])
        async def forgotten() -> str:
            return "anybody reads this"

        it.app.include_router(forgetful)
        with pytest.raises(ValueError, match="/open"):
            check_declared(it.app)


async def test_every_role_at_every_endpoint(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        for (method, path), allowed in CLASSES.items():
            if not path.startswith(API) or allowed in (PUBLIC, SIGNED_IN):
                continue
            problem(await call(it, method, path, None), 401, "session")
            problem(await call(it, method, path, "Per"), 403, "role")
            for name, role in HAVE.items():
                assert isinstance(allowed, frozenset)
                if role not in allowed:
                    problem(await call(it, method, path, name), 403, "role")
                elif path not in STREAMS:
                    reply = await call(it, method, path, name)
                    assert reply.status_code in (200, 204, 404, 409), (name, path, reply.text)


async def test_pages_send_strangers_to_sign_in(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        for (method, path), allowed in CLASSES.items():
            if allowed == PAGE:
                reply = await it.http.request(method, path.format(uid=fall))
                assert reply.status_code in (303, 401, 403), path
                assert "Beboer" not in reply.text
                if reply.status_code == 303:
                    assert reply.headers["location"].startswith("/sign-in")


# Alerts ---------------------------------------------------------------------------------------------------------------


async def sees(it: Served, alert: UUID) -> set[str]:
    """Who sees it: in the list, in detail, and to answer; all three or none."""
    found = set()
    for name in (*HAVE, "Ola", "Liv"):
        in_list = str(alert) in [each["id"] for each in await it.listed(name)]
        detail = (await it.get(name, f"/alerts/{alert}")).status_code
        answer = (await it.answer(name, alert, "undo_close")).status_code
        assert (in_list, detail, answer) in ((True, 200, 409), (False, 404, 404)), (name, in_list, detail, answer)
        if in_list:
            found.add(name)
    return found


async def technical(it: Served, zone: str) -> UUID:
    """A device of the zone is silent, technical services are called."""
    await it.fall(zone)
    (row,) = await it.town.rows("SELECT uid FROM alert ORDER BY id DESC LIMIT 1")
    await it.town.rows("DELETE FROM page WHERE alert_id = (SELECT id FROM alert WHERE uid = %s)", row["uid"])
    await it.town.rows("UPDATE alert SET track = 'technical' WHERE uid = %s", row["uid"])
    uid: UUID = row["uid"]
    return uid


async def test_care_alerts_are_for_the_care_staff_of_their_zone(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        assert await sees(it, await it.fall("Sone")) == {"Kari", "Ola", "Siri", "Vakt", "Ada"}
        assert await sees(it, await it.fall("Øy")) == {"Liv", "Vakt", "Ada"}


async def test_technical_alerts_are_for_technical_services_and_who_oversees(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        assert await sees(it, await technical(it, "Sone")) == {"Siri", "Vakt", "Tek", "Ada"}
        assert await sees(it, await technical(it, "Øy")) == {"Vakt", "Tek", "Ada"}


async def test_what_was_paged_or_handed_over_is_seen_anywhere(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall("Øy")
        await it.town.rows("UPDATE page SET person_id = %s", it.town.staff["Kari"])
        assert "Kari" in await sees(it, fall)
        other = await it.fall("Øy")
        await it.town.rows("UPDATE alert SET offered_to_id = %s WHERE uid = %s", it.town.staff["Ola"], other)
        assert "Ola" in await sees(it, other)
        assert "Ola" not in await sees(it, fall)
        summary = {each["id"]: each for each in await it.listed("Kari")}[str(fall)]
        assert (summary["paged"], summary["mine"], summary["zone"]) == (True, False, "Øy")


async def test_a_role_here_says_nothing_about_elsewhere(migrated_url: str, broker: Broker) -> None:
    """Liv cares in Øy and repairs in Sone: the falls of Sone are none of hers."""
    async with served(migrated_url, broker) as it:
        await it.town.rows(
            """INSERT INTO assignment (person_id, role, zone_id, during)
               VALUES (%s, 'technical', %s, tstzrange(%s, NULL))""",
            it.town.staff["Liv"],
            it.town.zones["Sone"],
            it.town.now,
        )
        assert "Liv" not in await sees(it, await it.fall("Sone"))
        assert "Liv" in await sees(it, await technical(it, "Sone"))
        assert "Liv" in await sees(it, await it.fall("Øy"))
        assert "Liv" not in await sees(it, await technical(it, "Øy"))


async def test_quarantine_is_of_the_sites_that_serve_ones_zones(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        town = it.town
        await town.publishes(f"hv/v1/{town.site}/fall_alarm/x/event", b"\x00\xff nonsense")
        (item,) = (await it.get("Siri", "/quarantine")).json()["items"]
        assert (item["site"], item["raw"], item["retained"]) == (town.site, "AP8gbm9uc2Vuc2U=", False)
        assert item["reason"]
        assert item["topic"].endswith("/x/event")
        assert "\x00" not in item["text"]
        # Another municipality under the same centre, with a lead of its own.
        await town.rows(
            "INSERT INTO zone (uid, parent_id, kind, name) VALUES (gen_random_uuid(), %s, 'municipality', 'Nabo')",
            town.zones["Senter"],
        )
        (row,) = await town.rows("SELECT id FROM zone WHERE name = 'Nabo'")
        town.zones["Nabo"] = row["id"]
        await town.person("Nils", "lead", "Nabo")
        assert (await it.get("Nils", "/quarantine")).json()["items"] == []
        for name in ("Tek", "Vakt", "Ada"):
            assert len((await it.get(name, "/quarantine")).json()["items"]) == 1
