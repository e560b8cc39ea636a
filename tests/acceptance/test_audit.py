"""Who looked at whom, and what happened: written down, and not to be changed."""

from __future__ import annotations

import psycopg
import pytest

from gateway.api import schemas
from gateway.embedded import Broker
from gateway.errors import NotAllowed, NotFound
from tests.support.world import world


async def test_every_look_at_a_resident_is_written_down(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = await town.alert()
        kari, siri = await town.who("Kari"), await town.who("Siri")
        front = town.gateway.front
        await front.alert_list(kari, "open", None, 50)
        await front.alert_detail(kari, fall["uid"])
        await town.passes(minutes=1)
        await front.alert_detail(siri, fall["uid"])
        await front.alert_detail(kari, fall["uid"])
        looks = await town.rows(
            "SELECT actor_id, object_id, params, at FROM audit WHERE action = 'resident.viewed' ORDER BY id"
        )
        names = {town.staff[name]: name for name in town.staff}
        assert [names[each["actor_id"]] for each in looks] == ["Kari", "Siri", "Kari"]
        assert {(each["object_id"], each["params"]["alert"]) for each in looks} == {(home.resident, fall["id"])}

        # Who may not see it has seen nothing, and an alert of nobody's is no look at anybody.
        with pytest.raises(NotFound):
            await front.alert_detail(await town.who("Tek"), fall["uid"])
        await town.publishes(f"hv/v1/{town.site}/x/y/alarm", b"?")
        rubbish = await town.alert("uninterpretable_alarm")
        await front.alert_detail(await town.who("Vakt"), rubbish["uid"])
        with pytest.raises(NotAllowed):
            await front.quarantine(kari, schemas.QuarantineQuery(), None, 10)
        assert len(await town.rows("SELECT 1 FROM audit WHERE action = 'resident.viewed'")) == 3


async def test_answers_are_in_the_audit_and_nothing_of_it_can_be_changed(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        await town.answers("Kari", fall, "claim")
        await town.done("Kari", fall)
        told = await town.rows("SELECT action, actor_id FROM audit WHERE object = 'alert' ORDER BY id")
        kari = town.staff["Kari"]
        assert [(each["action"], each["actor_id"]) for each in told] == [
            ("alert.raised", None),
            ("alert.step_reached", None),
            ("alert.claimed", kari),
            ("alert.closing", kari),
            ("alert.closed", None),
        ]
        for table in ("audit", "alert_entry"):
            for statement in (f"UPDATE {table} SET at = at", f"DELETE FROM {table}", f"TRUNCATE {table}"):
                with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                    await town.rows(statement)
        everything = str(await town.rows("SELECT * FROM audit")) + str(await town.rows("SELECT * FROM alert_entry"))
        for name in ("Beboer", "Granveien", "Kari", "Nøkkelboks"):
            assert name not in everything, name
