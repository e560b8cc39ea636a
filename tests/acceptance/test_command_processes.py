"""`hjemmevakt` as a user meets it: what is wrong is one clear line each, and what was started ends in order."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import psycopg
import pytest

from gateway.embedded import LOOPBACK, Broker, free_port
from gateway.errors import SettingError
from gateway.settings import load
from tests.support.databases import short_folder
from tests.support.processes import GatewayProcess, alive, command, eventually, seeded

MOMENT = "2026-03-03T07:00:00+00:00"


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"mqtt_prot": "1883"}, "HJEMMEVAKT_MQTT_PROT): there is no such setting"),
        ({"mqtt_port": "mange"}, "HJEMMEVAKT_MQTT_PORT): "),
        ({"mqtt_port": "70000"}, "HJEMMEVAKT_MQTT_PORT): "),
        ({"mqtt_password_file": "/no/such/file"}, "HJEMMEVAKT_MQTT_PASSWORD_FILE: /no/such/file cannot be read"),
        ({"time_zone": "Europe/Stavanger"}, "HJEMMEVAKT_TIME_ZONE): 'Europe/Stavanger' is no time zone"),
        ({"environment": "production", "controlled_clock": MOMENT}, "a gateway in production keeps the real time"),
        ({"database_url": "hva som helst"}, "HJEMMEVAKT_DATABASE_URL): "),
        ({"config": "/no/such/file"}, "HJEMMEVAKT_CONFIG: /no/such/file cannot be read"),
        ({"canary_seconds": "50", "deaf_seconds": "60"}, "deaf_seconds must be at least twice canary_seconds"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(settings: dict[str, str], line: str) -> None:
    with pytest.raises(SettingError) as told:
        load({f"HJEMMEVAKT_{name.upper()}": value for name, value in settings.items()})
    assert line in str(told.value)
    assert "\n" not in str(told.value)


async def test_every_wrong_setting_is_told_at_once_and_secrets_are_not() -> None:
    found = await command("serve", mqtt_port="x", time_zone="y", database_url="postgresql://me:hemmelig@[h/d", coffee=1)
    assert found.code == 2
    assert len(found.lines) == 4, found.err
    assert all(line.startswith("hjemmevakt: setting ") for line in found.lines)
    assert "hemmelig" not in found.err


async def test_roles_that_do_not_exist() -> None:
    found = await command("serve", "--roles", "ingest,coffee")
    assert (found.code, len(found.lines)) == (2, 1), found.err
    assert "name some of ingest, engine, web" in found.err


async def test_migrate_and_seed_can_be_run_again(database_url: str, tmp_path: Path) -> None:
    missing = await command("migrate", "--check", database_url=database_url)
    assert missing.code == 1
    assert "0001_core.sql" in missing.out
    assert "applied 0001_core.sql" in (await command("migrate", database_url=database_url)).out
    assert (await command("migrate", database_url=database_url)).out.endswith("up to date\n")
    assert (await command("migrate", "--check", database_url=database_url)).code == 0

    secret, devices = tmp_path / "password", tmp_path / "devices.json"
    secret.write_text("hemmelig\n")
    seed = ("seed", "--residents", "12", "--password-file", str(secret), "--devices-file", str(devices))
    first = await command(*seed, database_url=database_url)
    second = await command(*seed, database_url=database_url)
    assert (first.code, second.code) == (0, 0), first.err + second.err
    written = len(json.loads(devices.read_text()))
    assert written > 30
    assert f"12 residents, {written} devices" in first.out
    assert second.out == first.out


async def test_a_database_that_is_not_there_is_a_line() -> None:
    with short_folder() as folder:
        nowhere = f"postgresql:///hjemmevakt?host={folder}"
        for what in ("migrate", "seed"):
            found = await command(what, database_url=nowhere)
            assert found.code == 2, found
            assert "Traceback" not in found.err
            assert "hjemmevakt: the database cannot be used" in found.lines[0]


async def test_decode_shows_what_is_understood_and_says_what_is_not() -> None:
    topic = "hv/v1/stavanger/fall_alarm/fall-001/alarm"
    body = json.dumps({"id": "1", "time": MOMENT, "type": "fall", "impact_g": 4.5})
    good = await command("decode", topic, body)
    assert good.code == 0, good.err
    assert json.loads(good.out)["fields"] == {"impact_g": 4.5}
    assert (await command("decode", topic, "-", said=body.encode())).out == good.out

    bad = await command("decode", topic, "-", said=b"\xff{")
    assert (bad.code, bad.out, len(bad.lines)) == (1, "", 1)
    assert bad.err.startswith("not understood: ")
    assert (await command("decode", "somewhere/else", body)).code == 1


async def test_everything_comes_along_and_nothing_is_left(own_broker: Broker) -> None:
    """The embedded PostgreSQL, and no settings but the broker's."""
    with short_folder() as folder, GatewayProcess(
        folder, data_folder=folder / "data", mqtt_host=own_broker.host, mqtt_port=own_broker.port
    ) as gateway:  # fmt: skip
        gateway.start()
        await gateway.logged("gateway.started")
        await gateway.healthy()
        postmaster = int((folder / "data/postgres/data/postmaster.pid").read_text().splitlines()[0])
        assert await gateway.stop() == 0, gateway.said
        assert gateway.entries("gateway.stopped")
        assert "Traceback" not in gateway.said

        async def gone() -> bool:
            return not alive(postmaster)

        await eventually(gone, "the database has ended")


async def test_a_port_that_is_taken_is_a_line_and_a_failure(migrated_url: str, broker: Broker, tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, database_url=migrated_url, mqtt_port=broker.port)
    with gateway, socket.create_server((LOOPBACK, gateway.port)):
        gateway.start()
        assert await gateway.ended() == 2
        last = gateway.said.splitlines()[-1]
        assert last.startswith("hjemmevakt: ")
        assert str(gateway.port) in last
        assert "Traceback" not in gateway.said


async def test_without_a_broker_it_keeps_trying(migrated_url: str, tmp_path: Path) -> None:
    await seeded(migrated_url, 1)
    with short_folder() as folder:
        port = free_port()
        with GatewayProcess(tmp_path, database_url=migrated_url, mqtt_port=port) as gateway:
            gateway.start()
            await gateway.logged("loop.failed", loop="lane stavanger/alarm")
            assert (await gateway.get("/health/live")).status_code == 200
            await gateway.reports("loop")
            with Broker(folder, port, server="mosquitto"):
                await gateway.connected()
                await gateway.healthy()
                assert await gateway.stop() == 0


async def test_a_stopped_database_at_start_is_waited_for_and_can_be_interrupted(broker: Broker, tmp_path: Path) -> None:
    with short_folder() as folder:
        nowhere = f"postgresql:///hjemmevakt?host={folder}"
        with GatewayProcess(tmp_path, database_url=nowhere, mqtt_port=broker.port) as gateway:
            gateway.start()
            await gateway.logged("database.away")
            assert await gateway.stop() == 0


async def test_a_listening_browser_does_not_hold_up_the_end(migrated_url: str, broker: Broker, tmp_path: Path) -> None:
    await seeded(migrated_url, 1)
    with GatewayProcess(tmp_path, database_url=migrated_url, mqtt_port=broker.port) as gateway:
        gateway.start()
        async with gateway.signed_in("vakt1a") as client, client.stream("GET", "/changes") as stream:
            assert stream.status_code == 200
            gateway.signal(signal.SIGINT)
            assert await gateway.ended() == 0
        assert "Traceback" not in gateway.said, gateway.said


async def test_one_device_says_one_thing_and_has_its_receipt(
    migrated_url: str, own_broker: Broker, tmp_path: Path
) -> None:
    devices = tmp_path / "devices.json"
    seed = await command("seed", "--residents", "2", "--devices-file", str(devices), database_url=migrated_url)
    assert seed.code == 0, seed.err
    said = ("simulate", "--port", str(own_broker.port), "--devices", str(devices), "--say", "fall-001")
    with GatewayProcess(tmp_path, database_url=migrated_url, mqtt_port=own_broker.port) as gateway:
        gateway.start()
        await gateway.connected()
        found = await command(*said, "fall", "--fields", '{"impact_g": 4.5}')
        assert found.code == 0, found.err
        assert "fall-001: fall stored, receipt after" in found.out
        assert await gateway.stop() == 0
    with psycopg.connect(migrated_url) as connection:
        stored = connection.execute("SELECT type, fields FROM said").fetchall()
    assert stored == [("fall", {"impact_g": 4.5})]
    nobody = await command("simulate", "--port", str(own_broker.port), "--devices", str(devices), "--say", "x", "fall")
    assert (nobody.code, nobody.lines[0][:13]) == (2, "no device 'x'")
