"""`hjemmevakt seed`: a municipality like Stavanger, for trials – its zones, residents, devices, staff and roster.

Everybody in it is invented. The same seed makes the same municipality. Seeding twice adds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from random import Random
from typing import Any

from argon2 import PasswordHasher

from gateway.store import municipality as store
from gateway.store.db import Connection

CENTRE = "Responssenteret Sør-Vest"
MUNICIPALITY = "Stavanger"
ZONES = (
    "Eiganes og Tasta",
    "Hundvåg og Storhaug",
    "Madla og Tjensvoll",
    "Hillevåg og Hinna",
    "Finnøy",
    "Rennesøy",
)
SITE = "stavanger"
DOSES = (time(8), time(20))
FIRST = [
    "Anna",
    "Bjørn",
    "Kari",
    "Ola",
    "Ingrid",
    "Lars",
    "Solveig",
    "Per",
    "Marit",
    "Knut",
    "Astrid",
    "Nils",
    "Bjørg",
    "Arne",
    "Gerd",
    "Odd",
    "Randi",
    "Svein",
    "Turid",
    "Leif",
    "Åse",
    "Harald",
    "Eva",
    "Jan",
]
LAST = [
    "Hansen",
    "Johansen",
    "Olsen",
    "Larsen",
    "Andersen",
    "Pedersen",
    "Nilsen",
    "Kristiansen",
    "Jensen",
    "Karlsen",
    "Tjelta",
    "Goa",
    "Sunde",
    "Vik",
    "Hagen",
    "Moen",
    "Bakke",
    "Lie",
    "Dahl",
    "Lunde",
    "Ødegård",
]
STREETS = ("Furuveien", "Bjørkestien", "Solbakken", "Sjøgata", "Kirkeveien", "Havneveien", "Lyngveien", "Myrstien")
LOCKED = "Elektronisk lås, åpnes fra telefonen"
ACCESS = (
    "Nøkkelboks til venstre for døra, kode hos vaktleder",
    "Ring på hos naboen i andre etasje",
    "Nøkkel på avdelingen, knagg {number}",
)
RESPONDERS_IN_ZONE = 4
SHIFTS = ((time(7), time(15)), (time(15), time(22)), (time(22), time(7)))


@dataclass(frozen=True, slots=True)
class Equipment:
    """A kind of device that homes have. ``whose``: which of any ten residents, by the last digit of their place in the row.

    The tenth shares a dwelling with the ninth, who has what belongs to the dwelling.
    """

    kind: str
    prefix: str
    model: str
    whose: str
    placed: tuple[str, ...]


EQUIPMENT = (
    Equipment("fall_alarm", "fall", "Håndledd 2", "0123456789", ("på håndleddet",)),
    Equipment("safety_alarm", "trygg", "Trygg Mobil 3", "248", ("i snor om halsen",)),
    Equipment("medicine_dispenser", "disp", "Dose 7", "02468", ("kjøkken", "stue", "soverom")),
    Equipment("door_sensor", "dor", "Dørvakt 1", "0358", ("ytterdør",)),
    Equipment("e_lock", "las", "Lås 4", "0367", ("ytterdør",)),
    Equipment("fire_sensor", "brann", "Røyk 10", "01235", ("stue", "gang", "kjøkken")),
)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in."""

    username: str
    name: str
    role: str
    zone: str


@dataclass(frozen=True, slots=True)
class Seeded:
    """What there is now."""

    residents: int
    devices: int
    accounts: tuple[Account, ...]


async def seed(connection: Connection, now: datetime, password: str, number: int = 1, residents: int = 200) -> Seeded:
    """Make the municipality, unless there is one. All accounts get the same password."""
    if await store.has_zones(connection):
        return await _existing(connection)
    random = Random(number)  # noqa: S311 - invents a municipality, no secret
    zones = await _zones(connection)
    await store.add_site(connection, SITE, zones[MUNICIPALITY])
    accounts = await _staff(connection, zones, random, now, PasswordHasher().hash(password))
    devices = await _homes(connection, zones, random, now, residents)
    return Seeded(residents, devices, accounts)


async def simulated(connection: Connection) -> list[dict[str, Any]]:
    """The municipality's devices, as the simulators know them."""
    return await store.simulated(connection)


def write_devices(rows: list[dict[str, Any]], path: Path) -> None:
    """The file that the simulators read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")


async def _existing(connection: Connection) -> Seeded:
    residents, devices = await store.counts(connection)
    rows = await store.accounts(connection)
    return Seeded(residents, devices, tuple(Account(**row) for row in rows))


async def _zones(connection: Connection) -> dict[str, int]:
    centre = await store.add_zone(connection, None, "centre", CENTRE)
    municipality = await store.add_zone(connection, centre, "municipality", MUNICIPALITY)
    zones = {name: await store.add_zone(connection, municipality, "zone", name) for name in ZONES}
    return {CENTRE: centre, MUNICIPALITY: municipality, **zones}


# Staff ----------------------------------------------------------------------------------------------------------------


async def _staff(
    connection: Connection, zones: dict[str, int], random: Random, now: datetime, password_hash: str
) -> tuple[Account, ...]:
    names = _names(random)
    made = list(_posts(names))
    for account, shifts in made:
        person = await store.add_person(connection, account.name, account.username, password_hash)
        await store.assign(connection, person, account.role, zones[account.zone], now)
        await store.add_contact(connection, person, "in_app", account.username, 0)
        await store.add_contact(connection, person, "email", f"{account.username}@example.org", 1)
        role = "technical" if account.role == "technical" else "responder"
        for weekday, position, (start, end) in shifts:
            await store.add_shift(
                connection, person, zones[account.zone], role, weekday, start, end, position, now.date()
            )
    return tuple(account for account, _ in made)


Shifts = tuple[tuple[int, int, tuple[time, time]], ...]


def _posts(names: Iterator[str]) -> Iterator[tuple[Account, Shifts]]:
    """Four responders a zone (day, evening, night, and one behind all of them), a lead each, the centre, technicians."""
    for index, zone in enumerate(ZONES, 1):
        for place in range(RESPONDERS_IN_ZONE):
            yield Account(f"vakt{index}{'abcd'[place]}", next(names), "responder", zone), _week(place)
        yield Account(f"leder{index}", next(names), "lead", zone), ()
    yield Account("sentral1", next(names), "centre", CENTRE), ()
    yield Account("sentral2", next(names), "centre", CENTRE), ()
    yield Account("teknisk1", next(names), "technical", MUNICIPALITY), tuple((day, 0, SHIFTS[0]) for day in range(5))
    yield Account("teknisk2", next(names), "technical", MUNICIPALITY), ()
    yield Account("admin", next(names), "admin", CENTRE), ()


def _week(place: int) -> Shifts:
    if place < len(SHIFTS):
        return tuple((day, 0, SHIFTS[place]) for day in range(7))
    return tuple((day, 1, shift) for day in range(7) for shift in SHIFTS)


# Homes ----------------------------------------------------------------------------------------------------------------


async def _homes(connection: Connection, zones: dict[str, int], random: Random, now: datetime, count: int) -> int:
    names, devices, dwelling = _names(random), 0, 0
    for index in range(count):
        shares = index % 10 == 9
        if not shares:
            dwelling = await _dwelling(connection, zones[ZONES[index % len(ZONES)]], index, random)
        resident = await store.add_resident(connection, next(names), _phone(random), _born(random))
        await store.move_in(connection, resident, dwelling, now)
        for each in _equipment(index):
            await _device(connection, each, index, dwelling, resident, random, now)
            devices += 1
    return devices


def _equipment(index: int) -> list[Equipment]:
    """What the home of a resident has."""
    return [each for each in EQUIPMENT if str(index % 10) in each.whose]


async def _dwelling(connection: Connection, zone: int, index: int, random: Random) -> int:
    address = f"{random.choice(STREETS)} {random.randint(1, 80)}"
    has_lock = any(each.kind == "e_lock" for each in _equipment(index))
    access = LOCKED if has_lock else random.choice(ACCESS).format(number=index + 1)
    latitude, longitude = 58.97 + random.uniform(-0.05, 0.05), 5.73 + random.uniform(-0.07, 0.07)
    return await store.add_dwelling(connection, zone, address, "4000", MUNICIPALITY, access, latitude, longitude)


async def _device(
    connection: Connection,
    equipment: Equipment,
    index: int,
    dwelling: int,
    resident: int,
    random: Random,
    now: datetime,
) -> None:
    address = f"{equipment.prefix}-{index + 1:03}"
    device = await store.add_device(connection, SITE, address, equipment.kind, equipment.model)
    fitting = await store.fit(connection, device, dwelling, resident, random.choice(equipment.placed), now)
    for at in DOSES if equipment.kind == "medicine_dispenser" else ():
        await store.add_dose_schedule(connection, fitting, at, now)


def _names(random: Random) -> Iterator[str]:
    """Every first name with every last name, in a shuffled order, for ever."""
    every = [f"{first} {last}" for first in FIRST for last in LAST]
    random.shuffle(every)
    while True:
        yield from every


def _phone(random: Random) -> str:
    return f"+47 51 {random.randint(10, 99)} {random.randint(10, 99)} {random.randint(10, 99)}"


def _born(random: Random) -> date:
    return date(random.randint(1928, 1950), random.randint(1, 12), random.randint(1, 28))


def accounts_table(accounts: Sequence[Account]) -> Iterator[str]:
    """The accounts that show the path best: one of each role."""
    shown: set[str] = set()
    for account in accounts:
        if account.role not in shown:
            shown.add(account.role)
            yield f"{account.username:<10} {account.role:<10} {account.zone}"
