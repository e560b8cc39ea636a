"""Every look at a resident is in their access log: each address that shows a name leaves a line, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from uuid import UUID, uuid4

from fastapi.routing import iter_route_contexts

from gateway.api import schemas
from gateway.embedded import Broker
from gateway.store.db import Connection
from tests.gateway.api.test_policies import policy
from tests.gateway.served import Served, problem, served
from tests.support.rules import own, sets
from tests.support.silences import consents, ends, is_away, lets_last, silences
from tests.support.town import Home

NAME = "Petronella Wøgdahl"
API = "/api/v1"
NOUNS = {
    "alerts": "alert", "devices": "device", "residents": "resident", "dwellings": "dwelling", "people": "person",
    "rosters": "zone", "policies": "policy", "commands": "command", "rules": "rule", "silences": "silence", "teams": "team",
}  # fmt: skip
READERS = ("Siri", "Tek", "Kari")
FOR_RESIDENT = {
    f"{API}/silences/draft", f"{API}/policy-options", f"{API}/rehearsal", "/silences/new", "/policies/edit", "/rehearsal",
}  # fmt: skip
"""What is set or looked at for somebody who is named in the query."""
STREAMS = {f"{API}/changes", "/events"}


async def town_of_one(it: Served, *, all_else: bool = True) -> tuple[UUID, UUID]:
    """Somebody with an open alert, a rule of their own, and devices that speak, and ``all_else`` that can be set for them;
    the alert and the resident."""
    town = it.town
    home = await town.home()
    await town.rows("UPDATE resident SET name = %s WHERE id = %s", NAME, home.resident)
    lock = await town.fits(home, "e_lock")
    await sets(town, "Siri", "fall_alarm", own("fall_alarm", "fall"), resident=home.resident)
    await town.says(home.fall_alarm, "heartbeat", message_class="status", battery=80)
    await town.says(home.dispenser, "fault", message_class="event", code="x")
    await town.says(home.fall_alarm, "fall")
    alert = (await town.alert("fall"))["uid"]
    await town.says(lock, "locked")
    await town.answers("Kari", alert, "claim")
    await town.asks("Kari", alert, lock, "unlock")
    (row,) = await town.rows("SELECT uid FROM resident WHERE id = %s", home.resident)
    if all_else:
        await cared_for(it, home, row["uid"])
    return alert, row["uid"]


async def cared_for(it: Served, home: Home, resident: UUID) -> None:
    """All else that is set for somebody: a silence that takes two, an absence, a policy; and a team of the zone."""
    town, front, siri = it.town, it.town.gateway.front, await it.town.who("Siri")
    await consents(town, "Ada", await silences(town, "Siri", home, vital=True))
    away = await is_away(town, "Siri", home)
    away = await lets_last(town, "Siri", away, 24)
    await ends(town, "Siri", away)
    (zone,) = await town.rows("SELECT uid FROM zone WHERE id = %s", town.zones["Sone"])
    await front.add_team(siri, schemas.TeamRequest(zone=zone["uid"], name="Natt"))
    scope = schemas.PolicyScopeRequest(resident=resident)
    await front.add_policy(siri, schemas.PolicyRequest(scope=scope, policy=policy()))


async def addresses(it: Served) -> list[str]:
    """Every GET address of API and pages, with ids of everything that there is."""
    uids = {
        table: [str(row["uid"]) for row in await it.town.rows(f"SELECT uid FROM {table} ORDER BY id DESC LIMIT 2")]
        for table in set(NOUNS.values())
    }
    found: list[str] = []
    nothing: set[str] = set()
    for route in iter_route_contexts(it.app.routes):
        path = route.path or ""
        if "GET" in (route.methods or ()) and path not in STREAMS and "openapi" not in path:
            filled = list(_filled(path, uids))
            found += filled
            nothing |= set() if filled else {path}
    assert nothing == set(), "of these there is none in the town: make one"
    return sorted({*found, *(f"{each}?{more}" for each in found for more in _queries(each, uids))})


def _filled(path: str, uids: dict[str, list[str]]) -> Iterator[str]:
    if "{uid}" not in path:
        yield path
        return
    noun = path.removeprefix(f"{API}/").strip("/").split("/")[0]
    yield from (path.format(uid=uid) for uid in uids.get(NOUNS.get(noun, ""), []))


def _queries(path: str, uids: dict[str, list[str]]) -> Iterator[str]:
    """What some have to be asked, and what changes who is shown."""
    if path.startswith(f"{API}/observations"):
        yield from (f"device={uid}" for uid in uids["device"])
        yield from (f"resident={uid}" for uid in uids["resident"])
    elif path in FOR_RESIDENT:
        yield from (f"resident={uid}" for uid in uids["resident"])
    elif path == "/rules/edit":
        yield from (f"kind=fall_alarm&name=fall&resident={uid}" for uid in uids["resident"])
    elif path in {f"{API}/rules", "/rules"}:
        yield "kind=fall_alarm"
    elif path == f"{API}/statistics/activity":
        yield from (f"zone={uid}" for uid in uids["zone"])


async def forget_looks(connection: Connection) -> None:
    """As if nobody had looked before: what is noted once a day is noted again."""
    await connection.execute("SET LOCAL hjemmevakt.lawful = 'erasure'")
    await connection.execute("DELETE FROM audit WHERE object IN ('resident', 'rule', 'silence', 'policy')")


async def looks_of(connection: Connection, resident: UUID, name: str) -> list[str]:
    cursor = await connection.execute(
        """SELECT a.action FROM audit a JOIN resident t ON t.id = a.object_id JOIN person p ON p.id = a.actor_id
           WHERE a.object = 'resident' AND t.uid = %s AND p.name = %s""",
        (resident, name),
    )
    return [row["action"] for row in await cursor.fetchall()]


async def test_whatever_shows_a_name_is_in_the_log(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        alert, resident = await town_of_one(it)
        every = await addresses(it)
        showing: dict[str, set[str]] = {}
        for name in READERS:
            await it.bearer(name)
            program = {"Authorization": f"Bearer {it.tokens[name]}"}
            browser = {"Cookie": f"hjemmevakt_session={it.tokens[name]}", "Accept": "text/html"}
            for address in every:
                await it.town.gateway.database.run(forget_looks)
                reply = await it.http.get(address, headers=program if address.startswith(API) else browser)
                assert reply.status_code < 500, (address, reply.text)
                if NAME in reply.text:
                    looks = await it.town.gateway.database.run(partial(looks_of, resident=resident, name=name))
                    showing.setdefault(name, set()).add(address.partition("?")[0].replace(str(alert), "…"))
                    assert looks, f"{address} showed the name to {name}, and nobody would know"
        assert {
            f"{API}/alerts",
            f"{API}/alerts/…",
            f"{API}/devices",
            f"{API}/residents",
            "/alerts",
            "/desk",
        } <= showing["Siri"]
        assert any(each.startswith("/devices/") for each in showing["Tek"])
        assert any("access-log" in each for each in showing["Siri"])
        assert not any("access-log" in each for each in showing["Tek"] | showing["Kari"])


async def test_what_is_set_for_a_resident_is_in_the_log(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        _, resident = await town_of_one(it)
        log = await (await it.client("Siri")).access_log(resident)
        told = [
            (each.person.name if each.person else None, each.what, each.text)
            for each in reversed(log.looks)
            if each.what.partition(".")[0] in {"silence", "policy"}
        ]
        assert told == [
            ("Siri", "silence.asked", "Ba om å dempe varsler om beboeren"),
            ("Ada", "silence.consented", "Godkjente at varsler om beboeren dempes"),
            ("Siri", "silence.set", "Registrerte at beboeren er bortreist"),
            ("Siri", "silence.extended", "Registrerte at beboeren blir borte lenger"),
            ("Siri", "silence.ended", "Beboeren er registrert som tilbake"),
            ("Siri", "policy.set", "Satte en varslingsplan for beboeren"),
        ]


async def test_the_log_says_who_when_what_and_why(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        alert, resident = await town_of_one(it, all_else=False)
        await it.town.gateway.database.run(forget_looks)
        await it.detail("Kari", alert)
        await it.town.passes(minutes=1)
        await it.get("Siri", f"/residents/{resident}")
        await it.http.get(f"{API}/residents/{resident}/access-log", headers=await it.bearer("Siri"))
        client = await it.client("Siri")
        log = await client.access_log(resident)
        assert log.resident.name == NAME
        told = [
            (each.person.name if each.person else None, each.what, each.alert.id if each.alert else None)
            for each in log.looks
        ]
        listed = ["resident.listed"] * 2  # beside the fall there is a fault of her dispenser
        assert [each[1] for each in told] == ["resident.log_viewed", *listed, "resident.viewed", "resident.viewed"]
        assert (told[0][0], told[-2], told[-1]) == (
            "Siri",
            ("Siri", "resident.viewed", None),
            ("Kari", "resident.viewed", alert),
        )
        assert log.looks[-1].text == "Åpnet varselet"
        assert log.looks[-1].alert is not None
        assert log.looks[-1].alert.name == "Fall"
        first = (await it.get("Siri", f"/residents/{resident}/access-log", limit=2)).json()
        then = (await it.get("Siri", f"/residents/{resident}/access-log", limit=2, cursor=first["next_cursor"])).json()
        assert [each["what"] for each in then["looks"]] == listed, "what came between is not shown twice"

        # Of other zones' residents nobody is told, and a colleague of the lead's is no lead.
        problem(await it.get("Ola", f"/residents/{resident}/access-log"), 403, "role")
        problem(await it.get("Ada", f"/residents/{uuid4()}/access-log"), 404, "resident")
        await it.town.person("Frida", "lead", "Øy")
        problem(await it.get("Frida", f"/residents/{resident}/access-log"), 404, "resident")
