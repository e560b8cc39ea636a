"""What is kept no longer goes – by chunk, by segment of what is compressed, by row – and nothing else does: on plain PostgreSQL
and on TimescaleDB alike."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from devices.model import MessageClass
from gateway import retention, retentiontable
from gateway.canary import Limits
from gateway.cli import app
from gateway.clock import ControlledClock
from gateway.forgetting import Forgetting, WrongClock
from gateway.retention import Keep, Table
from gateway.store import aside, history, said, snapshot
from gateway.store import retention as store
from gateway.store.db import Connection
from gateway.store.said import Stretch, Wanted
from gateway.timekeeper import Timekeeper
from tests.gateway.place import NOW, Place, fall, place

DAY = timedelta(days=1)
KEEP = Keep(
    alarm=42,
    event=14,
    result=42,
    status=10,
    raw=5,
    said={("door_sensor", MessageClass.EVENT): 7, ("fall_alarm", MessageClass.STATUS): 4},
)
SPOKEN = """
    WITH batch AS MATERIALIZED (
        SELECT nextval('said_id') AS id, d.id AS device, i.id AS fitting, d.kind, c.class, 'm' || n AS message,
               %s::timestamptz - n * interval '8 hours' + c.place * interval '1 minute' + d.id * interval '1 second' AS at
        FROM generate_series(1, %s) AS n, device d JOIN installation i ON i.device_id = d.id,
             (VALUES ('alarm', 1), ('event', 2), ('status', 3)) AS c (class, place)
        WHERE c.class <> 'alarm' OR n %% 10 = 0),
    bytes AS (INSERT INTO raw_message SELECT id, device, at, convert_to('as it came', 'UTF8') FROM batch WHERE at > %s::timestamptz - interval '9 days'),
    health AS (
        INSERT INTO device_health SELECT id, device, fitting, kind, class, 'heartbeat', message, at, at, '{}', '{"battery": 80}'
        FROM batch WHERE class = 'status' AND at > %s::timestamptz - interval '15 days')
    INSERT INTO observation SELECT id, device, fitting, kind, class, 'opened', message, at, at, '{}', '{}'
    FROM batch WHERE class <> 'status'"""


async def told(town: Place) -> list[tuple[Any, ...]]:
    """All that is stored of what devices said: kind, class, when."""
    rows = await town.rows(
        """SELECT kind, message_class, received_at, id FROM said
           UNION ALL SELECT '', 'raw', received_at, id FROM raw_message ORDER BY id, kind"""
    )
    return [(each["kind"], each["message_class"], each["received_at"]) for each in rows]


def stays(row: tuple[Any, ...], now: datetime) -> bool:
    """By the times that people set, and the grid of the chunks."""
    kind, word, at = row
    if word == "raw":
        return bool(at >= retention.edge(Table.RAW, now - KEEP.raw * DAY))
    of = MessageClass(word)
    days = KEEP.said.get((kind, of), KEEP.of(of))
    return bool(at >= retention.edge(Table.HEALTH if word == "status" else Table.OBSERVATION, now - days * DAY))


async def live(town: Place, *, chunked: bool) -> str:
    """Two homes of 60 days, and a pass, and eight days more, and a pass. What was seen of the rest."""
    await town.rows("UPDATE device SET kind = 'door_sensor' WHERE id = %s", town.homes[1].device)
    await town.rows(SPOKEN, NOW, 180, NOW, NOW)
    forgetting = Forgetting(town.database, KEEP, controlled=True)
    seen: list[Any] = []
    for now in (NOW, NOW + 8 * DAY):
        before = await told(town)
        looked = await look(town, now)
        seen.append(
            [(each.what.name, each.due.rows, each.due.oldest, each.due.oldest_kept) for each in looked if each.due.rows]
        )
        gone = await forgetting.run_once(now)
        assert await told(town) == [each for each in before if stays(each, now)]
        assert len(await told(town)) < len(before)
        assert {each.name for each in gone} == {each.what.name for each in looked if each.due.rows}
        assert await forgetting.run_once(now + timedelta(minutes=5)) == []
        if chunked:
            await compressed_is_what_is_over(town, now)
            assert [each.due.chunks > 0 for each in looked if each.what.name == "device_health"] == [True]
        seen += await answers(town, now)
    (noted,) = await town.rows("SELECT count(*) AS n FROM audit WHERE action = 'retention.applied'")
    assert noted["n"] >= 6
    hidden = {"device_uid", "fitting", "id"}
    plain = [[{k: v for k, v in each.items() if k not in hidden} if isinstance(each, dict) else each for each in part] if isinstance(part, list) else part for part in seen]  # fmt: skip
    return json.dumps(plain, default=str, indent=1).replace("+00:00", "")


async def answers(town: Place, now: datetime) -> list[Any]:
    """What readers get of it."""
    devices = [each.device for each in town.homes]
    of = [Stretch(each.device, each.installation) for each in town.homes]
    wanted = Wanted(now - 40 * DAY, now)

    async def ask(connection: Connection) -> list[Any]:
        return [
            await said.listed(connection, of, wanted, "newest", None, 500),
            await said.counted(connection, of, wanted, [wanted.since, wanted.until], 50),
            await history.oldest(connection, [town.site.id], now - 60 * DAY),
            await history.signs_of_life(connection, [(each, 86400.0) for each in devices], now - 9 * DAY),
        ]

    return await town.run(ask)


async def look(town: Place, now: datetime, keep: Keep = KEEP) -> list[retentiontable.Line]:
    return await town.run(lambda each: retentiontable.ask(each, keep, now))


async def compressed_is_what_is_over(town: Place, now: datetime) -> None:
    chunks = await town.rows(
        """SELECT hypertable_name AS name, is_compressed, range_end,
                  _timescaledb_functions.chunk_status(format('%I.%I', chunk_schema, chunk_name)::regclass) AS status
           FROM timescaledb_information.chunks WHERE hypertable_name = ANY(ARRAY['observation', 'device_health', 'raw_message'])"""
    )
    tables = {each.value.name: each for each in Table}
    for each in chunks:
        over = each["range_end"] <= retention.compressible(tables[each["name"]], now)
        assert each["is_compressed"] == over, each
        assert each["status"] in (0, 1), "none is compressed in part"
    assert {each["name"] for each in chunks if each["is_compressed"]} >= {"observation", "device_health"}


async def test_the_same_goes_from_both_databases(migrated_url: str, hypertable_url: str) -> None:
    async with place(migrated_url, homes=2, size=1) as plain:
        expected = await live(plain, chunked=False)
    async with place(hypertable_url, homes=2, size=1) as hypertable:
        assert await live(hypertable, chunked=True) == expected


async def closed(town: Place, at: datetime) -> int:
    """An alert that was closed then, with a page, its timeline and a line of audit."""
    await town.raise_(town.raising(town.homes[0], at), now=at)
    (alert,) = await town.rows(
        """UPDATE alert SET stage = 'closed', closed_at = %s, due_at = NULL, due_for = NULL WHERE closed_at IS NULL RETURNING id""",
        at,
    )
    await town.rows(
        "INSERT INTO audit (at, action, object, object_id) VALUES (%s, 'alert.opened', 'alert', %s)", at, alert["id"]
    )
    await town.rows(
        """INSERT INTO page (uid, alert_id, attempt, contact_id, person_id, severity, state, created_at)
           VALUES (gen_random_uuid(), %s, 99, %s, %s, 40, 'withdrawn', %s)""",
        alert["id"], town.contacts["Nina"], town.staff["Nina"], at,
    )  # fmt: skip
    await town.rows(
        """INSERT INTO answer (person_id, key, alert_id, request, reply, received_at)
           VALUES (%s, %s, %s, '', '{}', %s)""",
        town.staff["Nina"], str(at), alert["id"], NOW,
    )  # fmt: skip
    return int(alert["id"])


async def test_alerts_and_audit_go_years_later_and_in_one_way_only(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        old, young = await closed(town, NOW - 1200 * DAY), await closed(town, NOW - 1000 * DAY)
        await town.raise_(town.raising(town.homes[0], NOW - 2000 * DAY), now=NOW - 2000 * DAY)
        await town.rows("UPDATE alert SET follows_id = %s WHERE id = %s", old, young)
        await town.rows("INSERT INTO alert_note (alert_id, seq, note) VALUES (%s, 1, 'x'), (%s, 1, 'y')", old, young)
        for statement in (
            "DELETE FROM audit",
            "DELETE FROM alert_entry",
            "SET LOCAL hjemmevakt.lawful = 'retention'; DELETE FROM audit",
            "SET LOCAL hjemmevakt.lawful = 'retention'; SET LOCAL hjemmevakt.kept_from = '2023-01-01'; DELETE FROM alert_entry",
            "SET LOCAL hjemmevakt.lawful = 'retention'; SET LOCAL hjemmevakt.kept_from = '2030-01-01'; UPDATE audit SET at = at",
            "SET LOCAL hjemmevakt.lawful = 'retention'; SET LOCAL hjemmevakt.kept_from = '2030-01-01'; TRUNCATE audit",
        ):
            assert await town.refuses(statement, psycopg.errors.RaiseException), statement
        await Forgetting(town.database, Keep(audit=1100), controlled=True).run_once(NOW)
        left = await town.rows("SELECT id, closed_at IS NULL AS open, follows_id FROM alert ORDER BY id")
        assert [each["open"] for each in left] == [False, True], "what is open never goes"
        assert (left[0]["id"], left[0]["follows_id"]) == (young, None)
        for table in ("page", "answer", "alert_note", "alert_entry"):
            rows = await town.rows(f"SELECT DISTINCT alert_id AS id FROM {table}")
            assert {each["id"] for each in rows} - {left[1]["id"]} == {young}, table
        lines = await town.rows(
            "SELECT object_id, action, params FROM audit WHERE at <> %s OR object_id IS NOT NULL", NOW
        )
        assert old not in {each["object_id"] for each in lines}
        assert young in {each["object_id"] for each in lines}
        noted = await town.rows("SELECT params FROM audit WHERE action = 'retention.applied' ORDER BY id")
        assert {each["params"]["what"]: each["params"]["count"] for each in noted}["alert"] == 1


STAYS = {
    "as long as the home, the person or the device": "assignment device device_part device_state dose_schedule"
    " dwelling home_word installation person residency resident roster_shift rotation rotation_person team team_member",
    "rules and policies, with who set them": "policy policy_version rule rule_version",
    "some rows, however long it runs": "gateway push_key reach_gap reach_look reach_zone rollup roster_look silence_summary site"
    " site_lane zone",
    "a day, with all that the canary resident leaves (gateway/store/canaries.py)": "canary_passage",
    "nobody is in it": "alert_daily_kept alert_fact alert_hourly_kept zone_activity_hourly_kept",
    "the proof that somebody was erased": "erasure",
}


async def test_of_every_table_it_is_decided_what_becomes_of_its_rows(migrated_url: str) -> None:
    """Whoever adds one names it in `retention.rest`, or here, with the reason why it may stay."""
    goes = {each.name for each in retention.rest(Keep(), NOW)} | {each.value.name for each in Table}
    goes |= {*store.OF_ALERT, *store.OF_SILENCE}
    stays = {name for names in STAYS.values() for name in names.split()}
    tables = {line.split()[1] for line in snapshot.FILE.read_text("utf-8").splitlines() if line.startswith("table ")}
    assert {
        each.removesuffix("_kept") if each.removesuffix("_kept") in goes else each for each in tables
    } == goes | stays
    assert not goes & stays
    async with place(migrated_url) as town:
        for name, known in (("alert", {*store.OF_ALERT, "held_back", "alert"}), ("silence", set(store.OF_SILENCE))):
            rows = await town.rows(
                """SELECT conrelid::regclass::text AS name FROM pg_constraint
                   WHERE contype = 'f' AND confrelid = %s::regclass""", name
            )  # fmt: skip
            assert {each["name"] for each in rows} == known, "what points at it has to go with it"


async def test_silences_and_duty_go_as_well_and_what_goes_on_stays(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        alert, nina, nord = await closed(town, NOW - 1200 * DAY), town.staff["Nina"], town.zones["Nord"]
        for ended in (NOW - 1100 * DAY, NOW - 900 * DAY, None):
            (silence,) = await town.rows(
                """INSERT INTO silence (uid, kind, zone_id, resident_id, severity, vital, needs_consent, reason, note, owner_id,
                                        since, until, agreed_at, asked_by, asked_at, ended_at, ended_why, due_at)
                   SELECT gen_random_uuid(), 'silence', %s, %s, 20, false, false, 'test', '', who, since,
                          since + interval '20 days', since, who, since, ended,
                          CASE WHEN ended IS NOT NULL THEN 'time_up' END, CASE WHEN ended IS NULL THEN since END
                   FROM (SELECT %s::bigint AS who, %s::timestamptz AS since, %s::timestamptz AS ended) v RETURNING id""",
                nord, town.homes[0].resident, nina, NOW - 1110 * DAY, ended,
            )  # fmt: skip
            await town.rows(
                """INSERT INTO held_back (silence_id, key, condition, severity, track, rule_id, site_id, zone_id, first_at, newest_at,
                                          times, evidence, devices, settled_at, outcome, alert_id)
                   SELECT %s, 'k', 'fall', 20, 'care', min(id), %s, %s, %s, %s, 1, '{}', '{}', %s, 'raised', %s FROM rule""",
                silence["id"], town.site.id, nord, NOW, NOW, NOW, alert,
            )  # fmt: skip
        for days in (400, 300):
            at = NOW - days * DAY
            await town.rows("INSERT INTO check_in (person_id, in_at) VALUES (%s, %s)", nina, at)
            for until in (at + DAY, None):
                await town.rows(
                    """INSERT INTO absence (uid, person_id, during, kind, created_at, created_by)
                       VALUES (gen_random_uuid(), %s, tstzrange(%s, coalesce(%s::timestamptz, 'infinity')), 'sick', %s, %s)""",
                    nina, at, until, at, nina,
                )  # fmt: skip
        looked = {each.what.name: each.due.rows for each in await look(town, NOW, Keep()) if each.due.rows}
        assert looked == {"alert": 1, "silence": 1, "check_in": 1, "absence": 1}
        assert {
            each.name: each.rows for each in await Forgetting(town.database, Keep(), controlled=True).run_once(NOW)
        } == looked
        held = await town.rows("SELECT alert_id FROM held_back h JOIN silence s ON s.id = h.silence_id")
        assert [each["alert_id"] for each in held] == [None, None]
        (left,) = await town.rows(
            "SELECT (SELECT count(*) FROM absence) AS away, (SELECT count(*) FROM check_in) AS been"
        )
        assert left == {"away": 3, "been": 1}, "who has not come back is still away"


async def test_a_part_that_fails_stops_no_other(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.store(await town.held(), [fall(town.homes[0], "f1", NOW)])
        await closed(town, NOW - 1200 * DAY)
        await town.rows(
            """CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
               CREATE TRIGGER no BEFORE DELETE ON alert FOR EACH ROW EXECUTE FUNCTION no()"""
        )
        forgetting, later = Forgetting(town.database, Keep(), controlled=True), NOW + 36 * DAY
        for _ in range(2):
            with pytest.raises(psycopg.errors.RaiseException, match="no"):
                await forgetting.run_once(later)
        assert await town.rows("SELECT 1 FROM seen") == await town.rows("SELECT 1 FROM raw_message") == []
        await town.rows("DROP TRIGGER no ON alert")
        assert [each.name for each in await forgetting.run_once(later)] == ["alert"]


@pytest.mark.parametrize("ahead", [timedelta(days=5 * 365), timedelta(days=-2), timedelta(hours=2)])
async def test_by_a_clock_that_is_wrong_nothing_goes_and_nothing_is_counted(
    migrated_url: str, ahead: timedelta
) -> None:
    async with place(migrated_url) as town:
        now = await town.run(store.clock)
        await town.rows(SPOKEN, now, 30, now, now)
        await closed(town, now - 30 * DAY)
        before = await every_one(town)
        clock = ControlledClock(now + ahead)
        keeper = Timekeeper(town.database, clock, town.cache, Limits(timedelta(hours=1), timedelta(0)))
        for wrong in (keeper.prune, keeper.reckon):
            with pytest.raises(WrongClock, match="by the database's"):
                await wrong()
        with pytest.raises(WrongClock):
            await retentiontable.apply(migrated_url, Keep(), clock.now())
        assert await every_one(town) == before
        assert await town.rows("SELECT 1 FROM rollup WHERE reckoned_until IS NOT NULL") == []
        right = Timekeeper(town.database, ControlledClock(now), town.cache, Limits(timedelta(hours=1), timedelta(0)))
        await right.prune()
        assert await right.reckon() > 0


async def every_one(town: Place) -> list[dict[str, Any]]:
    tables = ("observation", "device_health", "raw_message", "alert", "alert_entry", "audit", "position", "seen")
    return await town.rows(" UNION ALL ".join(f"SELECT '{each}' AS name, count(*) AS n FROM {each}" for each in tables))


async def test_nothing_of_what_was_said_goes_while_it_is_in_two_places(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town, town.database.connection() as conversion:
        await town.rows(SPOKEN, NOW, 180, NOW, NOW)
        before, forgetting = await told(town), Forgetting(town.database, KEEP, controlled=True)
        await closed(town, NOW - 1200 * DAY)
        await conversion.execute("SELECT pg_advisory_xact_lock(%s)", (aside.LOCK,))
        assert [each.name for each in await forgetting.run_once(NOW)] == ["alert"]
        assert await told(town) == before
        await conversion.rollback()
        await town.rows("CREATE TABLE set_aside AS SELECT 'device_health' AS name")  # of one that was cut short
        assert await forgetting.run_once(NOW) == []
        assert await told(town) == before
        await town.rows("DROP TABLE set_aside")
        assert len(await forgetting.run_once(NOW)) > 3


async def test_of_a_compressed_chunk_only_what_is_due_is_unpacked(hypertable_url: str) -> None:
    async with place(hypertable_url, homes=2, size=1) as town:
        await town.rows("UPDATE device SET kind = 'door_sensor' WHERE id = %s", town.homes[1].device)
        await town.rows(SPOKEN, NOW, 180, NOW, NOW)
        since = retention.edge(Table.OBSERVATION, NOW - 40 * DAY)
        (row,) = await town.rows(
            "SELECT compress_chunk(c)::text AS chunk FROM show_chunks('observation', newer_than => %s, older_than => %s) c",
            since, since + 7 * DAY,
        )  # fmt: skip
        (batches,) = await town.rows(
            """SELECT format('%%I.%%I', k.schema_name, k.table_name) AS name FROM _timescaledb_catalog.chunk c
               JOIN _timescaledb_catalog.chunk k ON k.id = c.compressed_chunk_id WHERE c.table_name = %s""",
            row["chunk"].split(".")[-1],
        )
        packed = f"SELECT DISTINCT kind, message_class AS of FROM {batches['name']} ORDER BY 1, 2"
        was = [(each["kind"], each["of"]) for each in await town.rows(packed)]
        due = retention.Cut(
            Table.OBSERVATION, 14, since + 7 * DAY, MessageClass.EVENT, kinds=("door_sensor", "other_kind")
        )
        assert await town.run(lambda each: store.delete_segments(each, due, since)) == 21
        assert was == [(kind, of) for kind in ("door_sensor", "fall_alarm") for of in ("alarm", "event")]
        assert [(each["kind"], each["of"]) for each in await town.rows(packed)] == was[:3]


async def test_who_took_chunks_for_a_plain_table_deletes_no_other_rows(hypertable_url: str) -> None:
    """A row's place in its chunk is another row's place in the next one."""
    async with place(hypertable_url, homes=1, size=1) as town:
        await town.rows(SPOKEN, NOW, 180, NOW, NOW)
        before = await told(town)
        (cut, *_) = (each for each in retention.cuts(KEEP, NOW) if each.table is Table.HEALTH)
        since = retention.edge(Table.HEALTH, NOW - 12 * DAY)
        assert await town.run(lambda each: store.delete_rows(each, cut, since)) == 3
        after = await told(town)
        gone = [each for each in before if each not in after]
        assert {since <= each[2] < since + DAY for each in gone} == {True}


def test_the_command_shows_what_would_go_and_lets_it_go(migrated_url: str) -> None:
    def run(*arguments: str, **variables: str) -> tuple[int, str]:
        given = {"HJEMMEVAKT_DATABASE_URL": migrated_url, **variables}
        result = CliRunner().invoke(app, ["retention", *arguments], env=given)
        return result.exit_code, result.output

    with psycopg.connect(migrated_url, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO device_health (device_id, kind, message_class, type, occurred_at, received_at, flags, fields)
               SELECT 1, 'e_lock', 'status', 'heartbeat', now() - n * interval '50 days', now() - n * interval '50 days', '{}', '{}'
               FROM generate_series(0, 3) AS n"""
        )
        code, shown = run(HJEMMEVAKT_KEEP='{"e_lock.status": 60}')
        assert code == 0
        lines = {line.split("  ")[0]: line.split() for line in shown.splitlines()}
        assert lines["device_health"][1:3] == ["90", "days"]
        assert lines["device_health"][5] == "2"
        assert "device_health: status of e_lock" in lines
        assert len(lines) == 1 + len(retention.cuts(Keep(), NOW)) + 1 + len(retention.rest(Keep(), NOW))
        assert connection.execute("SELECT count(*) FROM device_health").fetchone() == (4,), "to look lets nothing go"
        assert run("--apply") in ((0, "device_health: 2 rows\n"), (0, "device_health: 2 chunks\n"))
        assert run("--apply") == (0, "nothing was due\n")
        assert connection.execute("SELECT count(*) FROM device_health").fetchone() == (2,)
