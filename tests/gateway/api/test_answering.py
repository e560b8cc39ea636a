"""Answers over the API: each of them end to end, taken once, refused with a reason, and kept with its time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from gateway.embedded import Broker
from tests.gateway.served import Served, problem, served

DONE = {"cause": "real", "action": "visited"}
PAUSED: dict[str, Any] = {"reason": "visit_soon", "minutes": 5}
MORE: dict[str, dict[str, Any]] = {"close": DONE, "pause": PAUSED}


async def taken(it: Served, name: str, alert: Any, answer: str, **more: Any) -> tuple[str, str | None]:
    """The stage and the holder that it led to."""
    reply = await it.answer(name, alert, answer, **more)
    assert reply.status_code == 200, reply.text
    told = reply.json()
    detail = await it.detail("Vakt", alert)
    assert (told["stage"], told["version"], told["due_at"]) == (detail["stage"], detail["version"], detail["due_at"])
    assert told["holder"] == detail["holder"]
    return told["stage"], told["holder"]["name"] if told["holder"] else None


async def test_take_on_the_way_arrived_done(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        assert "claim" in (await it.detail("Kari", fall))["answers"]
        assert await taken(it, "Kari", fall, "claim") == ("claimed", "Kari")
        assert await taken(it, "Kari", fall, "on_way") == ("on_way", "Kari")
        assert await taken(it, "Kari", fall, "arrived") == ("arrived", "Kari")
        assert await taken(it, "Kari", fall, "close", **DONE) == ("closing", "Kari")
        assert await taken(it, "Kari", fall, "undo_close") == ("arrived", "Kari")
        assert await taken(it, "Kari", fall, "close", **DONE) == ("closing", "Kari")
        await it.town.passes(seconds=5)
        closed = await it.detail("Kari", fall)
        assert (closed["stage"], closed["due_at"], closed["answers"]) == ("closed", None, [])
        codes = [each["code"] for each in closed["timeline"] if each["actor"]]
        assert codes == ["claimed", "on_way", "arrived", "closing", "closing_undone", "closing"]
        problem(await it.answer("Kari", fall, "claim"), 409, "closed")


async def test_help_release_take_over_and_hand_over(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        await taken(it, "Kari", fall, "claim")
        problem(await it.answer("Ola", fall, "claim"), 409, "held_by_other")
        problem(await it.answer("Ola", fall, "on_way"), 409)
        assert await taken(it, "Ola", fall, "take_over") == ("claimed", "Ola")
        assert (await taken(it, "Ola", fall, "need_help"))[1] == "Ola"
        colleagues = {each["name"]: each["id"] for each in (await it.detail("Ola", fall))["colleagues"]}
        await taken(it, "Ola", fall, "hand_over", to=colleagues["Kari"])
        offered = await it.detail("Ola", fall)
        assert offered["offered_to"]["name"] == "Kari"
        assert await taken(it, "Kari", fall, "claim") == ("claimed", "Kari")
        assert await taken(it, "Kari", fall, "release") == ("open", None)
        problem(await it.answer("Kari", fall, "undo_close"), 409, "not_closing")


async def test_what_is_offered_as_an_answer_is_taken(migrated_url: str, broker: Broker) -> None:
    """Each answer that the detail lists, tried on an alert of its own; and none that it leaves out."""
    async with served(migrated_url, broker) as it:
        ola = await it.uid("Ola")
        for severity, before in (
            (40, ()),
            (30, ("claim",)),
            (30, ("claim", "pause")),
            (40, ("claim", "on_way", "arrived")),
            (30, ("claim", "close")),
        ):
            possible = None
            for answer in (
                "claim",
                "take_over",
                "on_way",
                "arrived",
                "close",
                "undo_close",
                "hand_over",
                "decline",
                "pause",
                "resume",
                "release",
                "need_help",
            ):
                fall = await it.fall()
                await it.town.rows("UPDATE alert SET severity = 30 WHERE uid = %s AND %s", fall, severity < 40)
                for each in before:
                    await it.answer("Kari", fall, each, **MORE.get(each, {}))
                detail = await it.detail("Kari", fall)
                assert possible in (None, detail["answers"])
                possible = detail["answers"]
                more = {"to": ola} if answer == "hand_over" else MORE.get(answer, {})
                reply = await it.answer("Kari", fall, answer, **more)
                if answer in possible:
                    assert reply.status_code == 200, (before, answer, reply.text)
                elif answer in ("decline", "pause", "resume"):
                    assert reply.status_code == 409, (before, answer, reply.text)
            assert ("pause" in (possible or ())) == (severity < 40 and before == ("claim",))
            assert ("resume" in (possible or ())) == ("pause" in before)


async def test_an_offer_is_declined_with_a_word_that_is_nowhere_else(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        await it.answer("Kari", fall, "claim")
        await it.answer("Kari", fall, "hand_over", to=await it.uid("Ola"))
        assert "decline" in (await it.detail("Ola", fall))["answers"]
        assert "decline" not in (await it.detail("Kari", fall))["answers"]
        assert await taken(it, "Ola", fall, "decline", note="Er hos Solveig") == ("claimed", "Kari")
        (declined,) = [each for each in (await it.detail("Kari", fall))["timeline"] if each["code"] == "declined"]
        assert (declined["note"], declined["actor"]["name"]) == ("Er hos Solveig", "Ola")
        assert "claim" in (await it.detail("Kari", fall))["answers"], "that they have it still"
        problem(await it.answer("Ola", fall, "decline"), 409, "not_offered")
        for table in ("audit", "alert_entry", "answer"):
            rows = await it.town.rows(f"SELECT t::text AS told FROM {table} t")
            assert not any("Solveig" in each["told"] for each in rows), table


async def test_of_the_same_again_everybody_sees_what_is_theirs(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        first, second = await it.fall(), await it.fall("Øy")
        await it.town.rows(
            "UPDATE alert SET follows_id = (SELECT id FROM alert WHERE uid = %s) WHERE uid = %s", first, second
        )
        (ada, liv) = (await it.detail("Ada", second), await it.detail("Liv", second))
        assert (ada["follows"]["id"], liv["follows"]) == (str(first), None)
        assert (await it.detail("Ada", first))["followed_by"]["id"] == str(second)
        assert (await it.detail("Kari", first))["followed_by"] is None


async def test_an_alert_is_handed_to_colleagues_only(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        await it.answer("Kari", fall, "claim")
        names = {each["name"] for each in (await it.detail("Kari", fall))["colleagues"]}
        assert names == {"Ola", "Siri", "Vakt", "Ada"}, "those of the zone and above who care; not Tek, Liv or Per"
        for name in ("Liv", "Tek", "Per"):
            problem(await it.answer("Kari", fall, "hand_over", to=await it.uid(name)), 422, "to")
        problem(await it.answer("Kari", fall, "hand_over", to="00000000-0000-0000-0000-000000000000"), 422, "to")
        problem(await it.answer("Kari", fall, "hand_over"), 422, "to")
        problem(await it.get("Liv", f"/alerts/{fall}"), 404)
        assert await it.town.rows("SELECT 1 FROM alert WHERE offered_to_id IS NOT NULL") == []


# Once -----------------------------------------------------------------------------------------------------------------


async def test_the_same_answer_twice_is_one(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall, other = await it.fall(), await it.fall()
        version = (await it.detail("Kari", fall))["version"]
        first = await it.answer("Kari", fall, "claim", key="k", version=version)
        await it.answer("Kari", fall, "release")
        again = await it.answer("Kari", fall, "claim", key="k", version=version)
        assert (again.status_code, again.content) == (200, first.content)
        assert (await it.detail("Kari", fall))["stage"] == "open", "it was not taken a second time"
        problem(await it.answer("Kari", fall, "on_way", key="k", version=version), 409, "key_reused")
        problem(await it.answer("Kari", fall, "claim", key="k"), 409, "key_reused")
        problem(await it.answer("Kari", other, "claim", key="k", version=version), 409, "key_reused")
        assert (await it.answer("Ola", other, "claim", key="k")).status_code == 200, "another person's keys are theirs"


async def test_the_same_answer_at_the_same_time_is_one(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        for with_version in (False, True):
            fall = await it.fall()
            seen = (await it.detail("Kari", fall))["version"]
            more = {"version": seen} if with_version else {}
            key = f"key of {fall}"
            replies = await asyncio.gather(*(it.answer("Kari", fall, "claim", key=key, **more) for _ in range(8)))
            assert {(each.status_code, each.content) for each in replies} == {(200, replies[0].content)}
            codes = [each["code"] for each in (await it.detail("Kari", fall))["timeline"]]
            assert codes.count("claimed") == 1


async def test_many_take_it_at_the_same_time_and_one_has_it(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        names = ["Kari", "Ola", "Siri", "Vakt", "Ada"]
        for name in names:
            await it.bearer(name)
        replies = await asyncio.gather(*(it.answer(name, fall, "claim") for name in names))
        assert sorted(each.status_code for each in replies) == [200, 409, 409, 409, 409]


async def test_an_answer_to_what_has_changed_since_is_stale(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        seen = (await it.detail("Kari", fall))["version"]
        await it.town.passes(minutes=3)
        assert (await it.detail("Kari", fall))["version"] == seen, "the ladder alone makes nothing stale"
        await it.answer("Kari", fall, "claim", version=seen)
        problem(await it.answer("Ola", fall, "take_over", version=seen), 409, "stale")
        problem(await it.answer("Ola", fall, "take_over", version=10**30), 409, "stale")
        assert (await it.answer("Ola", fall, "take_over")).status_code == 200


# When -----------------------------------------------------------------------------------------------------------------


async def test_when_an_answer_was_given_is_kept(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall, now = await it.fall(), it.town.now
        given = now - timedelta(minutes=7)
        await it.answer("Kari", fall, "claim", given_at=given.astimezone().isoformat())
        entry = next(each for each in (await it.detail("Kari", fall))["timeline"] if each["code"] == "claimed")
        assert entry["at"] == now.isoformat().replace("+00:00", "Z")
        assert entry["given_at"] == given.isoformat().replace("+00:00", "Z")
        # A phone whose clock is ahead: taken, and our own time is what counts.
        await it.answer("Kari", fall, "on_way", given_at=(now + timedelta(hours=3)).isoformat())
        entry = next(each for each in (await it.detail("Kari", fall))["timeline"] if each["code"] == "on_way")
        assert entry["given_at"] is None


async def test_an_answer_from_long_ago_is_not_taken(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall, now = await it.fall(), it.town.now
        old = (now - timedelta(days=1, seconds=1)).isoformat()
        problem(await it.answer("Kari", fall, "claim", given_at=old), 422, "given_at")
        nonsenses: list[Any] = ["2026-03-03T11:00:00", "yesterday", "0001-01-01T00:00:00+14:00", -1e300, 1e300, [], {}]
        for nonsense in nonsenses:
            problem(await it.answer("Kari", fall, "claim", given_at=nonsense), 422)
        assert (await it.detail("Kari", fall))["stage"] == "open"
        far = await it.answer("Kari", fall, "claim", given_at="9999-12-31T23:59:59-14:00")
        assert far.status_code in (200, 422)
