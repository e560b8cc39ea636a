"""What a release has to do on a schema that is newer than itself: hear, store, page and be answered – alone, and beside a
gateway of this release, as it is while processes are replaced one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.embedded import Broker
from gateway.store.migrate import migrate
from tests.support.processes import GatewayProcess, Homes, alerts, devices_of, eventually, rows, seeded, stored_once

Say = Callable[[str], None]


async def serves(release: Path, url: str, broker: Broker, folder: Path, say: Say = print) -> None:
    """On an empty database. AssertionError with what it did not do. ``release``: its code."""
    applied = await migrate(url)
    await seeded(url, 4)
    say(f"migrated and seeded by this release: {len(applied)} files")
    homes = Homes(broker, await devices_of(url))
    with (
        GatewayProcess(folder, "other", release=release, database_url=url, mqtt_port=broker.port) as other,
        GatewayProcess(folder, "this", database_url=url, mqtt_port=broker.port) as this,
    ):
        other.start()
        await other.connected()
        async with homes.connected():
            await _falls(url, homes, "fall-001", other)
            say("the other hears, stores, pages and is answered")

            async def not_red() -> bool:
                return (await other.health())[0] == 200

            await eventually(not_red, "a newer schema is no reason to be red")

            this.start()
            await this.logged("gateway.started")
            await _falls(url, homes, "fall-002", this)
            say("both at work: one hears, the other is answered at")
            other.kill9()
            await _falls(url, homes, "fall-003", this)
            say("this one goes on alone")
        assert not await stored_once(url, sorted(homes.receipted)), "each message is there once"


async def _falls(url: str, homes: Homes, address: str, gateway: GatewayProcess) -> None:
    """Somebody falls, and whoever is paged takes it at this gateway."""
    word = homes.say(address, "fall")
    homes.say(address, "heartbeat", battery_percent=80)
    await homes.has_receipt(word)
    found: list[dict[str, Any]] = [each for each in await alerts(url, "fall") if each["stage"] == "open"]
    told = [f"{each['condition']} {each['stage']}" for each in await alerts(url)]
    assert len(found) == 1, f"one fall is to be open, and there are: {', '.join(told) or 'no alerts'}"

    async def paged() -> list[dict[str, Any]]:
        query = "SELECT username FROM page JOIN person p ON p.id = person_id WHERE alert_id = %s AND handed_over_at IS NOT NULL"
        return await rows(url, query, found[0]["id"])

    who = (await eventually(paged, "somebody is paged"))[0]["username"]
    async with gateway.signed_in(who) as client:
        answer = await client.post(
            f"/alerts/{found[0]['uid']}/answers", json={"answer": "claim"}, headers={"Idempotency-Key": address}
        )
        assert answer.status_code in {200, 201}, answer.text
    assert [each["stage"] for each in await alerts(url, "fall") if each["id"] == found[0]["id"]] == ["claimed"]
