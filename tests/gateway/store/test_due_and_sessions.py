"""What falls due next, what is forgotten, and how long a session lasts."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.retention import Rest
from gateway.store import retention, sessions, watches
from gateway.store.alerts import lock_due
from gateway.store.sessions import NewSession
from tests.gateway.place import NOW, Place, place

MINUTE = timedelta(minutes=1)


async def watch(town: Place, key: str, since: datetime, due_at: datetime | None) -> None:
    await town.rows(
        """INSERT INTO watch (key, rule_id, site_id, zone_id, since, due_at, state, facts)
           SELECT %s, r.id, s.id, s.zone_id, %s, %s, CASE WHEN %s THEN 'met' ELSE 'waiting' END, '{}'
           FROM rule r, site s LIMIT 1""",
        key,
        since,
        due_at,
        due_at is None,
    )


async def test_the_next_thing_due_is_the_earliest_of_all_kinds(migrated_url: str) -> None:
    async with place(migrated_url) as town:

        async def next_after(at: datetime) -> datetime | None:
            return await town.run(lambda each: watches.next_due(each, at))

        assert await next_after(NOW) is None
        await watch(town, "later", NOW, NOW + 9 * MINUTE)
        assert await next_after(NOW) == NOW + 9 * MINUTE
        await town.raise_(town.raising(town.homes[0]))
        assert await next_after(NOW) == NOW + MINUTE, "the alert's first step"
        assert await next_after(NOW - MINUTE) == NOW, "its page"
        assert await next_after(NOW + MINUTE) == NOW + 9 * MINUTE
        assert await next_after(NOW + 9 * MINUTE) is None


async def test_settled_watches_are_forgotten_and_open_ones_never(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        old = NOW - timedelta(days=60)
        await watch(town, "settled long ago", old, None)
        await watch(town, "settled", NOW, None)
        await watch(town, "still open", old, NOW + MINUTE)
        assert await town.run(lambda each: retention.delete(each, Rest("watch", 35, NOW - timedelta(days=35)))) == 1
        left = await town.rows("SELECT key FROM watch ORDER BY key")
        assert [each["key"] for each in left] == ["settled", "still open"]


async def test_due_alerts_come_severest_first_and_leave_out_what_another_has(migrated_url: str) -> None:
    async with place(migrated_url, homes=3) as town:
        for home, severity in zip(town.homes, (30, 40, 20), strict=True):
            await town.raise_(town.raising(home, severity=severity))
        later = NOW + timedelta(hours=1)
        async with town.database.connection() as first:
            mine = await lock_due(first, later, 2)
            others = await town.run(lambda each: lock_due(each, later, 10))
            assert [int(each.alert.severity) for each in (*mine, *others)] == [40, 30, 20]
        assert await town.run(lambda each: lock_due(each, NOW, 10)) == []


# Sessions, in the database's clock ------------------------------------------------------------------------------------


async def begin(town: Place) -> NewSession:
    return await town.run(lambda each: sessions.begin(each, town.staff["Nina"], "a phone\x00 " + "x" * 999))


async def found(town: Place, token: str) -> bool:
    return await town.run(lambda each: sessions.find(each, token)) is not None


async def test_a_session_lasts_for_a_long_shift(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        begun = await begin(town)
        assert await found(town, begun.token)
        assert not await found(town, begun.token + "x")
        (row,) = await town.rows("SELECT expires_at - created_at AS life, user_agent, token_hash FROM session")
        assert row["life"] == sessions.LIFETIME
        assert len(row["user_agent"]) <= 200
        assert begun.token.encode() not in bytes(row["token_hash"])
        await town.rows("UPDATE session SET expires_at = now()")
        assert not await found(town, begun.token)


async def test_a_session_ends_with_sign_out_and_with_the_account(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        one, two = await begin(town), await begin(town)
        session = await town.run(lambda each: sessions.find(each, one.token))
        assert session is not None
        assert await town.run(lambda each: sessions.in_force(each, session.id))
        await town.run(lambda each: sessions.end(each, session.id))
        assert not await town.run(lambda each: sessions.in_force(each, session.id))
        assert (await found(town, one.token), await found(town, two.token)) == (False, True)
        other = await town.run(lambda each: sessions.find(each, two.token))
        assert other is not None
        await town.rows("UPDATE person SET active = false WHERE name = 'Nina'")
        assert not await found(town, two.token)
        assert not await town.run(lambda each: sessions.in_force(each, other.id)), "an open stream ends, too"


async def test_expired_sessions_are_forgotten(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await begin(town)
        await town.rows("UPDATE session SET expires_at = now()")
        kept = await begin(town)
        assert await town.run(lambda each: retention.delete(each, Rest("session", 0))) == 1
        assert await found(town, kept.token)


async def test_guesses_are_counted_for_a_quarter_of_an_hour_whatever_the_case(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        for name in ("nina", "NINA", "Nina", "sverre"):
            await town.run(lambda each, name=name: sessions.note_failure(each, name))  # type: ignore[misc]
        assert await town.run(lambda each: sessions.recent_failures(each, "niNA")) == 3
        await town.rows("UPDATE sign_in_failure SET at = at - interval '15 minutes' WHERE username = 'nina'")
        assert await town.run(lambda each: sessions.recent_failures(each, "nina")) == 0
        await town.rows("UPDATE sign_in_failure SET at = at - interval '1 day'")
        await town.run(lambda each: sessions.note_failure(each, "nina"))
        assert len(await town.rows("SELECT * FROM sign_in_failure")) == 1
