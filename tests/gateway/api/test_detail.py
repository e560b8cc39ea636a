"""The detail of an alert is what somebody needs at night: who, where, how to get in, what the device said."""

from __future__ import annotations

from datetime import timedelta

from gateway.embedded import Broker
from tests.gateway.served import served


async def test_a_fall_tells_who_where_how_to_get_in_and_what_was_said(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        await it.town.rows("UPDATE resident SET notes = 'Hører dårlig', phone = '+47 51 11 11 11'")
        await it.town.rows("UPDATE dwelling SET access = 'Nøkkelboks ved døra', latitude = 58.97, longitude = 5.73")
        fell = it.town.now - timedelta(minutes=20)
        await it.town.says(home.fall_alarm, "fall", at=fell, impact_g=4.5)
        (row,) = await it.town.rows("SELECT r.name, w.address FROM resident r, dwelling w")
        (summary,) = await it.listed("Kari")
        found = await it.detail("Kari", summary["id"])
        assert {name: value for name, value in found.items() if name in summary} == summary
        resident, dwelling, device = found["resident_details"], found["dwelling"], found["device"]
        assert (resident["name"], resident["phone"], resident["notes"]) == (
            row["name"],
            "+47 51 11 11 11",
            "Hører dårlig",
        )
        assert (dwelling["address"], dwelling["access"]) == (row["address"], "Nøkkelboks ved døra")
        assert (dwelling["latitude"], dwelling["longitude"]) == (58.97, 5.73)
        assert (device["kind"], device["registered"]) == ("fall_alarm", True)
        (said,) = found["evidence"]
        assert (said["type"], said["fields"]["impact_g"], said["late_seconds"]) == ("fall", 4.5, 1200)
        assert (found["condition"], found["vkp_code"], found["severity"], found["late_seconds"]) == (
            "fall",
            "4.1",
            40,
            1200,
        )
        assert found["what_vkp_calls_it"]
        assert (found["stage"], found["holder"], found["paged"], found["mine"]) == ("open", None, True, False)
        assert [each["code"] for each in found["timeline"]] == ["raised", "step_reached"]
        assert "Kari" in found["timeline"][1]["text"]
        assert await it.town.rows(
            "SELECT actor_id, params FROM audit WHERE action = 'resident.viewed' AND object_id = %s", home.resident
        ) == [{"actor_id": it.town.staff["Kari"], "params": {"alert": 1}}]


async def test_where_to_look_is_part_of_an_open_alert(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        await it.town.rows("UPDATE dwelling SET latitude = 58.97, longitude = 5.73")
        await it.town.says(home.fall_alarm, "fall", latitude=58.9805, longitude=5.73, accuracy_m=15.5)
        await it.town.passes(seconds=45)
        (summary,) = await it.listed("Kari")
        found = await it.detail("Kari", summary["id"])
        assert found["positions"] == [
            {
                "when": "latest",
                "latitude": 58.9805,
                "longitude": 5.73,
                "accuracy_m": 15.5,
                "source": None,
                "at": found["occurred_at"],
                "age_seconds": 45,
                "device": found["device"]["id"],
                "device_kind": "fall_alarm",
                "own": True,
                "distance_from_home_m": 1200,
            }
        ]
        assert found["evidence"][0]["fields"] == {"accuracy_m": 15.5, "distance_from_home_m": 1200}
        await it.town.done("Kari", summary["id"])
        assert (await it.detail("Kari", summary["id"]))["positions"] == []


async def test_each_in_their_own_language(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        told = set()
        for language in ("nb", "nn", "en"):
            header = await it.bearer("Kari")
            await it.http.put("/api/v1/me/language", json={"language": language}, headers=header)
            found = await it.detail("Kari", fall)
            told.add((found["stage_text"], found["timeline"][0]["text"]))
        assert len(told) >= 2


async def test_names_stand_in_no_stored_history(migrated_url: str, broker: Broker) -> None:
    """Timeline and audit hold ids and codes: what is erasable is erased in one place."""
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        await it.answer("Kari", fall, "claim")
        await it.town.passes(minutes=30)
        stored = await it.town.rows(
            "SELECT params::text AS text FROM audit UNION ALL SELECT params::text FROM alert_entry"
        )
        secrets = await it.town.rows(
            """SELECT name FROM resident UNION SELECT phone FROM resident UNION SELECT address FROM dwelling
               UNION SELECT name FROM person"""
        )
        everything = "\n".join(each["text"] for each in stored)
        assert [each["name"] for each in secrets if each["name"] and each["name"] in everything] == []
