"""A resident is erased: nothing in the whole database tells of them any more, and everybody else's life goes on."""

from __future__ import annotations

import csv
import json
import zipfile
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from gateway.embedded import Broker
from gateway.person import erase as erasing
from gateway.person import export as exporting
from gateway.store import belonging
from tests.gateway.served import Served, served
from tests.support.dumped import dumped
from tests.support.processes import Finished, command
from tests.support.rules import own, previews, sets
from tests.support.town import Home
from tests.support.world import World

NAME = "Petronella Wøgdahl"
PHONE = "+47 918 27 364"
NOTE, ACCESS, PLACED, PAYLOAD = "merke-notat", "merke-inngang", "merke-plassert", "merke-nyttelast"
TELLING = (NAME, NAME.upper(), json.dumps(NAME)[1:-1], PHONE, NOTE, ACCESS, PLACED, PAYLOAD, "1931-05-17")


async def call(it: Served, who: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    headers = {**await it.bearer(who), "Idempotency-Key": str(uuid4())}
    reply = await it.http.request(method, f"/api/v1{path}", json=body, headers=headers)
    assert reply.is_success, reply.text
    told: dict[str, Any] = reply.json()
    return told


async def uid_of(town: World, table: str, id_: int) -> str:
    (row,) = await town.rows(f"SELECT uid FROM {table} WHERE id = %s", id_)
    return str(row["uid"])


async def lived(it: Served, home: Home, name: str, mark: str) -> None:
    """All that a resident's life leaves: alerts answered, positions, commands, doses, rubbish, rules, and looks at it."""
    town = it.town
    alarm, lock = await town.fits(home, "safety_alarm"), await town.fits(home, "e_lock")
    await town.says(home.fall_alarm, "heartbeat", message_class="status", battery=81, note=mark)
    await town.says(alarm, "position", latitude=58.973, longitude=5.731, note=mark)
    await town.says(home.fall_alarm, "fall", note=mark, id=f"{mark}-{uuid4()}")
    fall = (await town.alerts("fall"))[-1]["uid"]
    await town.says(lock, "locked")
    await town.answers("Kari", fall, "claim")
    await town.asks("Kari", fall, lock, "unlock")
    await town.passes(minutes=2)
    topic = f"hv/v1/{town.site}/fall_alarm/{home.fall_alarm.address.address}/event"
    await town.publishes(topic, json.dumps({"id": str(uuid4()), "time": "?", "who": name, "note": mark}).encode())
    await town.publishes(f"hv/v1/{town.site}/toaster/t-{uuid4()}/event", f"{name} {mark}".encode())
    await sets(town, "Siri", "fall_alarm", own("fall_alarm", "fall"), resident=home.resident)
    silence = {"resident": await uid_of(town, "resident", home.resident), "track": "technical", "reason": "visit"}
    until = (town.now + timedelta(hours=1)).isoformat()
    await call(it, "Siri", "POST", "/silences", {**silence, "until": until, "note": f"{name} har besøk, {mark}"})
    await previews(town, "Siri", "fall_alarm", own("fall_alarm", "fall"), zone=town.zones["Sone"])
    for path in ("/residents", "/alerts", f"/residents/{await uid_of(town, 'resident', home.resident)}"):
        await it.get("Siri", path)
    for each in await town.rows("SELECT uid, track FROM alert WHERE closed_at IS NULL"):
        await it.detail("Vakt", each["uid"])
        await town.done("Kari" if each["track"] == "care" else "Tek", each["uid"])


async def in_detail(it: Served, home: Home) -> str:
    """What is to be found is written where it goes, through the API; the uid."""
    town = it.town
    uid = await uid_of(town, "resident", home.resident)
    await call(
        it, "Siri", "PATCH", f"/residents/{uid}", {"name": NAME, "phone": PHONE, "notes": NOTE, "born": TELLING[-1]}
    )
    dwelling = await uid_of(town, "dwelling", home.dwelling)
    await call(it, "Siri", "PATCH", f"/dwellings/{dwelling}", {"access": f"{ACCESS}, ring {NAME}"})
    await town.rows("UPDATE installation SET placed = %s WHERE resident_id = %s", PLACED, home.resident)
    return uid


async def erase(it: Served, folder: Path, *arguments: str, said: str = "") -> Finished:
    database = it.town.gateway.database.url
    return await command("person", "erase", *arguments, said=said.encode(), database_url=database, data_folder=folder)


async def exported(it: Served, uid: str, file: Path) -> None:
    """All of it is in the export that is given before, and nothing of anybody else."""
    await it.town.person("Frida", "lead")
    await it.town.contact("Frida", "email", "frida@kommune.example")
    database = it.town.gateway.database
    resident = await database.run(lambda each: belonging.find(each, UUID(uid)))
    assert resident is not None
    await exporting.export(database, resident["id"], file, "somebody", it.town.now)
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as archive:
        parts = {each: archive.read(each).decode() for each in archive.namelist()}
    about, person = json.loads(parts["about.json"]), json.loads(parts["person.json"])
    assert (about["schema"], about["resident"]) == ("hjemmevakt.person/1", uid)
    assert (person["name"], person["phone"], person["notes"], person["born"]) == (NAME, PHONE, NOTE, TELLING[-1])
    assert ACCESS in person["homes"][0]["access"]
    assert {each["kind"] for each in person["devices"]} == {
        "fall_alarm",
        "medicine_dispenser",
        "safety_alarm",
        "e_lock",
    }
    assert ([each["local_time"] for each in person["doses"]], len(person["rules"])) == (["08:00:00", "20:00:00"], 1)
    assert [each["note"] for each in person["silences"]] == [f"{NAME} har besøk, {PAYLOAD}"]
    said = list(csv.DictReader(parts["observations.csv"].splitlines()))
    assert {each["type"] for each in said} >= {"heartbeat", "fall", "position", "locked"}
    assert all(PAYLOAD in each["message"] for each in said if each["type"] in {"heartbeat", "fall", "position"})
    assert len(said) == about["rows"]["observations.csv"]
    (position,) = csv.DictReader(parts["positions.csv"].splitlines())
    assert position["latitude"] == "58.973"
    (command_,) = csv.DictReader(parts["commands.csv"].splitlines())
    assert (command_["name"], command_["requested_by"]) == ("unlock", "Kari")
    assert len(list(csv.DictReader(parts["quarantine.csv"].splitlines()))) == 2
    alerts = [json.loads(line) for line in parts["alerts.jsonl"].splitlines()]
    fall = next(each for each in alerts if each["condition"] == "fall")
    assert (fall["timeline"][0]["code"], fall["pages"][0]["to"]) == ("raised", "Kari")
    looks = list(csv.DictReader(parts["access-log.csv"].splitlines()))
    assert ("Siri", "resident.viewed") in {(each["who"], each["action"]) for each in looks}
    everything = "".join(parts.values())
    assert [each for each in ("Beboer 2", "Granveien 2", "nabo", "frida@", "argon2") if each in everything] == []


async def refused(it: Served, home: Home, *, end_first: bool = False) -> list[str]:
    """The reasons why somebody is not erased."""
    database, now = it.town.gateway.database, it.town.now
    try:
        await erasing.erase(database, home.resident, "somebody", now, None, end_first=end_first)
    except erasing.NotYet as error:
        return [each.reason for each in error.found]
    raise AssertionError("erased")


async def of_neighbour(town: World, home: Home) -> dict[str, Any]:
    """All that is stored of somebody, but who looked and what the device last said."""
    of = {
        "resident": "id = %(resident)s", "dwelling": "id = %(dwelling)s", "residency": "resident_id = %(resident)s",
        "installation": "resident_id = %(resident)s", "alert": "resident_id = %(resident)s",
        "rule": "resident_id = %(resident)s", "position": "installation_id IN ({})", "observation": "installation_id IN ({})",
        "dose_schedule": "installation_id IN ({})", "command": "installation_id IN ({})",
        "alert_entry": "alert_id IN (SELECT id FROM alert WHERE resident_id = %(resident)s)",
        "page": "alert_id IN (SELECT id FROM alert WHERE resident_id = %(resident)s)",
        "audit": "object = 'resident' AND object_id = %(resident)s",
    }  # fmt: skip
    fittings = "SELECT id FROM installation WHERE resident_id = %(resident)s"
    found = {}
    for table, condition in of.items():
        query = f"SELECT * FROM {table} t WHERE {condition.format(fittings)} ORDER BY t::text"
        found[table] = await town.rows(query, resident=home.resident, dwelling=home.dwelling)
    assert all(found.values()), [table for table, rows in found.items() if not rows]
    return found


async def test_nothing_tells_of_who_was_erased_and_the_others_live_on(
    migrated_url: str, broker: Broker, tmp_path: Path
) -> None:
    async with served(migrated_url, broker) as it:
        town = it.town
        gone, stays = await town.home(doses=[time(8), time(20)]), await town.home(doses=[time(8)])
        uid = await in_detail(it, gone)
        await lived(it, gone, NAME, PAYLOAD)
        await lived(it, stays, "Beboer 2", "nabo")
        before = dumped(migrated_url)
        assert [each for each in (*TELLING, uid) if each not in before] == [NAME.upper()]
        neighbour = await of_neighbour(town, stays)

        await exported(it, uid, tmp_path / "hers.zip")

        assert await refused(it, gone) == ["lives_somewhere", *["fitted"] * 4]
        await town.says(gone.fall_alarm, "fall")
        assert "alert_open" in await refused(it, gone, end_first=True)
        await town.done("Kari", (await town.alerts("fall"))[-1]["uid"])

        done = await erase(it, tmp_path, "--name", "petronella", "--now", said=f"{NAME}\n")
        assert (done.code, done.err) == (0, "")
        after = dumped(migrated_url)
        assert [each for each in (*TELLING, uid) if each.lower() in after.lower()] == []
        ledger = (tmp_path / "erased.jsonl").read_text()
        assert (ledger.count("\n"), uid in ledger, NAME in ledger) == (1, False, False)
        (record,) = await town.rows("SELECT * FROM erasure")
        assert record["done_at"] is not None
        assert {
            "observation",
            "alert",
            "alert_entry",
            "position",
            "audit",
            "command",
            "quarantine",
            "rule",
            "silence",
        } <= {table for table, many in record["counts"].items() if many}
        assert await of_neighbour(town, stays) == neighbour

        # The gateway goes on: with the neighbour, and with the device that somebody else gets.
        await town.news()
        await town.says(stays.fall_alarm, "fall")
        assert await town.news() == ["Kari"]
        await town.says(gone.fall_alarm, "fall")
        raised = (await town.rows("SELECT condition, resident_id, dwelling_id FROM alert ORDER BY id"))[-1]
        assert raised == {"condition": "fall", "resident_id": None, "dwelling_id": None}
