"""Months pass: what was said goes, what was counted of it stays for longer, and an alert as long as somebody may ask for it."""

from __future__ import annotations

from datetime import timedelta

from gateway.embedded import Broker
from tests.support.world import World, world

LOOKED_AT = {
    "bytes": "raw_message",
    "health": "device_health WHERE fields ? 'battery'",
    "event": "observation WHERE message_class = 'event'",
    "alarm": "observation WHERE message_class = 'alarm'",
    "hours": "activity_hourly",
    "days": "activity_daily",
    "zone": "zone_activity_hourly",
    "alert": "alert WHERE condition = 'fall'",
    "alerts counted": "alert_daily WHERE condition = 'fall'",
}
STAYS = {
    2: {*LOOKED_AT},
    40: {*LOOKED_AT} - {"bytes"},
    110: {*LOOKED_AT} - {"bytes", "health", "event"},
    130: {"alarm", "days", "zone", "alert", "alerts counted"},
    400: {"days", "zone", "alert", "alerts counted"},
    1200: {"zone", "alerts counted"},
}
"""After so many days."""


async def there(town: World) -> set[str]:
    query = " UNION ALL ".join(
        f"SELECT '{name}' AS name WHERE EXISTS (SELECT FROM {rows})" for name, rows in LOOKED_AT.items()
    )
    return {each["name"] for each in await town.rows(query)}


async def test_what_was_said_goes_and_what_was_counted_of_it_stays(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home, began, clock, keeper = await town.home(), town.now, town.gateway.controlled, town.gateway.timekeeper
        assert clock is not None
        await town.says(home.fall_alarm, "fall", impact_g=4.0)
        await town.says(home.fall_alarm, "not_worn")
        await town.says(home.fall_alarm, "heartbeat", message_class="status", battery=60)
        (alert,) = await town.alerts("fall")
        await town.done("Vakt", alert["uid"])
        await keeper.prune()
        await keeper.reckon()  # no hour has ended
        assert await there(town) == {"bytes", "health", "event", "alarm", "alert"}
        for days, stays in STAYS.items():
            clock.move_to(began + timedelta(days=days))
            await town.settle()
            assert await keeper.reckon() > 0
            await keeper.prune()
            assert await keeper.reckon() == 0
            assert await there(town) == stays, f"after {days} days"
