"""Rules through the API: who may look and set, what is refused and how it is told, versions, and devices with their rules."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from alerts.rules import rule_types
from gateway.embedded import Broker
from tests.gateway.served import API, Served, problem, served
from tests.support.rules import own, uid_of

FALL, DOOR, FIRE = "fall_alarm", "door_sensor", "fire_sensor"
PRESS = own(FALL, "button_pressed")
SILENT = own(FALL, "device_silent")


async def zone(it: Served, name: str) -> dict[str, str]:
    return {"zone": str(await uid_of(it.town, "zone", it.town.zones[name]))}


async def put(
    it: Served, name: str, spec: dict[str, Any], scope: dict[str, str], *, kind: str = FALL, version: int = 0
) -> httpx.Response:
    body = {"kind": kind, "scope": scope, "spec": spec, "version": version}
    return await it.http.put(f"{API}/rules", json=body, headers=await it.bearer(name))


async def post(it: Served, name: str, path: str, body: dict[str, Any]) -> httpx.Response:
    return await it.http.post(f"{API}{path}", json=body, headers=await it.bearer(name))


async def listed(it: Served, name: str, kind: str = FALL) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await it.get(name, "/rules", kind=kind)).json()["rules"]
    return found


# Who ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "spec", "where", "status"),
    [
        ("Siri", PRESS, "Sone", 200),
        ("Siri", PRESS, "Kommune", 403),
        ("Siri", PRESS, "Øy", 403),
        ("Siri", SILENT, "Sone", 403),
        ("Siri", {**PRESS, "track": "technical"}, "Sone", 403),
        ("Tek", SILENT, "Sone", 200),
        ("Tek", SILENT, "Kommune", 200),
        ("Tek", PRESS, "Sone", 403),
        ("Tek", {**SILENT, "track": "care"}, "Sone", 403),
        ("Ada", PRESS, "Senter", 200),
        ("Ada", SILENT, "Øy", 200),
        ("Kari", PRESS, "Sone", 403),
        ("Vakt", PRESS, "Sone", 403),
        ("Per", PRESS, "Sone", 403),
    ],
)
async def test_who_sets_what_and_where(
    migrated_url: str, broker: Broker, name: str, spec: dict[str, Any], where: str, status: int
) -> None:
    async with served(migrated_url, broker) as it:
        reply = await put(it, name, spec, await zone(it, where))
        assert reply.status_code == status, reply.text
        assert len(await it.town.rows("SELECT 1 FROM rule WHERE zone_id IS NOT NULL")) == (1 if status == 200 else 0)
        assert len(await it.town.rows("SELECT 1 FROM audit WHERE action = 'rule.set'")) == (1 if status == 200 else 0)


async def test_rules_of_a_whole_kind_come_with_the_program(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        told = problem(await put(it, "Ada", PRESS, {}), 403, "kind_wide")
        assert told["mend"] == "set it for your topmost zone instead"
        kind_wide = next(each for each in await listed(it, "Ada") if each["name"] == "fall")
        assert (kind_wide["scope"]["name"], kind_wide["by"], kind_wide["may_change"]) == ("kind", None, False)
        refused = await post(it, "Ada", f"/rules/{kind_wide['id']}/withdraw", {"version": kind_wide["version"]})
        problem(refused, 403, "kind_wide")


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (FALL, own(FALL, "fall", enabled=False)),
        (FALL, own(FALL, "fall", severity=30)),
        (FALL, own(FALL, "fall", only_if={"confidence": [1]})),
        (FIRE, own(FIRE, "fire", on=["smoke"])),
        (FIRE, own(FIRE, "fire", severity=10)),
    ],
    ids=["off", "lowered", "narrowed", "only smoke", "fire lowered"],
)
async def test_critical_care_is_let_down_by_administrators_only(
    migrated_url: str, broker: Broker, kind: str, spec: dict[str, Any]
) -> None:
    async with served(migrated_url, broker) as it:
        told = problem(await put(it, "Siri", spec, await zone(it, "Sone"), kind=kind), 403, "critical")
        assert "administrator" in told["mend"]
        assert (await put(it, "Ada", spec, await zone(it, "Sone"), kind=kind)).status_code == 200


async def test_a_lead_may_let_critical_care_raise_more(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        more = own(FALL, "fall", on=["fall", "button_pressed"], inform_on=[])
        assert (await put(it, "Siri", more, await zone(it, "Sone"))).status_code == 200


async def test_a_residents_rule_is_seen_where_the_resident_lives(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        resident = {"resident": str(await uid_of(it.town, "resident", home.resident))}
        made = (await put(it, "Siri", PRESS, resident)).json()
        assert made["scope"] == {"name": "resident", "id": resident["resident"], "text": "Beboer 1"}
        for name, sees in (("Kari", True), ("Vakt", True), ("Tek", True), ("Liv", False)):
            found = [each for each in await listed(it, name) if each["scope"]["name"] == "resident"]
            assert len(found) == sees, name
            assert "Beboer" in str(found) or not sees
            assert (await it.get(name, f"/rules/{made['id']}")).status_code == (200 if sees else 404)
        problem(await put(it, "Liv", PRESS, resident), 403, "role")
        await it.town.person("Lars", "lead", "Øy")
        problem(await put(it, "Lars", PRESS, resident), 404, "scope")
        problem(await post(it, "Lars", f"/rules/{made['id']}/withdraw", {"version": 1}), 404, "rule")
        looks = await it.town.rows("SELECT actor_id FROM audit WHERE action = 'resident.named'")
        assert {it.town.staff["Kari"], it.town.staff["Vakt"]} <= {each["actor_id"] for each in looks}
        assert it.town.staff["Liv"] not in {each["actor_id"] for each in looks}


# What is refused ------------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a severity that there is not": ({**PRESS, "severity": 15}, "severity", "choice"),
    "a track that there is not": ({**PRESS, "track": "post"}, "track", "choice"),
    "an unknown field": ({**PRESS, "colour": "red"}, "colour", "unknown"),
    "a type that there is not": ({**PRESS, "type": "guess"}, "type", "type"),
    "another type than the name has": (
        {**{each: PRESS[each] for each in ("name", "condition", "severity", "track", "on")}, "type": "repeat",
         "count": 3, "within_seconds": 60}, "type", "type",
    ),
    "an event that the kind does not say": ({**PRESS, "on": ["opened"]}, "on", "event"),
    "no event": ({**PRESS, "on": []}, "on", "missing"),
    "a field that the event has not": ({**PRESS, "only_if": {"battery": [1]}}, "only_if.battery", "field"),
    "a code that is not national": ({**PRESS, "vkp_code": "99.9"}, "vkp_code", "vkp"),
    "a name with a blank": ({**PRESS, "name": "a b"}, "name", "name"),
    "no name": ({**PRESS, "name": ""}, "name", "missing"),
    "a word of another kind that it does not say": (
        {"type": "compound", "name": "ours", "condition": "ours", "severity": 20, "track": "care", "on": ["fall"],
         "unless": ["door_sensor/pressed"], "within_seconds": 60}, "unless", "event",
    ),
    "too long a wait": (
        {"type": "state", "name": "ours", "condition": "ours", "severity": 20, "track": "care", "enters": ["not_worn"],
         "leaves": ["worn"], "for_seconds": 10**9}, "for_seconds", "range",
    ),
    "a threshold on what is not sent": (
        {"type": "threshold", "name": "ours", "condition": "ours", "severity": 20, "track": "care", "on": ["fall"],
         "field": "warmth", "above": 3, "clear_at": 2}, "field", "field",
    ),
    "a threshold with two sides": (
        {"type": "threshold", "name": "ours", "condition": "ours", "severity": 20, "track": "care", "on": ["fall"],
         "field": "impact_g", "above": 3, "below": 1, "clear_at": 2}, "rule", "value",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "field", "code"), WRONG.values(), ids=list(WRONG))
async def test_what_is_wrong_is_told_field_by_field(
    migrated_url: str, broker: Broker, spec: dict[str, Any], field: str, code: str
) -> None:
    async with served(migrated_url, broker) as it:
        for told in (
            problem(await put(it, "Siri", spec, await zone(it, "Sone")), 422, "rule"),
            problem(await post(it, "Siri", "/rules/preview", {"kind": FALL, "scope": {}, "spec": spec}), 422, "rule"),
        ):
            (error,) = told["errors"]
            assert (error["field"], error["code"]) == (field, code)
            assert error["what"]
            assert error["mend"]
            assert field in told["detail"]
        assert await it.town.rows("SELECT 1 FROM rule WHERE zone_id IS NOT NULL") == []


async def test_several_wrong_fields_are_told_at_once(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        spec = {**PRESS, "on": ["opened"], "vkp_code": "99.9"}
        told = problem(await put(it, "Siri", spec, await zone(it, "Sone")), 422, "rule")
        assert [each["field"] for each in told["errors"]] == ["on", "vkp_code"]


async def test_scopes_that_do_not_fit_are_refused(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        device = {"device": str(await uid_of(it.town, "device", home.dispenser.id))}
        problem(await put(it, "Siri", PRESS, device), 422, "scope")
        problem(await put(it, "Siri", PRESS, {**device, **await zone(it, "Sone")}), 422, "request")
        problem(await put(it, "Siri", PRESS, await zone(it, "Sone"), kind="toaster"), 404, "kind")
        problem(await it.get("Siri", "/rules", kind="toaster"), 404, "kind")


# Versions -------------------------------------------------------------------------------------------------------------


async def test_versions_are_kept_and_whoever_is_late_is_told(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        where = await zone(it, "Sone")
        first = (await put(it, "Siri", PRESS, where)).json()
        problem(await put(it, "Ada", {**PRESS, "severity": 40}, where), 409, "stale")
        assert (await put(it, "Ada", {**PRESS, "severity": 40}, where, version=1)).json()["version"] == 2
        problem(await put(it, "Siri", PRESS, where, version=1), 409, "stale")
        problem(await post(it, "Siri", f"/rules/{first['id']}/withdraw", {"version": 1}), 409, "stale")
        gone = (await post(it, "Siri", f"/rules/{first['id']}/withdraw", {"version": 2})).json()
        assert (gone["version"], gone["withdrawn"], gone["may_change"]) == (3, True, False)
        problem(await post(it, "Siri", f"/rules/{first['id']}/withdraw", {"version": 3}), 403, "zone")
        assert [each["scope"]["name"] for each in await listed(it, "Siri") if each["name"] == "button_pressed"] == [
            "kind"
        ]
        detail = (await it.get("Kari", f"/rules/{first['id']}")).json()
        told = [(each["version"], each["spec"]["severity"], each["by"]["name"], each["withdrawn"]) for each in
                detail["versions"]]  # fmt: skip
        assert told == [(3, 40, "Siri", True), (2, 40, "Ada", False), (1, 30, "Siri", False)]
        again = (await put(it, "Siri", PRESS, where)).json()
        assert (again["id"], again["version"], again["withdrawn"]) == (first["id"], 4, False)
        lines = await it.town.rows("SELECT action, params FROM audit WHERE object = 'rule' ORDER BY id")
        assert [(each["action"], each["params"]["version"]) for each in lines] == [
            ("rule.set", 1), ("rule.set", 2), ("rule.withdrawn", 3), ("rule.set", 4),
        ]  # fmt: skip
        assert all(set(each["params"]) == {"kind", "name", "version", "zone_id"} for each in lines)


async def test_a_rule_that_nobody_can_read_is_shown_and_found_by_those_who_watch(
    migrated_url: str, broker: Broker
) -> None:
    async with served(migrated_url, broker) as it:
        assert await it.town.health() == ("ok", [])
        await it.town.rule(FALL, {"type": "of_tomorrow", "name": "fall"}, zone_id=it.town.zones["Sone"])
        assert await it.town.health() == ("degraded", ["unreadable_rules"])
        (found,) = [each for each in await listed(it, "Siri") if each["scope"]["name"] == "zone"]
        assert (found["words"], found["name"]) == (None, "fall")
        gone = await post(it, "Siri", f"/rules/{found['id']}/withdraw", {"version": 1})
        assert gone.status_code == 200, gone.text
        assert await it.town.health() == ("ok", [])
        assert (await it.get("Siri", f"/rules/{found['id']}")).json()["words"] is None


async def test_every_type_of_rule_has_its_schema(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        told = (await it.get("Kari", "/rule-types")).json()
        assert [each["type"] for each in told] == sorted(rule_types())
        assert all("severity" in each["schema"]["properties"] for each in told)


# Devices --------------------------------------------------------------------------------------------------------------


async def test_devices_are_searched_page_by_page(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        for _ in range(3):
            await it.town.home()
        await it.town.home(zone="Øy")
        seen: list[str] = []
        cursor = None
        while True:
            page = (await it.get("Tek", "/devices", limit=3, **({"cursor": cursor} if cursor else {}))).json()
            seen += [each["address"] for each in page["devices"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == [f"{kind}-{number}" for kind in ("disp", "fall") for number in range(1, 5)]

        async def found(name: str, **query: Any) -> list[str]:
            return [each["address"] for each in (await it.get(name, "/devices", **query)).json()["devices"]]

        assert await found("Siri") == ["disp-1", "disp-2", "disp-3", "fall-1", "fall-2", "fall-3"]
        assert await found("Tek", q="beboer 4") == ["disp-4", "fall-4"]
        assert await found("Tek", q="granveien 2", kind=FALL) == ["fall-2"]
        assert await found("Tek", q="%") == []
        assert await found("Tek", **await zone(it, "Øy")) == ["disp-4", "fall-4"]
        assert await found("Siri", **await zone(it, "Øy")) == []
        problem(await it.get("Tek", "/devices", q="\x00"), 422, "request")
        await it.town.rows(  # Liv cares in Øy, and repairs in Sone: the devices of Øy are none of hers
            """INSERT INTO assignment (person_id, role, zone_id, during)
               VALUES (%s, 'technical', %s, tstzrange(%s, NULL))""",
            it.town.staff["Liv"],
            it.town.zones["Sone"],
            it.town.now,
        )
        assert await found("Liv", q="beboer 4") == []
        assert await found("Liv", q="beboer 1") == ["disp-1", "fall-1"]
        device = await it.town.rows("SELECT uid FROM device WHERE address = 'fall-4'")
        problem(await it.get("Liv", f"/devices/{device[0]['uid']}"), 404, "device")
        problem(await it.get("Tek", "/devices", kind="toaster"), 404, "kind")


async def test_a_device_shows_which_rule_applies_and_what_it_hides(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        uid = await uid_of(it.town, "device", home.fall_alarm.id)
        resident = str(await uid_of(it.town, "resident", home.resident))
        await put(it, "Ada", {**PRESS, "severity": 40}, await zone(it, "Kommune"))
        await put(it, "Siri", {**PRESS, "severity": 20}, await zone(it, "Sone"))
        await put(it, "Siri", {**PRESS, "enabled": False}, {"resident": resident})
        detail = (await it.get("Siri", f"/devices/{uid}")).json()
        assert (detail["address"], detail["resident"]["name"], detail["zone"]["name"]) == ("fall-1", "Beboer 1", "Sone")
        applied = {each["rule"]["name"]: each for each in detail["rules"]}
        press = applied["button_pressed"]
        assert (press["rule"]["scope"]["name"], press["rule"]["by"]["name"]) == ("resident", "Siri")
        assert (press["rule"]["words"]["off"], press["rule"]["may_change"]) == (True, True)
        assert [(each["name"], each["text"]) for each in press["hides"]] == [
            ("zone", "Sone"), ("zone", "Kommune"), ("kind", ""),
        ]  # fmt: skip
        assert (applied["fall"]["rule"]["scope"]["name"], applied["fall"]["hides"]) == ("kind", [])
        for name, status in (("Kari", 403), ("Vakt", 200), ("Tek", 200), ("Liv", 403)):
            assert (await it.get(name, f"/devices/{uid}")).status_code == status
        await it.town.person("Lars", "lead", "Øy")
        problem(await it.get("Lars", f"/devices/{uid}"), 404, "device")
