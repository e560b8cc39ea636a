"""Codes that open doors are said to the gateway in every way there is, and are nowhere afterwards; the alerts are there."""

from __future__ import annotations

import base64
import json
from typing import Any

from psycopg import sql

from devices.model import MessageClass
from gateway.embedded import Broker
from tests.gateway.served import served
from tests.gateway.test_logs import logging_as_served
from tests.support.processes import command
from tests.support.world import World, world

SECRET = "84039275"
NAME = "Hjemmehjelp-Torunn"
SAID: dict[str, Any] = {
    "pin_code": SECRET,
    "lastUsedPinCode": int(SECRET),
    "users": {"4": {"status": "enabled", "userCode": [SECRET], "code_name": NAME}},
    "setting": {"name": "pin", "value": SECRET},
    "raw_frame": json.dumps({"action_code": SECRET}),
    "note": f"unlocked with code {SECRET}",
}


async def everything_stored(town: World) -> dict[str, str]:
    """Each table as one text, with bytes both as PostgreSQL and as people write them."""
    names = await town.rows(
        "SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    )
    found: dict[str, str] = {}
    for each in names:
        query = sql.SQL("SELECT t::text AS whole, to_jsonb(t) AS told FROM {} t").format(sql.Identifier(each["name"]))
        rows = await town.rows(query.as_string())
        found[each["name"]] = "\n".join(row["whole"] + _with_bytes(row["told"]) for row in rows)
    return found


def _with_bytes(row: dict[str, object]) -> str:
    raw = [value for value in row.values() if isinstance(value, str) and value.startswith("\\x")]
    return "".join(bytes.fromhex(each[2:]).decode("latin-1") for each in raw)


def where_it_is(kept: dict[str, str]) -> list[str]:
    """The tables in which a secret is: as digits, as a name, or as base64."""
    forms = (SECRET, NAME, base64.b64encode(SECRET.encode()).decode().rstrip("="))
    return [table for table, text in kept.items() if any(form in text for form in forms)]


async def test_a_code_is_nowhere_whatever_becomes_of_the_message(migrated_url: str, broker: Broker) -> None:
    with logging_as_served() as log:
        async with served(migrated_url, broker) as it:
            town = it.town
            home = await town.home()
            lock = await town.fits(home, "e_lock")
            at = f"hv/v1/{town.site}"
            alarm = f"{at}/fall_alarm/{home.fall_alarm.address.address}/alarm"
            # Understood, and raised; of an unknown type; harmless; from a stranger.
            await town.says(home.fall_alarm, "fall", **SAID)
            await town.says(lock, "unlocked", method="code", by="4", **SAID)
            await town.says(lock, "code_entered", message_class=MessageClass.ALARM, **SAID)
            await town.publishes(f"{at}/e_lock/stranger/event", _body(town, "s", "unlocked"))
            # Of another kind, of no kind, without id or time, with fields that are wrong, and the same id once more.
            await town.publishes(f"{at}/medicine_dispenser/{lock.address.address}/alarm", _body(town, "k", "opened"))
            await town.publishes(f"{at}/toaster/t-1/alarm", _body(town, "t", "done"))
            await town.publishes(
                f"{at}/e_lock/{lock.address.address}/result", json.dumps({"id": {"pin": SECRET}}).encode()
            )
            await town.publishes(alarm, json.dumps({"id": "i", "time": {"pin": SECRET}, "type": "fall"}).encode())
            await town.publishes(alarm, _body(town, "f", "fall", impact_g={"pin": SECRET}))
            await town.publishes(alarm, _body(town, "f", "fall", pin=SECRET))
            # Broken off, run together, too large, and no JSON at all.
            await town.publishes(alarm, _body(town, "b", "fall")[:-2])
            await town.publishes(alarm, _body(town, "b", "fall") * 2)
            await town.publishes(alarm, _body(town, "l", "fall", filling="x" * 70_000))
            await town.publishes(alarm, f"user code is {SECRET}, code_name={NAME};".encode())
            # The database refuses it; and what was refused is decoded again.
            await town.rows("ALTER TABLE observation ADD CHECK (NOT fields ? 'poison')")
            await town.publishes(alarm, _body(town, "p", "fall", poison=True))
            await it.http.post("/api/v1/quarantine/decode", headers=await it.bearer("Tek"))
            shown = await it.http.get("/api/v1/quarantine", headers=await it.bearer("Tek"))
            await town.passes(minutes=30)
            kept = await everything_stored(town)
            fall = await town.alert("fall")
            assert fall["resident_id"] == home.resident
            assert "Kari" in await town.news()
            assert len(await town.alerts("uninterpretable_alarm")) >= 3
            assert len(await town.observed(lock)) == 2
            assert len(await town.quarantined()) >= 10
    assert "[redacted]" in kept["observation"]
    assert "[redacted]" in kept["quarantine"]
    assert "[redacted]" in kept["alert_entry"]
    assert where_it_is(kept) == []
    assert where_it_is({"log": log.getvalue(), "shown": shown.text}) == []
    assert "message.quarantined" in log.getvalue()


def _body(town: World, message_id: str, type_: str, **fields: object) -> bytes:
    return json.dumps({"id": message_id, "time": town.now.isoformat(), "type": type_, **SAID, **fields}).encode()


async def test_a_method_is_no_secret(migrated_url: str, broker: Broker) -> None:
    """That somebody came in with a code is what the rule is about."""
    async with world(migrated_url, broker) as town:
        lock = await town.fits(await town.home(), "e_lock")
        await town.says(lock, "unlocked", method="code", by="4")
        (seen,) = await town.observed(lock)
        assert (seen["fields"], json.loads(bytes(seen["raw"]))["method"]) == ({"method": "code", "by": "4"}, "code")
        await town.passes(minutes=11)
        assert (await town.alert("left_unlocked"))["device_id"] == lock.id


async def test_the_command_line_shows_none_either() -> None:
    body = json.dumps({"id": "1", "time": "2026-03-03T12:00:00+01:00", "type": "unlocked", "pin": SECRET})
    understood = await command("decode", "hv/v1/stavanger/e_lock/l-1/event", body)
    assert (understood.code, json.loads(understood.out)["fields"]) == (0, {"pin": "[redacted]"})
    refused = await command(
        "decode", "hv/v1/stavanger/e_lock/l-1/event", "-", said=b'{"id": {"pin": ' + SECRET.encode() + b"}}"
    )
    assert refused.code == 1
    assert SECRET not in refused.out + refused.err
