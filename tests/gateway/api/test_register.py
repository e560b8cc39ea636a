"""The register is kept without SQL: homes, residents, devices, doses – through the client, and what waits follows."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from devices.dialects.native import encode
from devices.model import DeviceAddress, MessageClass, Said
from gateway.api import schemas
from gateway.client import Client, ProblemError
from gateway.embedded import Broker
from tests.gateway.served import Served, served

A_YEAR = 365 * 24 * 3600


def asked_for(**asked: Any) -> schemas.AlertQuery:
    return schemas.AlertQuery.model_validate(asked)


async def zone(it: Served, name: str) -> UUID:
    (row,) = await it.town.rows("SELECT uid FROM zone WHERE id = %s", it.town.zones[name])
    uid: UUID = row["uid"]
    return uid


async def home_in(it: Served, keeper: Client, name: str, where: str = "Sone") -> tuple[UUID, UUID]:
    """A new dwelling with somebody who lives there."""
    body = schemas.DwellingRequest(zone=await zone(it, where), address=f"{name}veien 1", access="Nøkkelboks")
    dwelling = (await keeper.add_dwelling(body)).id
    resident = await keeper.add_resident(schemas.ResidentRequest(name=name, dwelling=dwelling))
    return dwelling, resident.id


async def refusal(call: Any) -> str:
    with pytest.raises(ProblemError) as refused:
        await call
    return f"{refused.value.status} {refused.value.reason}"


async def say(it: Served, address: str, kind: str, type_: str, **fields: Any) -> None:
    topic, payload = encode(
        DeviceAddress(it.town.site, "native", address),
        kind,
        str(uuid4()),
        Said(it.town.now, MessageClass.ALARM if type_ == "fall" else MessageClass.EVENT, type_, fields),
    )
    await it.town.publishes(topic, payload)


async def audited(it: Served) -> list[str]:
    rows = await it.town.rows("SELECT action FROM audit WHERE object IN ('device', 'dose_schedule') ORDER BY id")
    return [row["action"] for row in rows]


async def test_a_device_is_connected_from_nothing_to_its_first_alert(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        tek = await it.client("Tek")
        dwelling, resident = await home_in(it, tek, "Kåre")
        wanted = schemas.DeviceRequest(site=it.town.site, address="f-1", kind="fall_alarm", silent_after_seconds=7200)
        await say(it, "f-1", "fall_alarm", "button_pressed")  # it spoke before anybody knew it
        assert [each.registered async for each in tek.all_devices(schemas.DeviceQuery(unfitted=True))] == [False]
        device = await tek.register_device(wanted)
        assert (device.registered, device.dwelling) == (True, None)
        assert await refusal(tek.register_device(wanted)) == "409 known"
        assert await refusal(tek.register_device(wanted.model_copy(update={"kind": "toaster"}))) == "422 kind"
        assert await refusal(tek.register_device(wanted.model_copy(update={"site": "elsewhere"}))) == "404 site"

        place = schemas.FitRequest(dwelling=dwelling, resident=resident, placed="stue")
        assert await refusal(tek.take_down_device(device.id, schemas.TakeDown())) == "409 unfitted"
        tomorrow = it.town.now + timedelta(days=1)
        assert await refusal(tek.fit_device(device.id, place.model_copy(update={"since": tomorrow}))) == "422 since"
        assert (
            await refusal(tek.fit_device(device.id, place.model_copy(update={"resident": uuid4()}))) == "422 resident"
        )
        fitted = await tek.fit_device(device.id, place)
        assert (fitted.dwelling.name, fitted.resident and fitted.resident.name) == ("Kåreveien 1", "Kåre")
        with pytest.raises(ProblemError, match=f"in the way: the fitting {fitted.id} in Kåreveien 1"):
            await tek.fit_device(device.id, place)

        await say(it, "f-1", "fall_alarm", "fall", impact_g=4.0)
        kari = await it.client("Kari")
        (fall,) = [each async for each in kari.all_alerts(asked_for(resident=resident, condition="fall", severity=40))]
        assert (fall.resident, fall.address) == ("Kåre", "Kåreveien 1")
        seen = await kari.resident(resident)
        assert ([each.id for each in seen.alerts], [each.id for each in seen.devices]) == ([fall.id], [device.id])
        assert (await tek.resident(resident)).alerts == [], "care is none of technical services"

        await it.town.passes(minutes=5)
        await tek.take_down_device(device.id, schemas.TakeDown())
        await it.town.passes(hours=3)
        assert (await tek.alerts(asked_for(device=device.id, track="technical"))).alerts == [], (
            "nobody waits for it any more"
        )
        assert await audited(it) == ["device.registered", "device.fitted", "device.taken_down"]


async def test_a_shorter_contract_is_held_at_once(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        tek = await it.client("Tek")
        home = await it.town.home(silent_after=timedelta(days=300))
        (row,) = await it.town.rows("SELECT uid FROM device WHERE id = %s", home.fall_alarm.id)
        await it.town.says(home.fall_alarm, "heartbeat", message_class=MessageClass.STATUS, battery=12)
        await it.town.passes(hours=2)
        assert await refusal(tek.change_device(row["uid"], schemas.DeviceChange.model_construct(model="x" * 201))) == (
            "422 request"
        )
        await tek.change_device(row["uid"], schemas.DeviceChange(silent_after_seconds=3600))
        await it.town.passes(minutes=2)
        (silent,) = (await tek.alerts(asked_for(device=row["uid"], condition="device_silent"))).alerts
        assert silent.track == "technical"

        async def found(**asked: Any) -> set[str]:
            return {each.address async for each in tek.all_devices(schemas.DeviceQuery(limit=1, **asked))}

        fall, dispenser = home.fall_alarm.address.address, home.dispenser.address.address
        assert await found(silent_longer_than=3600) == {fall, dispenser}
        assert await found(silent_longer_than=3600, battery_below=20) == {fall}
        assert await found(battery_below=12) == set()
        assert await found(site=it.town.site, unfitted=False, kind="medicine_dispenser") == {dispenser}
        assert await found(online=True) == {fall}
        assert await found(unfitted=True) == await found(site="elsewhere") == set()


async def test_doses_are_planned_follow_their_resident_and_end(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        tek, siri = await it.client("Tek"), await it.client("Siri")
        old, resident = await home_in(it, tek, "Berit")
        new = await tek.add_dwelling(schemas.DwellingRequest(zone=await zone(it, "Sone"), address="Nyveien 2"))
        device = await tek.register_device(
            schemas.DeviceRequest(
                site=it.town.site, address="d-1", kind="medicine_dispenser", silent_after_seconds=A_YEAR
            )
        )
        at_one = schemas.DoseRequest(local_time=time(13), grace_seconds=1800)
        assert await refusal(tek.set_dose(device.id, at_one)) == "409 unfitted"
        await tek.fit_device(device.id, schemas.FitRequest(dwelling=old, resident=resident))
        dose = await siri.set_dose(device.id, at_one)
        assert dose.next_at == it.town.now.replace(hour=12)  # 13:00 in Oslo
        with pytest.raises(ProblemError, match=f"in the way: the dose {dose.id}"):
            await siri.set_dose(device.id, schemas.DoseRequest(local_time=time(13), weekdays=(1,)))
        await siri.set_dose(device.id, schemas.DoseRequest(local_time=time(20)))

        await it.town.passes(minutes=89)
        assert await it.town.alerts() == []
        await it.town.passes(minutes=1)
        (missed,) = (await siri.alerts(asked_for(resident=resident))).alerts
        assert missed.raised_at == it.town.now

        moved = await siri.move_in(resident, schemas.MoveIn(dwelling=new.id, with_devices=True))
        assert [each.dwelling.id for each in moved.devices] == [new.id]
        assert [each.until is None for each in moved.residencies] == [True, False]
        there = (await siri.doses(device.id)).doses
        assert [(each.local_time, each.grace_seconds) for each in there] == [(time(13), 1800), (time(20), None)]
        assert await refusal(siri.move_in(resident, schemas.MoveIn(dwelling=old))) == "409 overlap", (
            "at the same moment"
        )
        await it.town.passes(minutes=1)
        assert await refusal(siri.move_in(resident, schemas.MoveIn(dwelling=new.id))) == "409 lives_there"
        assert await refusal(siri.end_dose(dose.id, schemas.DoseEnd())) == "409 over", "of the old home"

        await siri.end_dose(there[0].id, schemas.DoseEnd())
        await siri.end_dose(there[1].id, schemas.DoseEnd(last_day=date(2026, 3, 2)))
        await it.town.passes(hours=25)
        assert len((await siri.alerts(asked_for(resident=resident))).alerts) == 1, "nobody waits for what is over"
        assert (await siri.doses(device.id)).doses == []
        left = await it.town.rows("SELECT key FROM watch WHERE key LIKE 'dose:%%' AND due_at IS NOT NULL")
        assert left == []
        out = await siri.move_out(resident, schemas.MoveOut())
        assert (out.home, [each.id for each in out.devices]) == (None, [device.id]), "it still hangs there"
        assert await refusal(siri.move_out(resident, schemas.MoveOut())) == "409 lives_nowhere"


async def test_the_planned_doses_of_a_stayed_dispenser_still_call(migrated_url: str, broker: Broker) -> None:
    """After a move with their resident they are waited for in the new home, and for somebody else they are not."""
    async with served(migrated_url, broker) as it:
        tek = await it.client("Tek")
        old, resident = await home_in(it, tek, "Odd")
        new, other = await home_in(it, tek, "Else")
        device = await tek.register_device(
            schemas.DeviceRequest(
                site=it.town.site, address="d-2", kind="medicine_dispenser", silent_after_seconds=A_YEAR
            )
        )
        await tek.fit_device(device.id, schemas.FitRequest(dwelling=old, resident=resident))
        await tek.set_dose(device.id, schemas.DoseRequest(local_time=time(15)))
        await it.town.passes(minutes=5)
        await tek.move_in(resident, schemas.MoveIn(dwelling=new))
        moved = await tek.move_device(device.id, schemas.FitRequest(dwelling=new, resident=resident))
        assert moved.doses == 1
        await it.town.passes(hours=4)
        siri = await it.client("Siri")
        (missed,) = (await siri.alerts(asked_for(device=device.id))).alerts
        assert (missed.address, missed.resident) == ("Elseveien 1", "Odd")
        moved = await tek.move_device(device.id, schemas.FitRequest(dwelling=new, resident=other))
        assert (moved.doses, (await tek.doses(device.id)).doses) == (0, [])


async def test_homes_of_others_are_nobodys_to_see_or_change(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        ada, siri, liv = await it.client("Ada"), await it.client("Siri"), await it.client("Liv")
        dwelling, resident = await home_in(it, ada, "Aud")
        island, other = await home_in(it, ada, "Bo", "Øy")
        change = schemas.ResidentChange(notes="Hører dårlig", born=date(1940, 5, 17))
        await siri.change_resident(resident, change)
        assert (await (await it.client("Kari")).resident(resident)).notes == "Hører dårlig"
        assert (await (await it.client("Tek")).resident(resident)).notes is None
        assert await refusal((await it.client("Tek")).change_resident(resident, change)) == "403 care"
        assert await refusal((await it.client("Kari")).change_resident(resident, change)) == "403 role"
        assert [each.name async for each in liv.all_residents()] == ["Bo"]
        assert [each.name async for each in ada.all_residents(schemas.ResidentQuery(limit=1))] == ["Aud", "Bo"]
        assert [each.address async for each in ada.all_dwellings(schemas.DwellingQuery(q="BOV"))] == ["Boveien 1"]
        assert await refusal(liv.resident(resident)) == "404 resident"
        assert await refusal(siri.dwelling(island)) == "404 dwelling"
        assert await refusal(siri.change_resident(other, change)) == "404 resident"
        assert await refusal(siri.move_in(resident, schemas.MoveIn(dwelling=island))) == "404 dwelling"
        elsewhere = schemas.DwellingChange(zone=await zone(it, "Øy"))
        assert await refusal(siri.change_dwelling(dwelling, elsewhere)) == "404 zone"
        assert (await ada.change_dwelling(dwelling, elsewhere)).zone.name == "Øy"
        assert await refusal(siri.resident(resident)) == "404 resident"
        looks = await it.town.rows(
            "SELECT action FROM audit WHERE object = 'resident' AND actor_id = %s ORDER BY id", it.town.staff["Liv"]
        )
        assert [each["action"] for each in looks] == ["resident.named"]
        told = await it.town.rows("SELECT params::text AS told FROM audit")
        assert not any("Hører" in each["told"] or "Aud" in each["told"] for each in told)


async def test_a_list_goes_on_behind_what_its_reader_sees_and_behind_nothing_else(
    migrated_url: str, broker: Broker
) -> None:
    """Behind what is unknown a list would seem to be at its end; behind what is another zone's it would tell its name."""
    async with served(migrated_url, broker) as it:
        ada = await it.client("Ada")
        await home_in(it, ada, "Aud")
        _, other = await home_in(it, ada, "Bo", "Øy")
        await home_in(it, ada, "Cato")
        for path in ("/devices", "/residents", "/dwellings", "/people"):
            reply = await it.get("Siri", path, cursor=str(other))
            assert (reply.status_code, reply.json()["reason"]) == (422, "cursor"), path
        assert [
            each.name async for each in (await it.client("Siri")).all_residents(schemas.ResidentQuery(limit=1))
        ] == [
            "Aud",
            "Cato",
        ]


async def test_who_looks_sees_what_is_theirs_and_it_is_noted(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        ada, siri, tek = await it.client("Ada"), await it.client("Siri"), await it.client("Tek")
        home, aud = await home_in(it, ada, "Aud")
        island, _ = await home_in(it, ada, "Bo", "Øy")
        await siri.change_resident(aud, schemas.ResidentChange(notes="Hører dårlig"))
        made = {
            kind: await ada.register_device(
                schemas.DeviceRequest(site=it.town.site, address=kind, kind=kind, silent_after_seconds=60)
            )
            for kind in ("fall_alarm", "medicine_dispenser")
        }
        worn, shared = made["fall_alarm"].id, made["medicine_dispenser"].id
        await ada.fit_device(worn, schemas.FitRequest(dwelling=home, resident=aud))
        await ada.fit_device(shared, schemas.FitRequest(dwelling=home))
        await it.town.passes(minutes=5)

        (silent,) = (await tek.alerts(asked_for(device=worn))).alerts
        assert (await it.detail("Tek", silent.id))["resident_details"]["notes"] == "", "what is noted is for care"
        assert (await it.detail("Siri", silent.id))["resident_details"]["notes"] == "Hører dårlig"

        async def looks(name: str) -> list[str]:
            found = await it.town.rows(
                """SELECT action FROM audit WHERE object = 'resident' AND actor_id = %s
                   AND object_id = (SELECT id FROM resident WHERE uid = %s) ORDER BY id""",
                it.town.staff[name],
                aud,
            )
            return [each["action"] for each in found]

        assert "resident.named" not in await looks("Tek")
        await siri.set_dose(shared, schemas.DoseRequest(local_time=time(20)))
        before = await looks("Siri")
        dose = (await siri.doses(shared)).doses[0]
        assert await looks("Siri") == [*before, "resident.named"], "she lives alone there"
        await tek.take_down_device(worn, schemas.TakeDown())
        assert "resident.named" in await looks("Tek"), "it was told whose it was"

        await ada.fit_device(worn, schemas.FitRequest(dwelling=home, resident=aud))
        await it.town.passes(minutes=5)
        early = it.town.now - timedelta(minutes=8)
        with pytest.raises(ProblemError, match="in the way: the fitting"):
            await ada.move_in(aud, schemas.MoveIn(dwelling=island, at=early, with_devices=True))
        await ada.move_in(aud, schemas.MoveIn(dwelling=island))
        assert [each.id for each in (await ada.resident(aud)).devices] == [worn], "it hangs in the old home"
        assert (await (await it.client("Liv")).resident(aud)).devices == [], "which is none of the new zone's"

        await ada.change_dwelling(home, schemas.DwellingChange(zone=await zone(it, "Øy")))
        with pytest.raises(ProblemError) as refused:
            await siri.end_dose(dose.id, schemas.DoseEnd())
        with pytest.raises(ProblemError) as unknown:
            await siri.end_dose(uuid4(), schemas.DoseEnd())
        assert str(refused.value) == str(unknown.value)


async def test_who_lived_there_before_is_noted_where_their_days_are_counted(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        ada = await it.client("Ada")
        home, before = await home_in(it, ada, "Aud")
        device = await ada.register_device(
            schemas.DeviceRequest(site=it.town.site, address="s-1", kind="fire_sensor", silent_after_seconds=A_YEAR)
        )
        await ada.fit_device(device.id, schemas.FitRequest(dwelling=home))
        await it.town.passes(minutes=5)
        await ada.move_out(before, schemas.MoveOut())
        await ada.add_resident(schemas.ResidentRequest(name="Bo", dwelling=home))
        await it.town.passes(hours=3)
        for span, seen in ((timedelta(hours=1), ["Bo"]), (timedelta(days=1), ["Bo", "Aud"])):
            since = (it.town.now - span).isoformat()
            reply = await it.get("Siri", "/observations/buckets", device=str(device.id), since=since)
            assert reply.status_code == 200, reply.text
            looks = await it.town.rows(
                """SELECT r.name FROM audit a JOIN resident r ON r.id = a.object_id
                   WHERE a.action = 'resident.observed' AND a.actor_id = %s ORDER BY a.id""",
                it.town.staff["Siri"],
            )
            assert [each["name"] for each in looks] == seen
