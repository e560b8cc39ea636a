"""What is in another zone: every endpoint and page with an id, or that is told a place, against somebody of each role elsewhere.

Of every noun one is made in «Øy», where Liv, Mari and Nina serve. Staff of «Sone», of whatever role, must find nothing of it; who may
have it must be let in, so that a thing that is never found proves nothing. A noun without a maker fails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import time, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx

from gateway.access import SESSION_COOKIE, Role
from gateway.api import schemas
from gateway.embedded import Broker
from tests.gateway.api.test_access import BODIES, CLASSES, PAGE, PUBLIC, STREAMS
from tests.gateway.served import API, Served, served
from tests.support import rules
from tests.support.push_service import Phone
from tests.support.silences import silences
from tests.support.town import Home

OUTSIDE = {Role.RESPONDER: "Kari", Role.LEAD: "Siri", Role.CENTRE: "Cato", Role.TECHNICAL: "Tom", Role.ADMIN: "Sol"}
"""Somebody of each role, in Sone alone."""
REFUSED = (403, 404)
PLACES = frozenset({"zone", "dwelling", "device", "resident", "person"})
"""Parameters that tell where."""
NUMBER = count(1)
Ids = Mapping[str, str]
"""By the names of parameters."""


@dataclass(frozen=True)
class Made:
    """Something in Øy, and what else belongs to it. ``owner``: who may have it."""

    uid: str
    owner: str = "Ada"
    ids: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def two_zones(url: str, broker: Broker) -> AsyncIterator[Served]:
    async with served(url, broker) as it:
        await it.town.person("Mari", "responder", "Øy", 1)
        await it.town.person("Nina", "responder", "Øy")
        for role, name in OUTSIDE.items():
            if name not in it.town.staff:
                await it.town.person(name, role)
        yield it


# Makers ---------------------------------------------------------------------------------------------------------------


async def uid_of(it: Served, query: str, *params: Any) -> str:
    (row,) = await it.town.rows(f"SELECT uid FROM {query}", *params)
    return str(row["uid"])


async def by_id(it: Served, table: str, id_: int) -> str:
    return await uid_of(it, f"{table} WHERE id = %s", id_)


async def home(it: Served) -> tuple[Home, Ids]:
    made = await it.town.home(zone="Øy")
    ids = {
        "resident": await by_id(it, "resident", made.resident),
        "device": await by_id(it, "device", made.dispenser.id),
        "dwelling": await uid_of(it, "dwelling ORDER BY id DESC LIMIT 1"),
    }
    return made, ids


async def alert(it: Served) -> Made:
    made, _ = await home(it)
    lock = await it.town.fits(made, "e_lock")
    await it.town.says(made.fall_alarm, "fall")
    uid = str((await it.town.alerts("fall"))[-1]["uid"])
    return Made(uid, ids={"device": await by_id(it, "device", lock.id)})


async def command(it: Served) -> Made:
    made, _ = await home(it)
    lock = await it.town.fits(made, "e_lock")
    await it.town.says(made.fall_alarm, "fall")
    asked = await it.town.asks("Liv", (await it.town.alerts("fall"))[-1]["uid"], lock, "unlock")
    return Made(str(asked.id))


def of_home(name: str) -> Callable[[Served], Awaitable[Made]]:
    async def make(it: Served) -> Made:
        _, ids = await home(it)
        return Made(ids[name])

    return make


async def dose(it: Served) -> Made:
    _, ids = await home(it)
    ada = await it.client("Ada")
    return Made(str((await ada.set_dose(UUID(ids["device"]), schemas.DoseRequest(local_time=time(9)))).id))


async def person(it: Served) -> Made:
    return Made(await it.uid("Liv"))


async def zone(it: Served) -> Made:
    return Made(await by_id(it, "zone", it.town.zones["Øy"]))


async def shift(it: Served) -> Made:
    return Made(await uid_of(it, "roster_shift WHERE person_id = %s LIMIT 1", it.town.staff["Liv"]))


async def rotation(it: Served) -> Made:
    ada, where, day = await it.client("Ada"), UUID((await zone(it)).uid), it.town.now.date() + timedelta(days=3)
    persons = (UUID(await it.uid("Liv")),)
    turns = schemas.RotationRequest(
        name=f"Natt {next(NUMBER)}", persons=persons, first_day=day, hand_over=time(8), position=9
    )
    return Made(str((await ada.add_rotation(where, turns)).id))


def later(it: Served) -> dict[str, Any]:
    """Four hours of some day to come, each time of another one."""
    begins = it.town.now + timedelta(days=3 * next(NUMBER))
    return {"begins": begins, "ends": begins + timedelta(hours=4)}


async def override(it: Served) -> Made:
    ada, where = await it.client("Ada"), UUID((await zone(it)).uid)
    request = schemas.OverrideRequest(leaves=UUID(await it.uid("Liv")), **later(it))
    return Made(str((await ada.add_override(where, request)).id))


async def swap(it: Served) -> Made:
    mine, theirs, liv, mari = later(it), later(it), it.town.staff["Liv"], it.town.staff["Mari"]
    await it.town.rows(
        """INSERT INTO roster_swap (uid, zone_id, role, asks_id, asks_during, gives_id, gives_during, state, created_at, created_by)
           VALUES (gen_random_uuid(), %s, 'responder', %s, tstzrange(%s, %s), %s, tstzrange(%s, %s), 'proposed', %s, %s)""",
        *(
            it.town.zones["Øy"],
            liv,
            mine["begins"],
            mine["ends"],
            mari,
            theirs["begins"],
            theirs["ends"],
            it.town.now,
            liv,
        ),
    )
    return Made(await uid_of(it, "roster_swap ORDER BY id DESC LIMIT 1"), "Mari")


async def absence(it: Served) -> Made:
    ada = await it.client("Ada")
    return Made(
        str((await ada.report_absence(schemas.AbsenceRequest(person=UUID(await it.uid("Liv")), **later(it)))).id)
    )


async def feed(it: Served) -> Made:
    return Made(str((await (await it.client("Liv")).add_feed(schemas.FeedRequest())).id), "Liv")


async def policy(it: Served) -> Made:
    steps = [{"target": each, "wait_seconds": 60} for each in ("all_on_duty", "response_centre")]
    spec = {"name": f"Egen {next(NUMBER)}", "track": "care", "steps": steps}
    scope = schemas.PolicyScopeRequest(zone=UUID((await zone(it)).uid))
    made = await (await it.client("Ada")).add_policy(schemas.PolicyRequest(scope=scope, policy=spec))
    return Made(str(made.id))


async def team(it: Served) -> Made:
    request = schemas.TeamRequest(zone=UUID((await zone(it)).uid), name=f"Lag {next(NUMBER)}")
    return Made(str((await (await it.client("Ada")).add_team(request)).id))


async def contact(it: Served) -> Made:
    made = await it.town.contact("Liv", "email", f"liv{next(NUMBER)}@example.org")
    return Made(await by_id(it, "contact", made), "Liv")


async def phone(it: Served) -> Made:
    """Of somebody who is not on duty: no page goes to a push service that is not there."""
    had = Phone(f"https://push.example.com/{next(NUMBER)}").subscription
    keys = schemas.PushKeys(p256dh=had.p256dh, auth=had.auth)
    made = await (await it.client("Nina")).push_subscribe(schemas.PushRequest(endpoint=had.endpoint, keys=keys))
    return Made(str(made.id), "Nina")


async def session(it: Served) -> Made:
    return Made((await it.sign_in("liv")).json()["id"], "Liv")


async def unreadable(it: Served) -> Made:
    """At a site of Øy alone."""
    await it.town.publishes(f"hv/v1/{it.town.site}/fall_alarm/x{next(NUMBER)}/event", b"\x00\xff nonsense")
    await it.town.rows("UPDATE site SET zone_id = %s", it.town.zones["Øy"])
    return Made(await uid_of(it, "quarantine ORDER BY id DESC LIMIT 1"))


async def rule(it: Served) -> Made:
    made, _ = await home(it)
    spec = rules.own("fall_alarm", "button_pressed")
    return Made(str((await rules.sets(it.town, "Ada", "fall_alarm", spec, resident=made.resident)).id))


async def silence(it: Served) -> Made:
    made, _ = await home(it)
    return Made(str((await silences(it.town, "Ada", made)).id))


MAKERS: Mapping[str, Callable[[Served], Awaitable[Made]]] = {
    "alerts": alert,
    "commands": command,
    "devices": of_home("device"),
    "residents": of_home("resident"),
    "dwellings": of_home("dwelling"),
    "doses": dose,
    "people": person,
    "rosters": zone,
    "shifts": shift,
    "rotations": rotation,
    "overrides": override,
    "swaps": swap,
    "absences": absence,
    "feeds": feed,
    "policies": policy,
    "teams": team,
    "me/contacts": contact,
    "me/sessions": session,
    "push/subscription": phone,
    "quarantine": unreadable,
    "rules": rule,
    "silences": silence,
}
OWNERS = {
    f"{API}/rosters/{{uid}}/swaps": "Liv",
    f"{API}/alerts/{{uid}}/commands": "Liv",
    "/alerts/{uid}/command": "Liv",
}
"""Who may, where it is another one than of the noun."""


def noun(path: str) -> str:
    return path.removeprefix(API).strip("/").split("/{uid}")[0]


# Walking --------------------------------------------------------------------------------------------------------------


def filled(value: Any, ids: Ids) -> Any:
    """A body or parameters with what is in Øy in place of what is nowhere."""
    if isinstance(value, dict):
        return {name: ids.get(name) or filled(each, ids) for name, each in value.items()}
    return [filled(each, ids) for each in value] if isinstance(value, list) else value


async def ids_there(it: Served) -> dict[str, str]:
    _, ids = await home(it)
    liv = await it.uid("Liv")
    who: dict[str, Any] = dict.fromkeys(("person", "leaves", "asks"), liv) | {
        "other": await it.uid("Mari"),
        "persons": [liv],
    }
    a_shift = await uid_of(it, "roster_shift WHERE person_id = %s LIMIT 1", it.town.staff["Mari"])
    return {**ids, "zone": (await zone(it)).uid, "id": a_shift, **who}


async def call(it: Served, name: str, method: str, path: str, made: Made | None, ids: Ids) -> httpx.Response:
    more = BODIES.get(path, {})
    headers = {**await it.bearer(name), "Idempotency-Key": str(uuid4())}
    known = {**ids, **(made.ids if made else {})}
    where = path.format(uid=made.uid if made else "")
    body, params = filled(more.get("json"), known), filled(more.get("params"), known)
    return await it.http.request(method, where, params=params, json=body, headers=headers)


def told(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.text[-300:]


def names_a_place(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(PLACES & value.keys()) or any(map(names_a_place, value.values()))
    return False


async def test_every_noun_has_a_maker() -> None:
    wanted = {noun(path) for _, path in CLASSES if "{uid}" in path}
    assert wanted == {*MAKERS}, "something has to be made in the other zone"


async def test_nothing_in_another_zone_is_found_by_its_id(migrated_url: str, broker: Broker) -> None:
    wrong = []
    async with two_zones(migrated_url, broker) as it:
        ids = await ids_there(it)
        for method, path in CLASSES:
            if "{uid}" not in path or not path.startswith(API):
                continue
            made = await MAKERS[noun(path)](it)
            for name in OUTSIDE.values():
                reply = await call(it, name, method, path, made, ids)
                if reply.status_code not in REFUSED:
                    wrong.append((name, method, path, *told(reply)))
            owner = OWNERS.get(path, made.owner)
            reply = await call(it, owner, method, path, made, ids)
            if reply.status_code in (401, *REFUSED):
                wrong.append((owner, method, path, *told(reply)))
    assert not wrong, "\n".join(map(str, wrong))


async def test_no_place_in_another_zone_can_be_named(migrated_url: str, broker: Broker) -> None:
    wrong = []
    async with two_zones(migrated_url, broker) as it:
        ids = await ids_there(it)
        named = [
            each for each in CLASSES if "{" not in each[1] and names_a_place([*BODIES.get(each[1], {}).values(), {}][0])
        ]
        assert len(named) > 10
        for method, path in named:
            if (
                CLASSES[method, path] == PUBLIC
                or path == f"{API}/devices"
                or (method == "GET" and "json" in BODIES[path])
            ):
                continue
            for name in OUTSIDE.values():
                reply = await call(it, name, method, path, None, ids)
                if reply.status_code not in REFUSED:
                    wrong.append((name, method, path, *told(reply)))
            reply = await call(it, "Liv" if "feeds" in path else "Ada", method, path, None, ids)
            if reply.status_code in (401, *REFUSED):
                wrong.append(("Ada", method, path, *told(reply)))
    assert not wrong, "\n".join(map(str, wrong))


async def test_no_list_shows_anything_of_a_place_in_another_zone(migrated_url: str, broker: Broker) -> None:
    """Lists that can be asked about a place: refused, or empty."""
    wrong = []
    async with two_zones(migrated_url, broker) as it:
        ids = await ids_there(it)
        await it.fall("Øy")
        (fallen,) = await it.town.alerts("fall")
        hidden = {ids["resident"], ids["device"], ids["dwelling"], ids["person"], str(fallen["uid"]), "Øy"}
        asked = 0
        for path, operations in it.app.openapi()["paths"].items():
            names = {each["name"] for each in operations.get("get", {}).get("parameters", ()) if each["in"] == "query"}
            for place in sorted(names & PLACES):
                if "{" in path or path in STREAMS:
                    continue
                for name in OUTSIDE.values():
                    params = {place: ids[place]}
                    reply = await it.http.get(path, params=params, headers=await it.bearer(name))
                    asked += 1
                    shown = [each for each in hidden - {ids[place]} if each in reply.text]
                    if reply.status_code not in (200, *REFUSED) or (reply.status_code == 200 and shown):
                        wrong.append((name, path, place, shown, *told(reply)))
        assert asked > 20
    assert not wrong, "\n".join(map(str, wrong))


async def test_no_page_shows_or_does_anything_in_another_zone(migrated_url: str, broker: Broker) -> None:
    wrong = []
    async with two_zones(migrated_url, broker) as it:
        for method, path in CLASSES:
            if "{uid}" not in path or CLASSES[method, path] != PAGE:
                continue
            made = await MAKERS[noun(path)](it)
            owner = OWNERS.get(path, made.owner)
            for name in (*OUTSIDE.values(), owner):
                reply = await page(it, name, method, path, made)
                if (reply.status_code in REFUSED) != (name != owner) or reply.status_code >= 500:
                    wrong.append((name, method, path, *told(reply)))
    assert not wrong, "\n".join(map(str, wrong))


async def page(it: Served, name: str, method: str, path: str, made: Made) -> httpx.Response:
    """A page, or its form as somebody who has its token sends it."""
    await it.bearer(name)
    who = await it.town.gateway.front.who(it.tokens[name])
    assert who is not None
    until = (it.town.now + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
    form = {"csrf_token": who.csrf_token, "version": "1", "key": str(uuid4()), "answer": "claim", "until": until}
    form |= {"command": "unlock", "reason": "get_in", **made.ids}
    headers = {"Cookie": f"{SESSION_COOKIE}={it.tokens[name]}", "Origin": "http://gateway.test"}
    return await it.http.request(
        method, path.format(uid=made.uid), headers=headers, data=form if method == "POST" else None
    )
