"""Settings: from where they come, which of them wins, and what is said of one that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.channels import load_channel
from devices.model import MessageClass
from gateway.callbacks import standing_urls
from gateway.errors import SettingError
from gateway.passages import Pace
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
    assert list(found.channel_settings) == ["in_app", "web_push"]
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


def test_a_push_service_may_turn_to_whoever_runs_the_gateway() -> None:
    def subject(**given: str) -> str:
        return str(load(env(**given)).channel_settings["web_push"]["subject"])

    assert subject() == "mailto:hjemmevakt@localhost"
    assert subject(public_url="https://vakt.example.org/") == "https://vakt.example.org"
    assert subject(push_subject="mailto:drift@example.org") == "mailto:drift@example.org"
    assert wrong(env(push_subject="drift@example.org")) == [
        "setting push_subject (HJEMMEVAKT_PUSH_SUBJECT): 'drift@example.org' is no address; an example is mailto:drift@example.org"
    ]
    (line,) = wrong(env(push_private_key="secret"))
    assert line.startswith("setting push_private_key (HJEMMEVAKT_PUSH_PRIVATE_KEY): must be the 32 bytes")
    assert "secret" not in line
    assert "for demo and test" in wrong(env(push_private_endpoints="true"))[0]


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
    "canary_resident_seconds": ["-1", "3601", "nan", "often"],
    "canary_resident_within": ["0", "601"],
    "heartbeat_url": ["http://hc.example.org/ping", "ftp://127.0.0.1/x", "hc.example.org", "https://"],
    "heartbeat_seconds": ["0", "3601"],
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


def test_the_test_alarm_is_on_in_production_and_elsewhere_when_asked_for() -> None:
    assert load({}).canary_pace == Pace(timedelta(seconds=60), timedelta(seconds=30))
    assert load(env(canary_resident_seconds="0")).canary_pace is None
    assert load(env(environment="demo")).canary_pace is None
    asked = load(env(environment="test", canary_resident_seconds="5", canary_resident_within="2"))
    assert asked.canary_pace == Pace(timedelta(seconds=5), timedelta(seconds=2))
    start = "2026-03-03T12:00:00Z"
    assert load(env(environment="test", controlled_clock=start)).canary_pace is None
    assert "real time" in wrong(env(environment="test", controlled_clock=start, canary_resident_seconds="5"))[0]


def test_a_heartbeats_address_is_a_secret(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://hc.example.org/ping/hunter2\n", "utf-8")
    found = load(env(heartbeat_url_file=str(tmp_path / "url")))
    assert found.heartbeat_url is not None
    assert found.heartbeat_url.get_secret_value().endswith("/hunter2")
    assert "hunter2" not in repr(found)
    assert "hunter2" not in wrong(env(heartbeat_url="http://hc.example.org/hunter2"))[0]


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


SMS = {"sms_provider": "46elks", "sms_username": "u1", "sms_password": SECRET, "sms_sender": "+4759440000"}
CALLBACKS = {"callback_secret": "a secret of this gateway"}


def test_channels_to_phones_are_set_up_by_their_first_setting() -> None:
    found = load(
        env(
            **SMS,
            **CALLBACKS,
            sms_replies="true",
            ntfy_url="https://ntfy.example.org",
            ntfy_token=SECRET,
            ntfy_shortest_topic="20",
            voice_provider="twilio",
            voice_username="AC1",
            voice_password=SECRET,
            voice_sender="+4759440000",
            apprise_schemes="signal, tgram",
            apprise_hosts="signal.example.org",
        )
    )
    assert list(found.channel_settings) == ["in_app", "web_push", "ntfy", "sms", "voice", "apprise"]
    assert found.channel_settings["ntfy"]["shortest_topic"] == 20
    assert found.channel_settings["apprise"] == {
        "schemes": frozenset({"signal", "tgram"}),
        "hosts": frozenset({"signal.example.org"}),
    }
    assert found.channel_settings["sms"]["replies"] is True
    for shown in (repr(found), found.model_dump_json(), repr(found.channel_settings)):
        assert SECRET not in shown


def test_what_is_wrong_with_a_channel_is_said_at_start_in_the_words_of_the_settings() -> None:
    (sender,) = wrong(env(**{**SMS, "sms_sender": ""}))
    assert sender == "setting sms_sender (HJEMMEVAKT_SMS_SENDER): Field required"
    (provider,) = wrong(env(**{**SMS, "sms_provider": "pigeon"}))
    assert provider == (
        "settings sms_… (HJEMMEVAKT_SMS_…): there is no provider 'pigeon'; there are twilio, 46elks, link, sveve, custom"
    )
    (secret,) = wrong(env(**SMS, callback_secret="short"))
    assert secret.startswith("setting callback_secret (HJEMMEVAKT_CALLBACK_SECRET): ")
    (clear,) = wrong(env(ntfy_url="http://ntfy.example.org", ntfy_token=SECRET))
    assert clear.startswith("setting ntfy_url (HJEMMEVAKT_NTFY_URL): must be https")
    (call,) = wrong(
        env(voice_provider="twilio", voice_username="AC1", voice_password=SECRET, voice_sender="+4759440000")
    )
    assert "a call needs callback_secret" in call
    (here,) = wrong(env(apprise_schemes="syslog"))
    assert "syslog does something on this machine" in here
    (options,) = wrong(env(**{**SMS, "sms_provider": "link", "sms_url": "https://sms.example.org", "sms_options": "{"}))
    assert "this is no JSON object" in options
    custom = '{"path": "/x", "encoding": "json", "body": {"t": "{text}"}}'
    (body,) = wrong(env(**{**SMS, "sms_provider": "custom", "sms_custom": custom}))
    assert body == "setting sms_custom (HJEMMEVAKT_SMS_CUSTOM): id_at: Field required"
    for line in (sender, provider, secret, clear, call, options, body):
        assert SECRET not in line


def test_the_addresses_for_the_providers_are_those_that_are_taken() -> None:
    custom = load(env(**SMS, **CALLBACKS, public_url="https://vakt.example.org/"))
    channels = {name: load_channel(name, config) for name, config in custom.phone_channels.items()}
    (inbound,) = standing_urls(channels, "https://vakt.example.org")
    assert inbound.startswith("https://vakt.example.org/api/v1/callbacks/sms/inbound?sig=")
    sveve = load(env(**{**SMS, "sms_provider": "sveve"}, **CALLBACKS))
    channels = {name: load_channel(name, config) for name, config in sveve.phone_channels.items()}
    assert [url.partition("?")[0][-7:] for url in standing_urls(channels, "https://h.example")] == [
        "/status",
        "inbound",
    ]
    without = {name: load_channel(name, config) for name, config in load(env(**SMS)).phone_channels.items()}
    with pytest.raises(SettingError, match="callback_secret"):
        standing_urls(without, "https://h.example")
