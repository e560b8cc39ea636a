"""The municipality of a story: its zones, its staff, and its homes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from argon2 import PasswordHasher

from devices.model import DeviceAddress
from gateway.store import municipality
from gateway.store.db import Connection

A_YEAR = timedelta(days=365)
PASSWORD = "en lang setning uten mening"


@dataclass(frozen=True)
class Device:
    """A device of the world."""

    id: int
    address: DeviceAddress
    kind: str


@dataclass(frozen=True)
class Home:
    """A dwelling with a resident and what is fitted there."""

    dwelling: int
    resident: int
    fall_alarm: Device
    dispenser: Device


@dataclass(frozen=True)
class HomePlan:
    """What a home is to be like. ``number`` tells homes apart."""

    number: int
    doses: tuple[time, ...]
    weekdays: tuple[int, ...]
    silent_after: timedelta


async def add_dwelling(connection: Connection, zone: int, plan: HomePlan) -> int:
    where = f"Granveien {plan.number}"
    return await municipality.add_dwelling(connection, zone, where, "4000", "Stavanger", "Nøkkelboks ved døra")


async def move_in(connection: Connection, site: str, dwelling: int, plan: HomePlan, now: datetime) -> Home:
    """A resident with a fall alarm and a dispenser, for thirty days already; doses from now on."""
    since = now - timedelta(days=30)
    resident = await municipality.add_resident(connection, f"Beboer {plan.number}", "+47 51 00 00 00")
    await municipality.move_in(connection, resident, dwelling, since)
    made: list[Device] = []
    for kind, address in (("fall_alarm", f"fall-{plan.number}"), ("medicine_dispenser", f"disp-{plan.number}")):
        device = await municipality.add_device(connection, site, address, kind)
        fitting = await municipality.fit(connection, device, dwelling, resident, "stue", since)
        for dose in plan.doses if kind == "medicine_dispenser" else ():
            await municipality.add_dose_schedule(connection, fitting, dose, now, plan.weekdays)
        await connection.execute(
            "UPDATE device SET silent_after_seconds = %s WHERE id = %s",
            (int(plan.silent_after.total_seconds()), device),
        )
        made.append(Device(device, DeviceAddress(site, "native", address), kind))
    return Home(dwelling, resident, *made)


async def fit(
    connection: Connection, site: str, home: Home, kind: str, address: str, silent_after: timedelta, now: datetime
) -> Device:
    """One more device in a home, for thirty days already."""
    device = await municipality.add_device(connection, site, address, kind)
    await municipality.fit(connection, device, home.dwelling, home.resident, "gang", now - timedelta(days=30))
    await connection.execute(
        "UPDATE device SET silent_after_seconds = %s WHERE id = %s", (int(silent_after.total_seconds()), device)
    )
    return Device(device, DeviceAddress(site, "native", address), kind)


async def found(connection: Connection, site: str, now: datetime) -> tuple[dict[str, int], dict[str, int]]:
    """Centre → municipality → «Sone»: Kari on duty first, Ola behind her, Siri leads, Vakt at the centre, Tek repairs.

    Zones and staff by name.
    """
    centre = await municipality.add_zone(connection, None, "centre", "Senter")
    home = await municipality.add_zone(connection, centre, "municipality", "Kommune")
    zone = await municipality.add_zone(connection, home, "zone", "Sone")
    await municipality.add_site(connection, site, home)
    staff: dict[str, int] = {}
    for name, role, where, position in (
        ("Kari", "responder", zone, 0),
        ("Ola", "responder", zone, 1),
        ("Siri", "lead", zone, None),
        ("Vakt", "centre", centre, None),
        ("Tek", "technical", home, None),
    ):
        staff[name] = await employ(connection, name, role, where, position, now)
    return {"Senter": centre, "Kommune": home, "Sone": zone}, staff


async def employ(connection: Connection, name: str, role: str, zone: int, position: int | None, now: datetime) -> int:
    """Somebody who can be reached in the app; with a ``position`` on duty day and night."""
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    person = await municipality.add_person(connection, name, name.lower(), hashed)
    await municipality.assign(connection, person, role, zone, now - A_YEAR)
    await municipality.add_contact(connection, person, "in_app", name.lower(), 0)
    if position is not None:
        for weekday in range(7):
            for start, end in ((time(0), time(12)), (time(12), time(0))):
                await municipality.add_shift(connection, person, zone, role, weekday, start, end, position, now.date())
    return person
