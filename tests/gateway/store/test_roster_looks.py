"""Which zones are looked at for who has not checked in, when a roster, a check-in or the zones themselves have changed."""

from __future__ import annotations

from datetime import timedelta

from gateway.store import checkins, municipality
from tests.gateway.place import NOW, Place, place

LATER = NOW + timedelta(hours=8)


async def due(town: Place) -> set[str]:
    """The zones that are due, by name; none is, after that."""
    rows = await town.rows("SELECT z.name FROM roster_look r JOIN zone z ON z.id = r.zone_id WHERE r.due_at <= %s", NOW)
    await town.rows("UPDATE roster_look SET due_at = %s", LATER)
    return {row["name"] for row in rows}


async def test_only_where_something_has_changed(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        nord, kommune, nina = town.zones["Nord"], town.zones["Kommune"], town.staff["Nina"]
        await town.run(lambda each: checkins.set_grace(each, kommune, 10, NOW))
        assert await due(town) == {"Kommune", "Nord", "Sør"}
        await town.run(lambda each: checkins.look_again(each, [nord], NOW))
        assert await due(town) == {"Nord"}
        await town.run(lambda each: checkins.look_again(each, [kommune], NOW))
        assert await due(town) == {"Kommune", "Nord", "Sør"}, "who serves in a zone serves below it"
        (row,) = await town.rows("SELECT zone_id FROM assignment WHERE person_id = %s", nina)
        assert row["zone_id"] == nord
        await town.run(lambda each: checkins.look_again_for(each, [nina], NOW))
        assert await due(town) == {"Nord"}


async def test_a_zone_that_is_new_below_one_that_uses_check_in_is_looked_at(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.run(lambda each: checkins.set_grace(each, town.zones["Kommune"], 10, NOW))
        await due(town)
        made = await town.run(lambda each: municipality.add_zone(each, town.zones["Nord"], "zone", "Bruket"))
        off = await town.run(lambda each: municipality.add_zone(each, town.zones["Senter"], "municipality", "Uten"))
        found = await town.run(lambda each: checkins.lock_looks(each, NOW, 100))
        assert found == [made]
        assert off not in found
        assert await due(town) == {"Bruket"}
