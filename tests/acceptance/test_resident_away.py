"""A resident who is away: what waits for life at home rests, everything else calls as ever, and it never just runs on."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from gateway.api import schemas
from gateway.embedded import Broker
from tests.support.silences import ends, is_away, lets_last, look, may_not
from tests.support.world import world

A_DAY = 24 * 3600


async def test_away_over_and_back(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        home = await town.home(doses=[time(14)])
        door, fire = await town.fits(home, "door_sensor"), await town.fits(home, "fire_sensor")
        away = await is_away(town, "Siri", home, 45, note="Sykehus, avdeling 3")
        assert (away.state, away.until) == ("in_force", town.now.replace(day=5, hour=8))
        assert await may_not(town, "Siri", home, kind="away", reason="holiday") == "away_already"

        await town.passes(hours=4)  # the dose at two is not taken: nobody is there
        assert (await town.alerts(), await town.news()) == ([], [])
        (missed,) = (await look(town, away)).held
        assert (missed.condition, missed.outcome) == ("dose_missed", None)

        await town.says(home.fall_alarm, "button_pressed")
        await town.says(fire, "smoke")
        assert {each["condition"] for each in await town.alerts()} == {"button_pressed", "fire"}
        for each in await town.alerts():
            await town.done("Kari", each["uid"])
        await town.says(door, "opened")
        await town.says(door, "opened")
        there = await town.alert("life_while_away")
        assert (there["resident_id"], there["severity"]) == (home.resident, 20)
        life = (await look(town, away)).life
        assert life is not None
        assert life.times == 3  # the button, and the door twice
        await town.says(door, "closed")

        listed = await town.gateway.front.alert_list(await town.who("Kari"), "open", None, 50)
        assert [each.away_until for each in listed.alerts] == [away.until]
        residents = schemas.ResidentQuery()
        for name, told in (("Kari", away.until), ("Tek", None)):  # whether somebody is away is for care
            (one,) = (await town.gateway.front.residents(await town.who(name), residents)).residents
            assert one.away_until == told
        assert (await town.gateway.front.silences(await town.who("Tek"), schemas.SilenceQuery())).silences == []

        await town.done("Kari", there["uid"])
        await town.passes(hours=42)  # the day of return passes, and nobody has said a word
        assert (await look(town, away)).state == "overdue"
        assert (await town.alert("away_over"))["closed_at"] is None
        await town.passes(hours=5.1)
        await town.done("Kari", (await town.alert("dose_missed"))["uid"])

        await lets_last(town, "Siri", await look(town, away), 48)
        assert (await town.alert("away_over"))["closed_at"] is not None
        assert (await look(town, away)).state == "in_force"
        back = await ends(town, "Kari", await look(town, away, "Kari"))
        assert (back.state, {each.outcome for each in back.held}) == ("ended", {"passed"})
        assert len(await town.alerts("dose_missed")) == 1


async def test_what_goes_on_after_the_return_and_what_is_history(migrated_url: str, broker: Broker) -> None:
    """A door that was opened at night and stays open is raised when the day of return has come. A word of long ago that comes
    late is noted, and calls nobody."""
    evening = datetime(2026, 3, 3, 20, 30, tzinfo=UTC)  # 21:30 in Oslo
    async with world(migrated_url, broker, start=evening, deaf_seconds=A_DAY) as town:
        home = await town.home()
        door = await town.fits(home, "door_sensor")
        away = await is_away(town, "Siri", home, 34, reason="holiday")
        opened = evening + timedelta(hours=1)
        await town.passes(hours=26)
        await town.says(door, "opened", at=opened)
        life = (await look(town, away)).life
        assert life is not None
        assert (life.times, await town.alerts("life_while_away")) == (1, [])
        await town.says(door, "opened")
        assert [each["condition"] for each in await town.alerts()] == ["silences_in_force", "life_while_away"]
        (held,) = (await look(town, away)).held
        assert (held.condition, held.outcome) == ("door_at_night", None)
        await town.passes(hours=9)
        assert (await look(town, away)).state == "overdue"
        assert (await town.alert("door_at_night"))["closed_at"] is None
        assert (await look(town, away)).held[0].outcome == "raised"
