"""What cannot be read is kept with the reason; on an alarm topic it is an alarm. And nothing holds up the others."""

from __future__ import annotations

import json

import pytest

from devices.model import Lane
from gateway import canary
from gateway.embedded import Broker
from tests.support.town import Device
from tests.support.world import World, world


def _topic(device: Device, last: str, kind: str | None = None) -> str:
    return f"hv/v1/{device.address.site}/{kind or device.kind}/{device.address.address}/{last}"


def _body(town: World, message_id: str, type_: str, **fields: object) -> bytes:
    return json.dumps({"id": message_id, "time": town.now.isoformat(), "type": type_, **fields}).encode()


async def test_rubbish_on_an_event_topic_is_kept_with_the_reason_and_raises_nothing(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        event = _topic(home.fall_alarm, "event")
        sent = [
            (event, b"\x00\xff not json", "not_json"),
            (event, b"", "not_json"),
            (event, b"[]", "not_json"),
            (event, _body(town, "", "worn"), "id"),
            (event, b'{"id": "x1", "type": "worn"}', "time"),
            (event, b'{"id": "x2", "time": "2026-03-03T12:00:00+01:00"}', "type"),
            (event, _body(town, "x3", "fall", impact_g="hard"), "fields"),
            (event, _body(town, "x4", "worn", note="\x00"), "not_storable"),
            (_topic(home.fall_alarm, "event", "toaster"), _body(town, "x5", "worn"), "unknown_kind"),
            (_topic(home.fall_alarm, "event", "medicine_dispenser"), _body(town, "x6", "jam"), "kind_mismatch"),
            (event, b'"' + b"x" * 300_000 + b'"', "too_large"),
        ]
        for topic, payload, _ in sent:
            await town.publishes(topic, payload)
        kept = await town.quarantined()
        assert [(each["topic"], bytes(each["raw"]), each["reason"]) for each in kept] == sent
        assert {each["message_class"] for each in kept} == {"event"}
        assert all(each["detail"] for each in kept)
        assert await town.rows("SELECT 1 FROM alert") == []
        assert await town.observed(home.fall_alarm) == []

        # What has an id is not sent again and again.
        assert await town.receipts() == ["x1", "x2", "x3", "x4", "x5", "x6"]
        await town.publishes(event, _body(town, "x3", "fall", impact_g="hard"))
        assert len(await town.quarantined()) == len(sent)
        assert await town.receipts() == ["x3"]
        await town.publishes(event, b"[]")  # without an id there is no telling a copy from the next
        assert len(await town.quarantined()) == len(sent) + 1


async def test_an_alarm_that_cannot_be_stored_has_its_receipt_and_is_raised_once(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        for _ in range(3):
            await town.publishes(_topic(home.fall_alarm, "alarm"), _body(town, "x", "fall", note="\x00"))
        assert await town.news() == ["Kari"]
        assert set(await town.receipts()) == {"x"}


async def test_rubbish_on_an_alarm_topic_is_an_alarm_where_the_device_is_fitted(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.publishes(_topic(home.fall_alarm, "alarm"), b"{{{")
        alarm = await town.alert("uninterpretable_alarm")
        assert (alarm["severity"], alarm["zone_id"], alarm["vkp_code"]) == (40, town.zones["Sone"], None)
        assert alarm["resident_id"] == home.resident
        assert await town.news() == ["Kari"]
        (raised,) = await town.entries(alarm["uid"], "raised")
        assert raised["evidence"]["fields"]["reason"] == "not_json"
        assert raised["evidence"]["fields"]["topic"] == _topic(home.fall_alarm, "alarm")

        await town.publishes(_topic(home.fall_alarm, "alarm"), b"{{{")
        assert (await town.timeline(alarm["uid"]))[-2:] == ["evidence_joined", "step_paged_again"]
        assert len(await town.quarantined()) == 2
        await town.news()

        # A fall that comes as another kind of device is kept, and is an alarm too; each device and topic its own.
        # Of a device that nobody knows: for the site's zone, where nobody is on duty as such, so for the centre.
        other = _topic(home.fall_alarm, "alarm", "medicine_dispenser")
        await town.publishes(other, _body(town, "k", "fall"))
        await town.publishes(f"hv/v1/{town.site}/no kind/x y/alarm", b"help")
        assert len(await town.alerts("uninterpretable_alarm")) == 3
        assert sorted(await town.news()) == ["Kari", "Vakt"]
        assert await town.receipts() == ["k"]


async def test_an_alarm_that_no_rule_knows_is_raised_where_the_device_is(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "heart_stopped", message_class="alarm")
        alarm = await town.alert("uninterpretable_alarm")
        assert (alarm["zone_id"], alarm["resident_id"]) == (town.zones["Sone"], home.resident)
        assert await town.news() == ["Kari"]
        assert [each["flags"] for each in await town.observed(home.fall_alarm)] == [["unknown_type"]]

        # The same as an event is only stored; and what is harmless is harmless on an alarm topic too.
        await town.says(home.fall_alarm, "heart_stopped")
        await town.says(home.fall_alarm, "test", message_class="alarm")
        await town.says(home.fall_alarm, "fall_cancelled", message_class="alarm")
        assert await town.timeline(alarm["uid"]) == ["raised", "step_reached"]
        assert len(await town.observed(home.fall_alarm)) == 4


async def test_a_fall_of_a_device_nobody_registered_or_fitted_is_a_fall(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.publishes(f"hv/v1/{town.site}/fall_alarm/stranger/alarm", _body(town, "s", "fall"))
        fall = await town.alert()
        assert (fall["condition"], fall["zone_id"], fall["resident_id"]) == ("fall", town.zones["Kommune"], None)
        assert await town.news() == ["Vakt"]
        (device,) = await town.rows("SELECT registered FROM device WHERE address = 'stranger'")
        assert device == {"registered": False}
        assert await town.receipts() == ["s"]

        await town.rows(
            "UPDATE installation SET during = tstzrange(lower(during), %s) WHERE device_id = %s",
            town.now,
            home.fall_alarm.id,
        )
        await town.says(home.fall_alarm, "fall")
        unfitted = (await town.alerts("fall"))[1]
        assert (unfitted["resident_id"], unfitted["device_id"]) == (None, home.fall_alarm.id)
        assert await town.news() == ["Vakt"]
        await town.says(home.fall_alarm, "worn", message_class="alarm")  # from a device that is nowhere: look at it
        assert len(await town.alerts("uninterpretable_alarm")) == 1


async def test_a_message_that_cannot_be_stored_does_not_hold_up_the_others(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        first, poisoned, last = [await town.home() for _ in range(3)]
        await town.rows("ALTER TABLE observation ADD CHECK (NOT fields ? 'poison')")
        await town.says(first.fall_alarm, "fall", id="1", settle=False)
        await town.says(poisoned.fall_alarm, "fall", id="2", poison=True, settle=False)
        await town.says(last.fall_alarm, "fall", id="3")
        assert [each["resident_id"] for each in await town.alerts("fall")] == [first.resident, last.resident]
        (kept,) = await town.quarantined()
        assert kept["reason"] == "poison"
        assert "CheckViolation" in kept["detail"]
        assert json.loads(bytes(kept["raw"]))["id"] == "2"
        alarm = await town.alert("uninterpretable_alarm")
        assert await town.news() == ["Kari", "Kari", "Kari"]
        assert sorted(await town.receipts()) == ["1", "2", "3"]

        # Sent again, it is known; as an event it is only kept; and the lane is as good as before.
        await town.says(poisoned.fall_alarm, "fall", id="2", poison=True)
        await town.says(poisoned.fall_alarm, "worn", id="4", poison=True)
        assert [each["reason"] for each in await town.quarantined()] == ["poison", "poison"]
        assert await town.timeline(alarm["uid"]) == ["raised", "step_reached"]
        await town.says(poisoned.fall_alarm, "fall", id="5")
        assert len(await town.alerts("fall")) == 3


TOO_MUCH = """
CREATE TABLE strain (error text, times int);
CREATE SEQUENCE tried;
CREATE FUNCTION strain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.fields ? 'huge' AND nextval('tried') <= (SELECT times FROM strain) THEN
        RAISE EXCEPTION 'too much' USING ERRCODE = (SELECT error FROM strain);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER strain BEFORE INSERT ON observation FOR EACH ROW EXECUTE FUNCTION strain();
"""


@pytest.mark.parametrize("error", ["query_canceled", "out_of_memory", "program_limit_exceeded"])
async def test_a_message_over_which_the_database_gives_up_is_raised_and_the_others_go_on(
    migrated_url: str, broker: Broker, error: str
) -> None:
    async with world(migrated_url, broker) as town:
        first, huge, last = [await town.home() for _ in range(3)]
        await town.rows(f"{TOO_MUCH}; INSERT INTO strain VALUES ('{error}', 1000)")
        await town.says(first.fall_alarm, "fall", id="1", settle=False)
        await town.says(huge.fall_alarm, "fall", id="2", huge=True, settle=False)
        await town.says(last.fall_alarm, "fall", id="3")
        assert [each["resident_id"] for each in await town.alerts("fall")] == [first.resident, last.resident]
        (kept,) = await town.quarantined()
        assert (kept["reason"], json.loads(bytes(kept["raw"]))["id"]) == ("poison", "2")
        assert (await town.alert("uninterpretable_alarm"))["resident_id"] == huge.resident
        assert sorted(await town.receipts()) == ["1", "2", "3"]


async def test_a_database_that_was_only_busy_stores_the_message(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.rows(f"{TOO_MUCH}; INSERT INTO strain VALUES ('query_canceled', 2)")
        await town.says(home.fall_alarm, "fall", huge=True)
        assert (await town.alert("fall"))["resident_id"] == home.resident
        assert await town.quarantined() == []


async def test_a_rule_that_crashes_is_a_technical_alert_and_the_others_go_on(migrated_url: str, broker: Broker) -> None:
    """The watches of one dispenser are damaged, so that its dose rule cannot be computed."""
    async with world(migrated_url, broker) as town:
        home = await town.home(doses=[(town.now.replace(hour=18)).time()])
        sound = await town.home()
        await town.rows(
            "UPDATE watch SET facts = '{\"grace\": \"long\"}' WHERE device_id = %s AND key LIKE 'dose:%%'",
            home.dispenser.id,
        )
        await town.says(home.dispenser, "dose_missed")
        missed = await town.alert("dose_missed")
        assert missed["resident_id"] == home.resident
        failed = await town.alert("rule_failed", track="technical")
        assert failed["severity"] == 30
        (raised,) = await town.entries(failed["uid"], "raised")
        assert raised["evidence"]["fields"]["rule"] == "dose_unconfirmed"
        assert await town.news() == ["Kari", "Tek"]
        assert len(await town.observed(home.dispenser)) == 1

        # On an alarm topic even something harmless is not known to be harmless any more.
        await town.says(home.dispenser, "dose_taken", message_class="alarm")
        assert (await town.alert("uninterpretable_alarm"))["resident_id"] == home.resident
        await town.says(sound.fall_alarm, "fall")
        assert len(await town.alerts("fall")) == 1


async def test_rubbish_that_the_broker_keeps_is_not_raised_at_every_connection(
    migrated_url: str, own_broker: Broker
) -> None:
    async with world(migrated_url, own_broker, deaf_seconds=7 * 24 * 3600) as town:
        home = await town.home()
        await town.publishes(_topic(home.fall_alarm, "alarm"), b"{{{", retain=True)
        alarm = await town.alert("uninterpretable_alarm")
        for _ in range(3):
            await town.broker_stops()
            await town.broker_starts()
            await town.passes(seconds=1)
        assert len(await town.entries(alarm["uid"], "evidence_joined")) <= 1
        assert {each["retained"] for each in await town.quarantined()} == {False, True}


async def test_rubbish_among_the_canaries_holds_up_nothing(migrated_url: str, broker: Broker) -> None:
    """Where the broker lets others write there."""
    async with world(migrated_url, broker) as town:
        home = await town.home()
        for lane in Lane:
            for rubbish in (b"[" * 100_000, b"\xff", b"[]", b'{"sent_at": 7}'):
                await town.publishes(canary.topic(town.site, lane), rubbish)
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Kari"]
