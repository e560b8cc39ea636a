"""Settings: from where they come, which of them wins, and what is said of one that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from devices.model import MessageClass
from gateway.errors import SettingError
from gateway.settings import Settings, load, start_of

SECRET = "hunter2-is-no-password"


def env(**given: str) -> dict[str, str]:
    return {f"HJEMMEVAKT_{name.upper()}": value for name, value in given.items()}


def wrong(variables: dict[str, str]) -> list[str]:
    """The lines that are said."""
    with pytest.raises(SettingError) as refused:
        load(variables)
    return str(refused.value).splitlines()


def test_without_any_there_is_a_gateway_on_this_machine() -> None:
    found = load({})
    assert (found.environment, found.database_url, found.mqtt_host, found.listen_host) == (
        "production",
        None,
        "127.0.0.1",
        "127.0.0.1",
    )
    assert list(found.channel_settings) == ["in_app"]
    assert found.local.key == "Europe/Oslo"


def test_the_environment_wins_over_the_file_and_what_is_said_here_over_both(tmp_path: Path) -> None:
    config = tmp_path / "hjemmevakt.toml"
    config.write_text('mqtt_host = "file"\nmqtt_port = 1\nlisten_port = 2\ncanary_seconds = 1.5\n', "utf-8")
    variables = {**env(config=str(config), mqtt_host="environment", listen_port="3"), "PATH": "/bin", "MQTT_HOST": "no"}
    found = load(variables, listen_port=4)
    assert (found.mqtt_port, found.mqtt_host, found.listen_port, found.canary_seconds) == (1, "environment", 4, 1.5)
    assert load({**variables, **env(mqtt_host="")}).mqtt_host == "file", "an empty variable says nothing"


def test_secrets_can_stand_in_files(tmp_path: Path) -> None:
    for name in ("database_url", "mqtt_password", "smtp_password"):
        (tmp_path / name).write_text(f"postgresql://me:{SECRET}@db/x\n", "utf-8")
    files = {f"{name}_file": str(tmp_path / name) for name in ("database_url", "mqtt_password", "smtp_password")}
    found = load(env(**files, smtp_host="mail"))
    assert found.database_url is not None
    assert found.database_url.get_secret_value() == f"postgresql://me:{SECRET}@db/x"
    assert found.broker.password == found.channel_settings["email"]["password"] == f"postgresql://me:{SECRET}@db/x"


def test_a_path_that_is_a_setting_itself_is_no_secret_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("certificate", "utf-8")
    found = load(env(mqtt_ca_file=str(tmp_path / "ca.pem")))
    assert (found.broker.ca_file, found.broker.tls) == (str(tmp_path / "ca.pem"), True)


def test_everything_can_be_said_in_the_environment() -> None:
    """Variables are text; each of these is what the type asks for."""
    found = load(
        env(
            mqtt_port="8883",
            mqtt_version="3",
            mqtt_tls="true",
            canary_seconds="0.5",
            public_url="https://vakt.example.org/",
            controlled_clock="2026-03-03T12:00:00+01:00",
            environment="test",
            log_level="debug",
            data_folder="/var/lib/hjemmevakt",
        )
    )
    assert (found.broker.port, found.broker.version, found.broker.tls) == (8883, 3, True)
    assert start_of(found) == datetime(2026, 3, 3, 11, tzinfo=UTC)


WRONG = {
    "mqtt_port": ["0", "65536", "1883/tcp", "-1", "1.5"],
    "listen_port": ["http"],
    "mqtt_version": ["4", "5.0", "five"],
    "mqtt_tls": ["maybe"],
    "mqtt_ca_file": ["/no/such/file"],
    "public_url": ["vakt.example.org", "ftp://x"],
    "time_zone": ["Oslo", "Europe/Bergen", "../../etc/passwd", "\x00"],
    "environment": ["prod"],
    "log_level": ["loud", "INFO "],
    "smtp_security": ["ssl"],
    "canary_seconds": ["0", "61", "nan", "inf", "five"],
    "deaf_seconds": ["0", "1e9", "nan"],
    "position_days": ["0", "91", "7.5", "for ever"],
    "keep_event_days": ["0", "36526", "7.5", "for ever"],
    "keep_raw_days": ["0"],
    "keep_alert_days": ["34"],
    "keep_audit_days": ["89"],
    "keep_hourly_days": ["2"],
    "keep_daily_days": ["0"],
    "keep_duty_days": ["34"],
    "keep": [
        '{"door_sensor.event": 0}',
        '{"doors.event": 90}',
        '{"door_sensor.opened": 90}',
        '{"door_sensor": 90}',
        "door_sensor.event=90",
        "[]",
    ],
    "device_per_minute": ["-1", "1000001", "0.5", "many"],
    "page_test_seconds": ["29", "3601", "nan"],
    "page_test_hours": ["-1", "169", "nan"],
    "settle_seconds": ["-1", "nan"],
    "controlled_clock": ["tomorrow", "2026-03-03T12:00:00"],
    "mqtt_prot": ["1883"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, each in WRONG.items() for value in each])
def test_what_is_wrong_is_one_line_that_names_it(name: str, value: str) -> None:
    (line,) = wrong(env(**{name: value}))
    assert name in line
    assert f"HJEMMEVAKT_{name.upper()}" in line
    assert "\n" not in line
    assert "pydantic" not in line


def test_how_long_a_kind_is_kept_is_a_table_in_the_file_and_json_in_the_environment(tmp_path: Path) -> None:
    config = tmp_path / "hjemmevakt.toml"
    config.write_text('keep_raw_days = 7\n[keep]\n"door_sensor.event" = 14\n', "utf-8")
    doors, locks = ("door_sensor", MessageClass.EVENT), ("e_lock", MessageClass.STATUS)
    keeping = load(env(config=str(config))).keeping
    assert (keeping.raw, keeping.event, keeping.said) == (7, 90, {doors: 14})
    keeping = load(env(keep='{"e_lock.status": 400}', keep_alarm_days="1000")).keeping
    assert (keeping.alarm, keeping.said) == (1000, {locks: 400})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    lines = wrong(env(mqtt_port="x", time_zone="y", log_level="z"))
    assert [line.split()[1] for line in lines] == ["mqtt_port", "time_zone", "log_level"]


def test_settings_that_do_not_go_together() -> None:
    assert "deaf_seconds" in wrong(env(canary_seconds="10", deaf_seconds="19"))[0]
    assert "keep_status_days is 20, so keep_raw_days must not be 30" in wrong(env(keep_status_days="20"))[0]
    assert "door_sensor.event is 7, so" in wrong(env(keep='{"door_sensor.event": 7}'))[0]
    assert "keep_event_days is 90, so" in wrong(env(keep_raw_days="91"))[0]
    assert "production" in wrong(env(controlled_clock="2026-03-03T12:00:00Z"))[0]
    assert load(env(controlled_clock="2026-03-03T12:00:00Z", environment="demo")).controlled_clock is not None


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("mqtt_host = \n", "utf-8")
    latin = tmp_path / "latin"
    latin.write_bytes(b"\xff\xfe")
    for variables in (
        env(config=str(broken)),
        env(config=str(tmp_path / "none.toml")),
        env(config=str(tmp_path)),
        env(mqtt_password_file=str(tmp_path / "none")),
        env(mqtt_password_file=str(latin)),
    ):
        (line,) = wrong(variables)
        assert next(iter(variables)) in line
        assert next(iter(variables.values())) in line


def test_secrets_are_shown_nowhere(tmp_path: Path) -> None:
    url = f"postgresql://me:{SECRET}@db/x"
    found = load(env(database_url=url, mqtt_password=SECRET, smtp_password=SECRET, smtp_host="mail"))
    for shown in (repr(found), str(found), found.model_dump_json(), repr(found.model_dump()), repr(found.broker)):
        assert SECRET not in shown
    for broken in (f"postgresql://me:{SECRET}@[db/x", f"{SECRET} = ' x", f"host={SECRET} nonsense=1"):
        assert SECRET not in "\n".join(wrong(env(database_url=broken)))


def test_every_setting_is_one_that_can_be_named() -> None:
    for name in Settings.model_fields:
        assert name == name.lower()
        assert not name.startswith("_")
