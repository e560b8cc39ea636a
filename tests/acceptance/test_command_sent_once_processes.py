"""A command is sent at most once, whenever the gateway is killed; and whatever became of it is told."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import aiomqtt
import httpx
import psycopg

from gateway import seed as seeding
from gateway.embedded import Broker
from tests.support.processes import A_WHILE, GatewayProcess, Homes, eventually, rows, seeded

SEED = 20260303
SHORT = 10
"""Seconds that a command is valid: the least there is. It ends ten seconds after that at the latest."""
LONGER = 40
"""The same where a gateway has to start meanwhile."""
LOCKS = 5


@dataclass
class Door:
    """A home in which somebody has fallen, its locks by id, and what each of them was sent."""

    url: str
    fall: dict[str, Any]
    who: str
    locks: list[str]
    heard: Counter[str] = field(default_factory=Counter)

    async def asks(self, client: httpx.AsyncClient, lock: str, seconds: int = SHORT) -> str:
        """The command's id."""
        asked = {"device": lock, "command": "unlock", "reason": "get_in", "valid_seconds": seconds}
        answer = await client.post(
            f"/alerts/{self.fall['uid']}/commands", json=asked, headers={"Idempotency-Key": str(uuid4())}
        )
        assert answer.status_code == 202, answer.text
        command: str = answer.json()["id"]
        return command

    async def commands(self) -> dict[str, dict[str, Any]]:
        return {str(each["uid"]): each for each in await rows(self.url, "SELECT * FROM command ORDER BY id")}

    async def all_ended(self) -> dict[str, dict[str, Any]]:
        async def look() -> bool:
            return not any(each["due_at"] for each in (await self.commands()).values())

        await eventually(look, "every command has ended", 2 * A_WHILE)
        return await self.commands()

    async def told(self, command: str) -> list[str]:
        """What the timeline says, all commands together where there are several."""
        found = await rows(self.url, "SELECT code FROM alert_entry WHERE alert_id = %s ORDER BY seq", self.fall["id"])
        return [each["code"] for each in found if each["code"].startswith(command)]


@asynccontextmanager
async def at_the_door(url: str, broker: Broker, gateway: GatewayProcess) -> AsyncIterator[Door]:
    """Somebody falls; whoever is called first takes it. Their home has many locks, which listen and say nothing."""
    homes = Homes(broker, {"fall-001": "fall_alarm"})
    async with homes.connected():
        await homes.has_receipt(homes.say("fall-001", "fall"))
    (fall,) = await rows(url, "SELECT * FROM alert WHERE condition = 'fall'")
    (called,) = await rows(
        url,
        """SELECT p.username FROM page g JOIN person p ON p.id = g.person_id WHERE g.alert_id = %s
           GROUP BY p.id ORDER BY p.id LIMIT 1""",
        fall["id"],
    )
    locks = [await _fit(url, fall["dwelling_id"], f"lock-{number}") for number in range(LOCKS)]
    door = Door(url, fall, called["username"], locks)
    async with gateway.signed_in(door.who) as client:
        claim = await client.post(
            f"/alerts/{fall['uid']}/answers", json={"answer": "claim"}, headers={"Idempotency-Key": str(uuid4())}
        )
        assert claim.status_code == 200, claim.text
    async with aiomqtt.Client(broker.host, broker.port) as listener:
        await listener.subscribe(f"hv/v1/{seeding.SITE}/+/+/command", qos=2)
        listening = asyncio.create_task(_listen(listener, door.heard))
        yield door
        listening.cancel()
        await asyncio.wait({listening})


async def _listen(client: aiomqtt.Client, heard: Counter[str]) -> None:
    async for message in client.messages:
        assert isinstance(message.payload, bytes)
        heard[json.loads(message.payload)["id"]] += 1


async def _fit(url: str, dwelling: int, address: str) -> str:
    (made,) = await rows(
        url,
        """WITH made AS (
               INSERT INTO device (uid, site_id, ecosystem, address, kind)
               SELECT gen_random_uuid(), s.id, 'native', %s, 'e_lock' FROM site s WHERE s.name = %s RETURNING id, uid),
           fitted AS (
               INSERT INTO installation (uid, device_id, dwelling_id, during)
               SELECT gen_random_uuid(), made.id, %s, tstzrange('2020-01-01', NULL) FROM made)
           SELECT uid FROM made""",
        address,
        seeding.SITE,
        dwelling,
    )
    return str(made["uid"])


async def test_killed_between_marked_as_sent_and_sent(migrated_url: str, own_broker: Broker, tmp_path: Path) -> None:
    """The commit goes through, and whoever was to publish is dead. It is never sent; and that is told."""
    await seeded(migrated_url, 4)
    with GatewayProcess(tmp_path, database_url=migrated_url, mqtt_port=own_broker.port) as gateway:
        gateway.start()
        await gateway.connected()
        async with at_the_door(migrated_url, own_broker, gateway) as door:
            async with commits_wait(migrated_url), gateway.signed_in(door.who) as client:
                command = await door.asks(client, door.locks[0], LONGER)
                await eventually(lambda: _committing(migrated_url), "it is marked as sent, and being committed")
                assert (await door.commands())[command]["state"] == "requested", "nobody sees it yet"
                gateway.kill9()

            async def marked() -> bool:
                state: str = (await door.commands())[command]["state"]
                return state == "sent"

            await eventually(marked, "the database has it all the same")
            await rows(migrated_url, "DROP TRIGGER waits ON command")
            await rows(migrated_url, "UPDATE gateway SET lease_until = '-infinity'")
            gateway.start()
            await gateway.connected()
            assert (await door.commands())[command]["due_at"] is not None, "there is time to send it, if anybody would"
            ended = (await door.all_ended())[command]
            assert (ended["state"], ended["outcome"]) == ("expired", "no_answer")
            assert door.heard == Counter(), "nobody ever sends it"
            assert await door.told("command_") == ["command_requested", "command_sent", "command_unanswered"]
            await _told(migrated_url, door)
        assert "Traceback" not in gateway.said


async def test_killed_again_and_again_each_command_is_sent_once_at_most(
    migrated_url: str, own_broker: Broker, tmp_path: Path
) -> None:
    random = Random(SEED)
    await seeded(migrated_url, 4)
    with GatewayProcess(tmp_path, database_url=migrated_url, mqtt_port=own_broker.port) as gateway:
        gateway.start()
        await gateway.connected()
        async with at_the_door(migrated_url, own_broker, gateway) as door:
            asked: list[str] = []
            for lock in door.locks:
                async with gateway.signed_in(door.who) as client:
                    asked.append(await door.asks(client, lock))
                await asyncio.sleep(random.uniform(0, 0.02))
                gateway.kill9()
                await rows(migrated_url, "UPDATE gateway SET lease_until = '-infinity'")
                gateway.start()
                await gateway.connected()
            ended = await door.all_ended()
            print(f"sent: {dict(door.heard)}")
            assert set(ended) == set(asked)
            assert {each["state"] for each in ended.values()} == {"expired"}
            assert set(door.heard.values()) <= {1}, "at most once"
            assert set(door.heard) <= {uid for uid, each in ended.items() if each["outcome"] == "no_answer"}
            told = Counter(await door.told("command_"))
            assert told["command_unanswered"] + told["command_not_sent"] == LOCKS
            await _told(migrated_url, door)
        assert "Traceback" not in gateway.said


@asynccontextmanager
async def commits_wait(url: str) -> AsyncIterator[None]:
    """Within the block what marks a command as sent waits in its commit: time enough to die in."""
    await rows(
        url,
        """CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS
           $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$""",
    )
    await rows(
        url,
        """CREATE CONSTRAINT TRIGGER waits AFTER UPDATE ON command DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW WHEN (NEW.state = 'sent') EXECUTE FUNCTION waits()""",
    )
    async with await psycopg.AsyncConnection.connect(url) as holder:
        await holder.execute("SELECT pg_advisory_xact_lock(1)")
        yield


async def _committing(url: str) -> bool:
    return bool(await rows(url, "SELECT 1 FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'advisory'"))


async def _told(url: str, door: Door) -> None:
    """Whoever asked has a page about it, and technical services have an alert."""
    query = """SELECT p.username FROM page g JOIN person p ON p.id = g.person_id
               WHERE g.about IS NOT NULL AND g.alert_id = %s GROUP BY 1"""

    async def paged() -> list[dict[str, Any]]:
        return await rows(url, query, door.fall["id"])

    assert [each["username"] for each in await eventually(paged, "whoever asked is paged")] == [door.who]
    assert await rows(url, "SELECT 1 FROM alert WHERE condition = 'command_unconfirmed' AND track = 'technical'")
