"""Somebody at a locked door asks the lock: once, while it is wanted, and never without word of how it went."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from devices.model import MessageClass
from gateway.api import schemas
from gateway.embedded import Broker
from gateway.errors import Conflict
from tests.support.town import Device, Home
from tests.support.world import World, world


async def fallen(town: World) -> tuple[Home, Device, UUID]:
    """Somebody has fallen behind a locked door, and Kari has it."""
    home = await town.home()
    lock = await town.fits(home, "e_lock")
    await town.says(lock, "locked", at=town.now - timedelta(hours=7), method="auto")
    await town.says(home.fall_alarm, "fall")
    alert = (await town.alert("fall"))["uid"]
    await town.answers("Kari", alert, "claim")
    assert await town.news() == ["Kari"]
    return home, lock, alert


async def shown(town: World, name: str, alert: UUID) -> schemas.LockView:
    detail = await town.gateway.front.alert_detail(await town.who(name), alert)
    assert len(detail.locks) == 1
    return detail.locks[0]


async def told(town: World, alert: UUID) -> list[str]:
    return [code for code in await town.timeline(alert) if code.startswith("command_") or code == "requester_paged"]


async def reports(town: World, lock: Device, type_: str, **said: Any) -> None:
    await town.says(lock, type_, message_class=MessageClass.RESULT, **said)


async def test_asked_sent_done(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        before = await shown(town, "Kari", alert)
        assert [(each.part, each.type) for each in before.parts] == [("bolt", "locked")]
        assert before.parts[0].occurred_at == town.now - timedelta(hours=7)
        assert [each.command for each in before.commands] == ["unlock", "unlatch", "lock"]

        asked = await town.asks("Kari", alert, lock, "unlock", valid_seconds=45)
        (sent,) = await town.commanded(lock)
        assert (sent["id"], sent["type"], sent["expires_in"]) == (str(asked.id), "unlock", 45)
        assert sent["valid_until"] == (town.now + timedelta(seconds=45)).isoformat()
        waiting = await shown(town, "Kari", alert)
        assert (waiting.given[0].state, waiting.commands) == ("sent", []), "one thing at a time"

        await town.passes(seconds=3)
        await reports(town, lock, "unlocked", method="remote", command=str(asked.id))
        done = await shown(town, "Kari", alert)
        assert (done.given[0].state, done.given[0].outcome) == ("done", "unlocked")
        assert done.parts[0].type == "unlocked"
        assert len(done.commands) == 3
        assert await told(town, alert) == ["command_requested", "command_sent", "command_done"]

        await town.passes(minutes=2)
        assert await town.commanded(lock) == []
        assert await town.news() == [], "what is done calls nobody"
        assert await town.alerts(track="technical") == []
        audited = await town.rows("SELECT action, actor_id FROM audit WHERE object = 'command' ORDER BY id")
        assert [(each["action"], each["actor_id"]) for each in audited] == [
            ("command.requested", town.staff["Kari"]), ("command.sent", None), ("command.done", None),
        ]  # fmt: skip


async def test_a_lock_that_says_nothing_is_told_of(migrated_url: str, broker: Broker) -> None:
    """On the timeline, to technical services, and to Kari at the door – and to nobody else."""
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        await town.asks("Kari", alert, lock, "unlatch")
        assert len(await town.commanded(lock)) == 1
        before = (await town.alert("fall"))["due_at"]
        await town.passes(seconds=69)
        assert await town.news() == []
        await town.passes(seconds=1)
        assert await town.news() == ["Kari", "Tek"]
        assert await told(town, alert) == [
            "command_requested", "command_sent", "command_unanswered", "requester_paged",
        ]  # fmt: skip
        technical = await town.alert("command_unconfirmed", track="technical")
        assert (technical["device_id"], technical["severity"]) == (lock.id, 30)
        after = await town.alert("fall")
        assert (after["due_at"], after["stage"]) == (before, "claimed"), "the ladder is as it was"
        assert (await shown(town, "Kari", alert)).given[0].outcome == "no_answer"
        assert await town.commanded(lock) == []
        about = await town.rows("SELECT DISTINCT about FROM page WHERE about IS NOT NULL")
        assert [each["about"] for each in about] == ["command_unanswered"]

        # It did it after all: that is told, and changes no answer. Doing the next thing clears what technical services have.
        (given,) = await town.rows("SELECT uid FROM command")
        await reports(town, lock, "unlatched", command=str(given["uid"]))
        assert (await told(town, alert))[-1] == "command_done_late"
        assert (await town.alert("command_unconfirmed", track="technical"))["stage"] == "closed"
        assert (await shown(town, "Kari", alert)).given[0].state == "expired"


async def test_a_page_about_a_silent_lock_says_so(migrated_url: str, broker: Broker, smtp: Any) -> None:
    async with world(migrated_url, broker, smtp) as town:
        await town.contact("Kari", "email", "kari@kommune.example")
        _, lock, alert = await fallen_by_mail(town)
        smtp.messages.clear()
        await town.asks("Kari", alert, lock, "unlock")
        await town.passes(seconds=70)
        (message,) = smtp.messages
        assert "Låsen svarte ikke: bruk nøkkelen." in str(message["Subject"])


async def fallen_by_mail(town: World) -> tuple[Home, Device, UUID]:
    home = await town.home()
    lock = await town.fits(home, "e_lock")
    await town.says(home.fall_alarm, "fall")
    alert = (await town.alert("fall"))["uid"]
    await town.answers("Kari", alert, "claim")
    return home, lock, alert


async def test_a_stuck_bolt_fails_at_once(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        await town.asks("Kari", alert, lock, "unlock")
        await town.passes(seconds=2)
        await town.says(lock, "motor_blocked")
        assert await told(town, alert) == ["command_requested", "command_sent", "command_failed", "requester_paged"]
        assert "Kari" in await town.news()
        given = (await shown(town, "Kari", alert)).given[0]
        assert (given.state, given.outcome) == ("failed", "motor_blocked")
        await town.asks("Kari", alert, lock, "unlock")  # and may be asked again at once
        assert len(await town.commanded(lock)) == 2


@pytest.mark.parametrize(
    "said",
    [
        {"at": timedelta(minutes=-1)},
        {"command": str(uuid4())},
        {"at": timedelta(hours=1)},
        {"at": timedelta(days=-9000)},
    ],
    ids=["buffered", "another command's", "a clock that is ahead", "a clock that was never set"],
)
async def test_what_proves_nothing_confirms_nothing(migrated_url: str, broker: Broker, said: dict[str, Any]) -> None:
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        await town.asks("Kari", alert, lock, "unlock")
        if "at" in said:
            said = {**said, "at": town.now + said["at"]}
        await reports(town, lock, "unlocked", method="key", **said)
        assert (await shown(town, "Kari", alert)).given[0].state == "sent"
        await town.passes(seconds=70)
        assert "Kari" in await town.news()


async def test_a_lock_with_a_slow_clock_names_the_command(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        asked = await town.asks("Kari", alert, lock, "unlock")
        await reports(town, lock, "unlocked", at=town.now - timedelta(minutes=20), command=str(asked.id))
        assert (await shown(town, "Kari", alert)).given[0].state == "done"


async def test_a_lock_that_names_nothing_is_believed_for_what_it_does_afterwards(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        await town.asks("Kari", alert, lock, "unlock")
        await town.passes(seconds=5)
        await reports(town, lock, "locked")
        assert (await shown(town, "Kari", alert)).given[0].state == "sent", "that is something else"
        await reports(town, lock, "unlocked", at=town.now - timedelta(seconds=6))
        assert (await shown(town, "Kari", alert)).given[0].state == "done"


# Who may, and when ----------------------------------------------------------------------------------------------------


async def test_only_responders_of_the_alert_who_are_on_duty(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        lock = await town.fits(home, "e_lock")
        await town.says(home.fall_alarm, "fall")
        alert = (await town.alert("fall"))["uid"]
        assert await town.may_not_ask("Ola", alert, lock, "unlock") == "not_called", "nobody has called him yet"
        assert (await shown(town, "Ola", alert)).commands == []
        assert await town.may_not_ask("Tek", alert, lock, "unlock") == "alert"
        await town.passes(minutes=3)  # Ola is called, and Siri, who leads
        await town.off_duty("Ola")
        assert await town.may_not_ask("Ola", alert, lock, "unlock") == "not_on_duty"
        assert [each.command for each in (await shown(town, "Siri", alert)).commands] == ["unlock", "unlatch", "lock"]
        await town.asks("Siri", alert, lock, "unlock")
        await town.answers("Ola", alert, "claim")
        assert await town.may_not_ask("Ola", alert, lock, "unlatch") == "busy", "he may: he has it"
        assert len(await town.commanded(lock)) == 1


async def test_what_cannot_be_asked(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home, lock, alert = await fallen(town)
        other = await town.fits(await town.home(), "e_lock")
        assert await town.may_not_ask("Kari", alert, other, "unlock") == "device", "somebody else's door"
        assert await town.may_not_ask("Kari", alert, home.fall_alarm, "unlock") == "command"
        assert await town.may_not_ask("Kari", alert, lock, "explode") == "command"
        await town.rows("UPDATE installation SET during = tstzrange(lower(during), %s) WHERE device_id = %s",
                        town.now, lock.id)  # fmt: skip
        assert await town.may_not_ask("Kari", alert, lock, "unlock") == "device", "it is not fitted there any more"
        assert await town.rows("SELECT 1 FROM command") == []


async def test_a_closed_alert_opens_no_door(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        await town.asks("Kari", alert, lock, "lock", reason="secure")
        await town.answers("Kari", alert, "close", cause="real", action="visited")
        assert await town.may_not_ask("Kari", alert, lock, "unlock") == "closing"
        await town.passes(seconds=5)
        assert await town.may_not_ask("Kari", alert, lock, "unlock") == "closed"
        await town.passes(seconds=70)  # what was asked before ends all the same; technical services hear of it
        assert await town.news() == ["Tek"]
        assert (await told(town, alert))[-1] == "command_unanswered"


async def test_what_waits_for_a_connection_is_not_sent_once_the_alert_is_closed(
    migrated_url: str, own_broker: Broker
) -> None:
    async with world(migrated_url, own_broker) as town:
        _, lock, alert = await fallen(town)
        await town.broker_stops()
        await town.asks("Kari", alert, lock, "unlock", valid_seconds=300)
        await town.done("Kari", alert)
        await town.broker_starts()
        await town.settle()
        assert await town.commanded(lock) == []
        assert (await told(town, alert))[-1] == "command_withdrawn"


async def test_a_door_opens_for_nobody_who_has_let_the_alert_go_meanwhile(
    migrated_url: str, own_broker: Broker
) -> None:
    async with world(migrated_url, own_broker) as town:
        _, lock, alert = await fallen(town)
        await town.broker_stops()
        await town.asks("Kari", alert, lock, "unlock", valid_seconds=300)
        await town.answers("Kari", alert, "release")
        await town.off_duty("Kari")
        await town.broker_starts()
        await town.settle()
        assert await town.commanded(lock) == []
        assert "command_not_allowed" in await town.timeline(alert)


async def test_a_closed_alert_shows_no_door(migrated_url: str, broker: Broker) -> None:
    """What happens at somebody's door afterwards is nobody's business."""
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        assert (await shown(town, "Kari", alert)).device is not None
        await town.done("Kari", alert)
        await town.says(lock, "door_opened")
        assert (await town.gateway.front.alert_detail(await town.who("Kari"), alert)).locks == []


async def test_what_cannot_be_sent_in_time_never_is(migrated_url: str, own_broker: Broker) -> None:
    async with world(migrated_url, own_broker) as town:
        _, lock, alert = await fallen(town)
        await town.broker_stops()
        await town.asks("Kari", alert, lock, "unlock", valid_seconds=30)
        await town.passes(seconds=30)
        assert "Kari" in await town.news()
        assert (await told(town, alert))[-2:] == ["command_not_sent", "requester_paged"]
        await town.broker_starts()
        await town.passes(seconds=1)
        assert await town.commanded(lock) == []


async def test_the_same_request_twice_is_one_command(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        key = str(uuid4())
        both = await asyncio.gather(
            *(town.asks("Kari", alert, lock, "unlock", key=key, settle=False) for _ in range(2))
        )
        again = await town.asks("Kari", alert, lock, "unlock", key=key)
        assert both[0] == both[1] == again
        assert len(await town.commanded(lock)) == 1
        with pytest.raises(Conflict):
            await town.asks("Kari", alert, lock, "lock", key=key)


async def test_two_who_ask_at_once(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        await town.answers("Kari", alert, "need_help")

        async def tries(name: str) -> str:
            try:
                return (await town.asks(name, alert, lock, "unlock", settle=False)).state
            except Conflict as refused:
                return refused.reason

        found = await asyncio.gather(tries("Kari"), tries("Ola"))
        assert sorted(found) == ["busy", "requested"]
        await town.settle()
        assert len(await town.commanded(lock)) == 1


async def test_a_late_word_about_the_bolt_changes_nothing_newer(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        await town.says(lock, "unlocked", method="key", at=town.now - timedelta(minutes=5))
        await town.says(lock, "door_opened", at=town.now - timedelta(minutes=4))
        await town.says(lock, "locked", at=town.now - timedelta(minutes=50))
        assert [(each.part, each.type) for each in (await shown(town, "Kari", alert)).parts] == [
            ("bolt", "unlocked"), ("door", "door_opened"),
        ]  # fmt: skip


async def test_a_command_is_never_marked_as_sent_again(migrated_url: str, broker: Broker) -> None:
    """Whatever a program believes: the table itself refuses."""
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        await town.asks("Kari", alert, lock, "unlock")
        for change in (
            "state = 'requested', sent_at = NULL",
            "sent_at = sent_at + interval '1 second'",
            "valid_until = sent_at",
            "due_at = NULL",
        ):
            with pytest.raises(Exception, match=r"sent|check"):
                await town.rows(f"UPDATE command SET {change}")


async def test_a_bug_over_a_command_costs_no_observation(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        _, lock, alert = await fallen(town)
        await town.asks("Kari", alert, lock, "unlock")
        await town.rows("ALTER TABLE command ADD CONSTRAINT bug CHECK (state <> 'done')")
        with capture_logs() as logs:
            await reports(town, lock, "unlocked")
        assert "commands.failed_to_hear" in [each["event"] for each in logs]
        assert [each["type"] for each in await town.observed(lock)] == ["locked", "unlocked"]
        assert (await shown(town, "Kari", alert)).given[0].state == "sent"
        await town.passes(seconds=70)
        assert "Kari" in await town.news(), "and it is told of all the same"
