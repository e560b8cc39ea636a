"""A preview tells what living told: the same code over what is stored."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from gateway import previewing
from gateway.api import schemas
from gateway.embedded import Broker
from tests.support.rules import own, previews, sets
from tests.support.world import World, world

FALL, DISPENSER, DOOR, LOCK, FIRE = "fall_alarm", "medicine_dispenser", "door_sensor", "e_lock", "fire_sensor"
MORNING = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
A_DAY = 24 * 3600


async def live(town: World, name: str, kind: str) -> list[tuple[datetime, str]]:
    """When the rules of a name raised an alert, and at which device."""
    rows = await town.rows(
        """SELECT a.raised_at, d.address FROM alert a JOIN rule r ON r.id = a.rule_id JOIN device d ON d.id = a.device_id
           WHERE r.name = %s AND r.kind = %s ORDER BY a.raised_at, d.address""",
        name,
        kind,
    )
    return [(row["raised_at"], row["address"]) for row in rows]


def told(alerts: list[schemas.PreviewAlert]) -> list[tuple[datetime, str]]:
    return sorted((each.raised_at, each.device.name if each.device else "") for each in alerts)


async def close_all(town: World) -> None:
    """Somebody deals with whatever there is."""
    for each in await town.rows("SELECT uid, track FROM alert WHERE closed_at IS NULL"):
        await town.done("Kari" if each["track"] == "care" else "Tek", each["uid"])


async def alike(town: World, name: str, kind: str, **ids: int) -> schemas.Preview:
    """The unchanged rule: in both replays exactly what was really raised."""
    preview = await previews(town, "Ada", kind, own(kind, name), **(ids or {"zone": town.zones["Senter"]}))
    assert told(preview.newest_before) == await live(town, name, kind), name
    assert preview.newest_after == preview.newest_before
    assert (preview.only_before, preview.only_after, preview.cut, preview.crashed) == (0, 0, False, [])
    return preview


async def test_a_day_of_falls_doses_and_silence_is_told_as_it_was_lived(migrated_url: str, broker: Broker) -> None:
    """From 7 in the morning: doses at 8, 12 and 20 of which the first is confirmed, two falls that each happen twice before
    somebody comes, and a second wearable that falls silent for an hour after seven."""
    async with world(migrated_url, broker, start=MORNING, deaf_seconds=A_DAY) as town:
        await town.person("Ada", "admin", "Senter")
        home = await town.home(doses=[time(8), time(12), time(20)], silent_after=timedelta(hours=7))
        quiet = await town.home(silent_after=timedelta(hours=7))
        await town.rows("UPDATE device SET silent_after_seconds = 31536000 WHERE id = %s", quiet.dispenser.id)
        for hour in range(16):
            for device in (home.fall_alarm, home.dispenser, *((quiet.fall_alarm,) if hour in {0, 8} else ())):
                await town.says(device, "heartbeat", message_class="status", battery=90, settle=False)
            if hour == 2:
                await town.says(home.dispenser, "dose_taken", at=town.now - 50 * MINUTE)
            for _ in range(2 if hour in {4, 10} else 0):
                await town.says(home.fall_alarm, "fall", impact_g=4)
                await town.passes(minutes=1)
            await close_all(town)
            await town.passes(minutes=59)
            await close_all(town)

        falls = await alike(town, "fall", FALL)
        assert (falls.before, falls.newest_before[0].times) == (2, 2)
        assert falls.since == MORNING
        assert falls.until == town.now
        assert [day.before for day in falls.days] == [2]
        doses = await alike(town, "dose_unconfirmed", DISPENSER)
        assert doses.before == 2
        silence = await alike(town, "device_silent", FALL)
        assert [each.device.name for each in silence.newest_before if each.device] == ["fall-2", "fall-2"]
        assert [(each.resident.name, each.before) for each in silence.most if each.resident] == [("Beboer 2", 2)]

        longer = own(DISPENSER, "dose_unconfirmed", grace_seconds=110 * 60)
        changed = await previews(town, "Ada", DISPENSER, longer, resident=home.resident)
        assert (changed.before, changed.after, changed.only_before, changed.only_after) == (2, 2, 0, 0)
        assert changed.newest_after[0].raised_at - changed.newest_before[0].raised_at == 50 * MINUTE
        off = await previews(town, "Ada", FALL, own(FALL, "device_silent", enabled=False), zone=town.zones["Senter"])
        assert (off.before, off.after, off.only_before) == (2, 0, 2)


async def test_doors_locks_and_fires_are_told_as_they_were_lived(migrated_url: str, broker: Broker) -> None:
    """Out at 23 and not back, a door left open, a lock left unlocked, a battery, smoke in a home with nobody in it."""
    night = datetime(2026, 3, 3, 21, 30, tzinfo=UTC)
    async with world(migrated_url, broker, start=night, deaf_seconds=A_DAY) as town:
        await town.person("Ada", "admin", "Senter")
        home = await town.home()
        door, lock, fire = await town.fits(home, DOOR), await town.fits(home, LOCK), await town.fits(home, FIRE)
        await town.says(door, "heartbeat", message_class="status", battery=90)
        for _ in range(3):
            await town.says(door, "opened")
            await town.says(door, "went_out")
            await town.passes(minutes=2)
            await town.says(door, "closed")
            await town.says(lock, "unlocked", method="code")
            await town.passes(minutes=9)
            await town.says(door, "came_in")
            await close_all(town)
            await town.passes(minutes=2)
            await town.says(door, "opened")
            await town.passes(minutes=6)
            await town.says(door, "closed")
            await town.says(lock, "locked")
            await close_all(town)
            await town.passes(minutes=80)
        await town.says(lock, "heartbeat", message_class="status", battery=8)
        await town.says(lock, "heartbeat", message_class="status", battery=9)
        await town.says(door, "went_out")
        await town.says(fire, "smoke", message_class="alarm")
        await close_all(town)

        for kind, name, least in (
            (DOOR, "door_at_night", 3),
            (DOOR, "not_back", 1),
            (DOOR, "left_open", 3),
            (LOCK, "left_unlocked", 3),
            (LOCK, "battery_critical", 1),
            (FIRE, "fire", 1),
            (DOOR, "device_silent", 0),
        ):
            assert (await alike(town, name, kind)).before >= least, name

        by_day = {"from_time": "06:00", "to_time": "22:00"}
        preview = await previews(town, "Ada", DOOR, own(DOOR, "door_at_night", window=by_day), device=door.id)
        assert (preview.after, preview.only_before) == (0, preview.before)


RULES: dict[str, dict[str, Any]] = {
    "immediate": {"on": ["button_pressed"]},
    "window": {"on": ["button_pressed"], "window": {"from_time": "06:00", "to_time": "22:00"}},
    "missed": {"met_by": ["worn"], "after": ["not_worn"], "within_seconds": 600},
    "state": {"enters": ["not_worn"], "leaves": ["worn"], "for_seconds": 900},
    "repeat": {"on": ["button_pressed"], "count": 3, "within_seconds": 3600},
    "rate": {"on": ["button_pressed"], "count": 4, "days": 2},
    "threshold": {"on": ["heartbeat"], "field": "battery", "below": 20, "clear_at": 30},
    "compound": {"on": ["not_worn"], "unless": ["worn"], "within_seconds": 300},
    "silence": {},
}


async def test_a_rule_of_every_type_raises_as_its_preview_says(migrated_url: str, broker: Broker) -> None:
    """The same day is lived under nine rules of our own, one a type; each tells of itself alone."""
    common = {"severity": 20, "track": "care"}
    specs = {
        type_: {"type": type_, "name": f"our_{type_}", "condition": f"our_{type_}", **common, **own_fields}
        for type_, own_fields in RULES.items()
    }
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        await town.person("Ada", "admin", "Senter")
        home = await town.home(silent_after=timedelta(hours=3))
        device = home.fall_alarm.id
        for spec in specs.values():
            await sets(town, "Siri", FALL, spec, device=device)
        for minutes, battery in ((4, 90), (4, 15), (12, 90), (18, 10), (2, 12)):
            await town.says(home.fall_alarm, "button_pressed", message_class="event")
            await town.says(home.fall_alarm, "not_worn")
            await town.passes(minutes=minutes)
            await town.says(home.fall_alarm, "worn")
            await town.says(home.fall_alarm, "heartbeat", message_class="status", battery=battery)
            await close_all(town)
            await town.passes(minutes=15)
        await town.passes(hours=4)
        for type_, spec in specs.items():
            preview = await previews(town, "Ada", FALL, spec, device=device)
            assert preview.before > 0, type_
            assert told(preview.newest_before) == await live(town, spec["name"], FALL), type_
            assert preview.newest_after == preview.newest_before
            elsewhere = {**spec, "name": f"new_{type_}"}
            new = await previews(town, "Ada", FALL, elsewhere, zone=town.zones["Sone"])
            assert (new.before, new.after, new.only_after, new.crashed) == (0, preview.after, preview.after, []), type_


async def test_a_preview_writes_nothing_but_a_line_in_the_audit(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        tables = [row["name"] for row in await town.rows("SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND "
                                                         "relnamespace = current_schema()::regnamespace")]  # fmt: skip

        async def counted() -> dict[str, int]:
            return {each: (await town.rows(f'SELECT count(*) AS n FROM "{each}"'))[0]["n"] for each in tables}

        before = await counted()
        await town.who("Siri")  # signing in is a row, too
        await previews(town, "Siri", FALL, own(FALL, "button_pressed"), zone=town.zones["Sone"])
        after = await counted()
        changed = {name for name in tables if before[name] != after[name]}
        assert changed == {"session", "audit"}
        (line,) = await town.rows("SELECT * FROM audit WHERE action = 'rule.previewed'")
        assert (line["actor_id"], line["object"]) == (town.staff["Siri"], "rule")
        assert line["params"]["zone_id"] == town.zones["Sone"]


async def test_a_preview_is_about_the_zones_that_its_reader_covers(migrated_url: str, broker: Broker) -> None:
    async def more(town: World) -> None:
        await town.rows("INSERT INTO zone (uid, parent_id, kind, name) VALUES (gen_random_uuid(), %s, 'zone', 'Øy')",
                        town.zones["Kommune"])  # fmt: skip
        town.zones["Øy"] = (await town.rows("SELECT id FROM zone WHERE name = 'Øy'"))[0]["id"]

    async with world(migrated_url, broker, people=more) as town:
        await town.person("Ada", "admin", "Senter")
        ours, theirs = await town.home(), await town.home(zone="Øy")
        for home in (ours, theirs):
            await town.says(home.fall_alarm, "fall")
        rule = own(FALL, "fall")
        assert (await previews(town, "Siri", FALL, rule)).before == 1
        assert (await previews(town, "Siri", FALL, rule, zone=town.zones["Sone"])).before == 1
        assert (await previews(town, "Ada", FALL, rule)).before == 2
        (only,) = (await previews(town, "Ada", FALL, rule, resident=theirs.resident)).newest_after
        assert (only.zone, only.resident.name if only.resident else None) == ("Øy", "Beboer 2")


async def test_what_nobody_understands_any_more_is_part_of_what_a_change_would_raise(
    migrated_url: str, broker: Broker
) -> None:
    """A rule that is off does not make an alarm go away: it is looked at as one that could not be read."""
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "button_pressed")
        off = await previews(town, "Siri", FALL, own(FALL, "button_pressed", enabled=False), zone=town.zones["Sone"])
        assert [each.title for each in off.newest_before] == ["Knapp trykket inn"]
        assert [each.title for each in off.newest_after] == ["Alarm som ikke kunne leses"]


async def test_a_time_that_was_not_heard_is_held_against_nobody(migrated_url: str, own_broker: Broker) -> None:
    async with world(migrated_url, own_broker, deaf_seconds=300, settle_seconds=60) as town:
        home = await town.home(silent_after=timedelta(hours=3))
        await town.says(home.fall_alarm, "heartbeat", message_class="status")
        await town.broker_stops()
        await town.passes(hours=4)
        await town.broker_starts()
        await town.passes(minutes=2)
        rule = own(FALL, "device_silent")
        assert (await previews(town, "Tek", FALL, rule, device=home.fall_alarm.id)).before == 0
        await town.passes(hours=3)
        preview = await previews(town, "Tek", FALL, rule, device=home.fall_alarm.id)
        (at, _) = (await live(town, "device_silent", FALL))[0]
        assert [abs(each.raised_at - at) < timedelta(minutes=2) for each in preview.newest_before] == [True]


async def test_more_than_can_be_looked_at_is_cut_and_said_so(migrated_url: str, broker: Broker) -> None:
    """The newest count, from the time of the oldest of them on."""
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        home = await town.home()
        for _ in range(5):
            await town.says(home.fall_alarm, "button_pressed", message_class="event")
            await close_all(town)
            await town.passes(minutes=30)
        who, book = await town.who("Siri"), await town.gateway.database.run(town.gateway.cache.read)
        request = schemas.RuleRequest(kind=FALL, scope=schemas.ScopeRequest(), spec=own(FALL, "button_pressed"))
        gathered = await town.gateway.database.run(
            lambda connection: previewing.gather(connection, who, request, town.now, book, most=3)
        )
        assert (len(gathered.rows), gathered.cut) == (3, True)
        assert gathered.since == gathered.rows[-1]["received_at"]
        assert len(previewing.replayed(gathered).before) == 3


async def test_a_gateway_that_has_just_begun_has_nothing_to_show(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        preview = await previews(town, "Siri", FALL, own(FALL, "button_pressed"), zone=town.zones["Sone"])
        assert (preview.before, preview.after, preview.observations, preview.devices) == (0, 0, 0, 0)
        assert preview.since == preview.until == town.now
