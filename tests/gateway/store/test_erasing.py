"""Erasing, table by table: what is whose in a home of two, what is cut short, and that no reference was forgotten."""

from __future__ import annotations

import asyncio
import fcntl
import json
import re
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.policy import DEFAULT_POLICIES
from devices.model import Lane
from gateway.clock import pause
from gateway.person import erase as person
from gateway.person import ledger
from gateway.store import audit, backups, devices, erasing, erasures, homes, municipality, rollups, snapshot
from gateway.store.db import Connection, Database, as_json
from tests.gateway.place import NOW, Place, fall, heartbeat, place
from tests.support.dumped import every_row

A_DAY, SAID_OF_HER = timedelta(days=1), "hennes-nyttelast"


async def two_in_one_home(town: Place) -> tuple[int, int]:
    """She lived alone for ten days, then he moved in; the home has a door sensor for nobody in particular. The second
    home's resident moves to the first one. The door sensor, and since when he is there."""
    hers, his = town.homes

    async def arrange(connection: Connection) -> int:
        door = await municipality.add_device(connection, "kommune", "door-1", "door_sensor")
        await municipality.fit(connection, door, hers.dwelling, None, "gang", NOW - timedelta(days=30))
        at = NOW - timedelta(days=20)
        cursor = await connection.execute("SELECT id FROM residency WHERE resident_id = %s", (his.resident,))
        row = await cursor.fetchone()
        assert row is not None
        await homes.move_out(connection, row["id"], his.dwelling, at, NOW)
        await homes.move_in(connection, his.resident, hers.dwelling, at, NOW)
        return door

    return await town.run(arrange), his.resident


async def says(town: Place, device: int, days_ago: float, **fields: Any) -> None:
    """What a device said, with the fitting that it was in."""
    at = NOW - timedelta(days=days_ago)
    (subject,) = await town.run(lambda each: devices.subjects_at(each, [(device, at)]))
    await town.rows(STORED, device, subject.installation_id, at, at, fields.get("note", ""))


STORED = """
    WITH told AS (
        INSERT INTO observation (device_id, installation_id, kind, message_class, type, occurred_at, received_at, flags, fields)
        VALUES (%s, %s, 'door_sensor', 'event', 'opened', %s, %s, '{}', jsonb_build_object('note', %s::text)) RETURNING *)
    INSERT INTO raw_message SELECT id, device_id, received_at, convert_to(fields::text, 'UTF8') FROM told"""


async def left(town: Place, device: int) -> list[float]:
    """How many days ago the device said what is still stored."""
    rows = await town.rows("SELECT occurred_at FROM observation WHERE device_id = %s ORDER BY 1", device)
    return [(NOW - row["occurred_at"]) / A_DAY for row in rows]


async def leaves(town: Place, resident: int, at: datetime = NOW) -> None:
    for table in ("residency", "installation"):
        query = f"UPDATE {table} SET during = tstzrange(lower(during), %s) WHERE resident_id = %s AND upper_inf(during)"
        await town.rows(query, at, resident)


async def reckon(town: Place) -> None:
    await town.database.apart(lambda each: rollups.refresh(each, NOW + A_DAY, rollups.Kept.alike(A_DAY * 90)))


async def counted(town: Place, rollup: str, device: int) -> list[int]:
    """How many days ago something is counted of a device."""
    query = f"""SELECT r.bucket FROM {rollup} r JOIN installation i ON i.id = r.installation_id
                WHERE i.device_id = %s ORDER BY 1"""
    return [int((NOW - row["bucket"]) / A_DAY) for row in await town.rows(query, device)]


async def test_of_two_in_one_home_only_what_is_hers_goes(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        door, _ = await two_in_one_home(town)
        hers, his = town.homes
        for days_ago in (25, 15, 5):
            await says(town, door, days_ago)
            await says(town, hers.device, days_ago)
            await says(town, his.device, days_ago)
        await says(town, hers.device, 40, note="Beboer 1 er navnet")  # before it was fitted, and named all the same
        await says(town, his.device, 40)
        await leaves(town, hers.resident)
        await reckon(town)
        assert await counted(town, "activity_daily", door) == [25, 15, 5]
        await person.erase(town.database, hers.resident, "somebody", NOW, None)
        await reckon(town)
        assert await left(town, door) == [15, 5], "alone she was 25 days ago"
        assert await counted(town, "activity_daily", door) == [15, 5]
        assert await counted(town, "activity_hourly", hers.device) == []
        assert await counted(town, "activity_hourly", his.device) == [25, 15, 5]
        assert await left(town, hers.device) == []
        assert await left(town, his.device) == [40, 25, 15, 5]
        (dwelling,) = await town.rows("SELECT address, access FROM dwelling WHERE id = %s", hers.dwelling)
        assert dwelling == {"address": "Granveien 1", "access": "Nøkkelboks"}, "he still lives there"
        (fitting,) = await town.rows("SELECT device_id FROM installation WHERE dwelling_id = %s", hers.dwelling)
        assert fitting["device_id"] == door

        # With him, all is gone that told of the two. The sensor was there before him: it was in a home, of nobody.
        await leaves(town, his.resident)
        await town.rows("UPDATE installation SET during = tstzrange(lower(during), %s) WHERE device_id = %s", NOW, door)
        await person.erase(town.database, his.resident, "somebody", NOW, None)
        assert (await left(town, door), await left(town, his.device)) == ([], [40])
        assert len(await town.rows("SELECT 1 FROM raw_message")) == 1
        kept = await town.rows(
            "SELECT w.access, i.device_id FROM dwelling w JOIN installation i ON i.dwelling_id = w.id"
        )
        assert [(each["access"], each["device_id"]) for each in kept] == [("", door)]
        assert len(await town.rows("SELECT 1 FROM dwelling")) == 1, "his former home was nobody's else"


async def test_what_her_device_said_in_an_alert_of_his_is_taken_out(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        await two_in_one_home(town)
        hers, his = town.homes
        await town.raise_(town.raising(his))
        told = {"evidence": {"device": str(hers.address), "type": "smoke", "fields": {"note": SAID_OF_HER},
                             "occurred_at": NOW.isoformat(), "received_at": NOW.isoformat(), "flags": [], "kind": "f"}}  # fmt: skip
        await town.run(
            lambda each: each.execute(
                """INSERT INTO alert_entry (alert_id, seq, at, code, params)
                   SELECT id, 100, %s, 'evidence_joined', %s FROM alert""",
                (NOW, as_json(told)),
            )
        )
        await leaves(town, hers.resident, NOW + A_DAY)
        await person.erase(town.database, hers.resident, "somebody", NOW + A_DAY * 2, None)
        (entry,) = await town.rows("SELECT params FROM alert_entry WHERE seq = 100")
        assert entry["params"]["evidence"] == {**told["evidence"], "device": None, "fields": {}}


class _Cut(Exception):
    """The process is killed."""


async def test_what_is_cut_short_anywhere_goes_on(migrated_url: str, tmp_path: Path) -> None:
    """After each of its transactions in turn, each time with another resident."""
    kept, transactions = tmp_path / "erased.jsonl", 12 + len(list(erasing.throughout()))
    async with place(migrated_url, homes=transactions) as town:
        for home in town.homes:
            for days_ago in (1, 29):
                await says(town, home.device, days_ago)
        for at, gone in enumerate(town.homes[1:], 1):
            await leaves(town, gone.resident)
            with pytest.raises(_Cut):
                await person.erase(_CutShort(town.database, at), gone.resident, "somebody", NOW, kept)
            (record,) = await person.go_on(town.database, NOW, kept)
            assert (record.counts["observation"], record.counts["resident"]) == (2, 1), at
            assert await left(town, gone.device) == []
            assert [each.mark for each in ledger.read(kept)][-1] == record.mark
        assert len(ledger.read(kept)) == transactions - 1
        assert await person.go_on(town.database, NOW, kept) == []
        (stays,) = await town.rows("SELECT id FROM resident")
        assert (stays["id"], await left(town, town.homes[0].device)) == (town.homes[0].resident, [29, 1])


class _CutShort(Database):
    """A database of which the connection is lost after so many transactions that have committed."""

    def __init__(self, database: Database, after: int) -> None:
        self._real, self._after, self.work = database, after, 0

    async def run(self, work: Any) -> Any:
        if self.work == self._after:
            raise _Cut
        self.work += 1
        return await self._real.run(work)


async def test_while_the_audit_is_looked_through_every_device_is_stored(migrated_url: str) -> None:
    """Whatever is long, or has to wait, holds nothing that a message needs."""
    async with place(migrated_url, homes=2) as town:
        gone, stays = town.homes
        await says(town, gone.device, 3)
        await town.run(lambda each: each.execute(STATE, (gone.device, NOW - A_DAY)))
        await town.run(lambda each: audit.note_shown(each, NOW, town.staff["Nina"], [gone.resident]))
        await leaves(town, gone.resident)
        async with town.database.connection() as reader:
            await reader.execute("SELECT FROM audit WHERE object_id = %s FOR UPDATE", (gone.resident,))
            erasing_ = asyncio.create_task(person.erase(town.database, gone.resident, "somebody", NOW, None))
            await _waits(town, "%audit x WHERE%")
            await town.run(lambda each: each.execute("SET LOCAL lock_timeout = '100ms'; " + TOUCHED))
            await town.store(await town.held(), [fall(stays, "f")])
        record = await erasing_
        assert (record.counts["audit"], record.counts["resident"]) == (1, 1)


STATE = "INSERT INTO device_state (device_id, last_said_at, fields) VALUES (%s, %s, '{\"battery_percent\": 80}')"
TOUCHED = "UPDATE device_state SET online = true; SELECT FROM alert FOR UPDATE; SELECT FROM watch FOR UPDATE"


async def _waits(town: Place, statement: str) -> None:
    """Until somebody waits for a lock with a statement like this."""
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE %s"
    async with asyncio.timeout(20):
        while not await town.rows(query, statement):
            await pause(0.01)


@pytest.mark.parametrize(
    ("days_ago", "left_"), [(3, {}), (0.5, {"battery_percent": 80})], ids=["of her", "of him"]
)  # fmt: skip
async def test_what_a_device_says_of_somebody_else_by_now_stays(
    migrated_url: str, days_ago: float, left_: dict[str, int]
) -> None:
    """Her device was taken down two days ago, and is another's since yesterday."""
    async with place(migrated_url, homes=2) as town:
        hers, his = town.homes
        for home in town.homes:
            await leaves(town, home.resident, NOW - 2 * A_DAY)
        since = NOW - A_DAY
        await town.run(lambda each: municipality.fit(each, hers.device, his.dwelling, his.resident, "", since))
        await town.run(lambda each: each.execute(STATE, (hers.device, NOW - A_DAY * days_ago)))
        await person.erase(town.database, hers.resident, "somebody", NOW, None)
        assert [each["fields"] for each in await town.rows("SELECT fields FROM device_state")] == [left_]


async def test_a_ledger_that_was_cut_off_is_read_and_goes_on(tmp_path: Path) -> None:
    path, at = tmp_path / "erased.jsonl", NOW
    one, two = (erasures.Record(at, None, "", bytes([n]) * 16, bytes([n]) * 32, {}) for n in (1, 2))
    ledger.note(path, one)
    ledger.note(path, one)
    with path.open("a") as file:
        file.write('{"schema": "hjemmeva')
    assert ledger.read(path) == [one]
    ledger.note(path, two)
    assert ledger.read(path) == [one, two]
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("rubbish\n")
    with pytest.raises(ledger.LedgerBroken, match="line 1"):
        ledger.read(path)


def test_two_who_note_at_once_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "erased.jsonl"
    one, two, three = (erasures.Record(NOW, None, "", bytes([n]) * 16, bytes([n]) * 32, {}) for n in (1, 2, 3))
    ledger.note(path, one)
    with ThreadPoolExecutor(1) as pool, path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        noting = pool.submit(ledger.note, path, two)
        assert not wait([noting], timeout=0.2).done
        file.write(json.dumps(ledger.as_line(three)).encode() + b"\n")
        file.close()
        noting.result()
    assert ledger.read(path) == [one, three, two]


NOT_SEARCHED = {
    "codes: ours, of the kinds of device, or as a rule has to be named": """
        absence.kind alert.key alert.condition alert.vkp_code alert.track alert.stage alert.due_for alert.before_closing
        alert.cause alert.cause_code alert.action alert.action_code alert.due_as alert_entry.code assignment.role audit.action audit.object command.name command.reason
        command.state command.outcome contact.channel contact.machine device.ecosystem device.kind device_part.part device_part.type
        held_back.key held_back.condition held_back.vkp_code held_back.track held_back.outcome home_word.word page.state
        page.about planned_shift.role planned_shift.source planned_shift.event position.source quarantine.reason
        quarantine.message_class quarantine.ecosystem quarantine.kind quarantine.state reach_gap.track reach_gap.gap
        rollup.name roster_feed.role roster_override.role roster_shift.role roster_shift.on_days roster_swap.role
        roster_swap.state rotation.role rule.kind rule.name rule_version.spec sign_of_life.type silence.kind
        silence.condition silence.track silence.reason silence.ended_why site_lane.lane watch.key watch.state zone.kind""",
    "what devices said, and where: goes by device and time": """
        device.address device_health.* device_state.fields observation.* raw_message.* quarantine.* seen.*""",
    "staff, and their sessions": """
        contact.address person.* phone_link.token_hash roster_feed.token_hash session.* sign_in_failure.username
        erasure.operator""",
    "homes and places, which stay": "dwelling.address dwelling.postal_code dwelling.city site.name zone.name",
    "the resident's own row goes": "resident.name resident.phone",
    "made by us": """
        answer.key answer.request canary_passage.message_id erasure.* gateway.holder page.key page.leased_by
        push_key.private_key site_lane.holder""",
}


def test_of_every_column_it_is_decided_whether_others_words_are_looked_through() -> None:
    """Whoever adds a text decides: in `gateway/store/erasing.py`, or here with the reason."""
    columns: set[str] = set()
    table = ""
    for line in snapshot.FILE.read_text("utf-8").splitlines():
        words = line.split()
        if line.startswith("table "):
            table = words[1]
        elif line.startswith(("view ", "function ")):
            table = ""
        elif table and len(words) > 1 and words[1] in {"text", "text[]", "jsonb", "bytea"} and line.startswith("    "):
            columns.add(f"{table}.{words[0]}")
    columns = {each for each in columns if not each.partition(".")[0].endswith(("_kept", "_fact"))}
    reasoned = {name for names in NOT_SEARCHED.values() for name in names.split()}
    searched = erasing.searched()
    undecided = {each for each in columns - searched if not {each, f"{each.partition('.')[0]}.*"} & reasoned}
    assert undecided == set()
    assert searched - columns == set()
    assert searched & reasoned == set()
    assert {each for each in reasoned if not each.endswith("*")} - columns == set()


async def test_what_others_have_named_after_her_is_called_otherwise(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        gone, stays = town.homes
        await town.rows("UPDATE resident SET name = 'Petronella' WHERE id = %s", gone.resident)
        await town.raise_(town.raising(stays))
        for name in ("Natt hos Petronella", "Natt hos petronella"):
            await town.rows(
                "INSERT INTO team (uid, zone_id, name, version) VALUES (gen_random_uuid(), %s, %s, 1)",
                town.zones["Nord"], name,
            )  # fmt: skip
            (policy,) = await town.rows(
                "INSERT INTO policy (uid, name, version) VALUES (gen_random_uuid(), %s, 1) RETURNING id", name
            )
            spec = as_json({**DEFAULT_POLICIES[0].model_dump(mode="json"), "name": name})
            await town.rows(
                "INSERT INTO policy_version (policy_id, version, spec, created_at) VALUES (%s, 1, %s, %s)",
                policy["id"], spec, NOW,
            )  # fmt: skip
            await town.rows("UPDATE alert SET policy = %s", spec)
        await leaves(town, gone.resident)
        await person.erase(town.database, gone.resident, "somebody", NOW, None)
        for query in ("SELECT name FROM team", "SELECT name FROM policy WHERE name LIKE 'Natt%'"):
            names = [each["name"] for each in await town.rows(f"{query} ORDER BY id")]
            assert [re.sub("[0-9]+", "n", each) for each in names] == ["Natt hos [erased n]"] * 2
        whole = await every_row(migrated_url)
        assert "petronella" not in whole.lower()


async def test_nothing_refers_to_what_goes_that_is_not_known_to_go(migrated_url: str) -> None:
    """A new table that points at a resident's rows has to be thought of: here, and in `gateway/store/erasing.py`."""
    async with place(migrated_url) as town:
        rows = await town.rows(
            """SELECT DISTINCT p.relname AS pointing FROM pg_constraint f JOIN pg_class p ON p.oid = f.conrelid
               JOIN pg_class t ON t.oid = f.confrelid WHERE f.contype = 'f' AND t.relname = ANY(%s)""",
            [each for each in erasing.tables() if each != "dwelling"],
        )
        assert {row["pointing"] for row in rows} - set(erasing.tables()) == set()


async def test_on_timescaledb_too(hypertable_url: str) -> None:
    async with place(hypertable_url, homes=2, size=1) as town:
        gone, stays = town.homes
        (row,) = await town.rows("SELECT uid, name FROM resident WHERE id = %s", gone.resident)
        held, bulk = await town.held(), await town.held(Lane.BULK)
        for day in range(3):
            at = NOW - timedelta(days=day)
            for home in (gone, stays):
                await town.store(
                    bulk, [heartbeat(home, f"h{day}", at, note=SAID_OF_HER if home is gone else "his")], at
                )
        await town.store(held, [fall(gone, "f"), fall(stays, "f")])
        await town.rows("UPDATE alert SET stage = 'closed', due_at = NULL, due_for = NULL, closed_at = %s", NOW)
        await leaves(town, gone.resident)
        await reckon(town)
        for table in (*erasing.SAID, erasing.RAW):
            await town.rows(f"SELECT compress_chunk(c) FROM show_chunks('{table}') c")
        await person.erase(town.database, gone.resident, "somebody", NOW, None)
        await reckon(town)
        assert len(await town.rows("SELECT 1 FROM alert")) == 1
        for table in ("activity_hourly", "activity_daily", "device_health_hourly", "device_health_daily"):
            told = await town.rows(f"SELECT DISTINCT installation_id AS id FROM {table}")
            assert [each["id"] for each in told] == [stays.installation], table
        (left_,) = await town.rows("SELECT count(*) AS n FROM said")
        (bytes_,) = await town.rows("SELECT count(*) AS n FROM raw_message")
        assert (left_["n"], bytes_["n"]) == (4, 4)
        for table in (*erasing.SAID, erasing.RAW):  # what is compressed cannot be read as text
            await town.rows(f"SELECT decompress_chunk(c, true) FROM show_chunks('{table}') c")
    whole = await every_row(hypertable_url)
    assert [each for each in (row["name"], str(row["uid"]), SAID_OF_HER) if each in whole] == []
    assert "Beboer 2" in whole

    # What a restore asks of TimescaleDB. (pg_dump does not come through to this server: it ends with the first COPY.)
    async with backups.patient(hypertable_url) as connection:
        _, version, offered = await backups.versions(connection)
        assert version in offered
        await backups.before_restore(connection, version)
        await backups.after_restore(connection, version)
        assert (await backups.counts(connection))["observation"] == 1
        assert await backups.broken(connection) == []
