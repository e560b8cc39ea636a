"""Signing in and out: by token, by cookie, wrongly, too often, and without a role."""

from __future__ import annotations

from gateway.access import SESSION_COOKIE
from gateway.api.access import CSRF_HEADER
from gateway.embedded import Broker
from gateway.front.signing import MOST_FAILURES
from tests.gateway.served import API, problem, served
from tests.support.town import PASSWORD


async def test_in_and_out_with_a_token(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        reply = await it.sign_in("KARI")
        assert reply.status_code == 201
        assert reply.json()["person"] == {"id": await it.uid("Kari"), "name": "Kari"}
        assert set(reply.json()) == {"id", "token", "expires_at", "person"}
        header = {"Authorization": f"Bearer {reply.json()['token']}"}
        me = (await it.http.get(f"{API}/me", headers=header)).json()
        assert (me["name"], me["roles"], me["zones"], me["language"]) == ("Kari", ["responder"], ["Sone"], "nb")
        assert (await it.http.put(f"{API}/me/language", json={"language": "nn"}, headers=header)).status_code == 204
        assert (await it.http.get(f"{API}/me", headers=header)).json()["language"] == "nn"
        assert (await it.http.delete(f"{API}/sessions/current", headers=header)).status_code == 204
        problem(await it.http.get(f"{API}/me", headers=header), 401, "session")


async def test_a_wrong_password_and_an_unknown_user_are_told_the_same(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        await it.town.rows("UPDATE person SET active = false WHERE name = 'Ola'")
        await it.town.rows("UPDATE person SET password_hash = NULL WHERE name = 'Tek'")
        await it.town.rows("UPDATE person SET password_hash = 'no hash at all' WHERE name = 'Vakt'")
        wrong = await it.sign_in("kari", "wrong")
        problem(wrong, 401, "credentials")
        for name in ("nobody", "kari\x00", "'; --", "ola", "tek", "vakt", "x" * 200):
            other = await it.sign_in(name)
            assert (other.status_code, other.content) == (wrong.status_code, wrong.content), name


async def test_guessing_has_to_wait_also_with_the_right_password(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        for _ in range(MOST_FAILURES):
            problem(await it.sign_in("kari", "wrong"), 401)
        problem(await it.sign_in("Kari"), 429, "sign_in")
        assert (await it.sign_in("ola")).status_code == 201
        await it.town.rows("UPDATE sign_in_failure SET at = at - interval '15 minutes'")
        assert (await it.sign_in("kari")).status_code == 201


async def test_a_cookie_needs_the_sessions_own_token_to_change_anything(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        begun = await it.town.gateway.front.sign_in("kari", PASSWORD, "")
        other = await it.town.gateway.front.sign_in("kari", PASSWORD, "")
        path, nynorsk = f"{API}/me/language", {"language": "nn"}
        it.http.cookies.set(SESSION_COOKIE, begun.token)
        assert (await it.http.get(f"{API}/me")).status_code == 200, "reading changes nothing"
        problem(await it.http.put(path, json=nynorsk), 403, "csrf")
        for wrong in ("x", other.csrf_token, "\xe6"):
            header = [(CSRF_HEADER.encode(), wrong.encode("latin-1"))]
            reply = await it.http.put(path, json=nynorsk, headers=header)
            problem(reply, 403, "csrf")
        problem(await it.http.delete(f"{API}/sessions/current"), 403, "csrf")
        assert (await it.http.put(path, json=nynorsk, headers={CSRF_HEADER: begun.csrf_token})).status_code == 204
        assert (await it.http.put(path, json=nynorsk, headers=await it.bearer("Ola"))).status_code == 204


async def test_tokens_that_are_none(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        good = (await it.bearer("Kari"))["Authorization"].removeprefix("Bearer ")
        for value in (
            "",
            "Bearer",
            "Bearer ",
            "Basic a2FyaTp4",
            f"Basic {good}",
            good,
            f"Bearer {good}x",
            "Bearer \xff",
        ):
            reply = await it.http.get(f"{API}/me", headers=[(b"Authorization", value.encode("latin-1"))])
            problem(reply, 401, "session")
        assert (await it.http.get(f"{API}/me", headers={"Authorization": f"bearer {good}"})).status_code == 200


async def test_whose_assignment_ended_sees_nothing_and_can_sign_out(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        await it.town.rows("UPDATE page SET person_id = %s", it.town.staff["Per"])  # was paged before it ended
        for path in ("/me", "/alerts", f"/alerts/{fall}", "/sites", "/quarantine", "/changes"):
            problem(await it.get("Per", path), 403, "role")
        problem(await it.answer("Per", fall, "claim"), 403, "role")
        for page in ("/alerts", f"/alerts/{fall}"):
            reply = await it.http.get(page, headers={"Cookie": f"{SESSION_COOKIE}={it.tokens['Per']}"})
            assert reply.status_code == 403
            assert "Beboer" not in reply.text
        reply = await it.http.delete(f"{API}/sessions/current", headers=await it.bearer("Per"))
        assert reply.status_code == 204
        problem(await it.get("Per", "/me"), 401)


async def test_a_role_counts_from_and_to_its_times(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        assert (await it.get("Ola", f"/alerts/{fall}")).status_code == 200
        await it.town.rows(
            "UPDATE assignment SET during = tstzrange(lower(during), %s) WHERE person_id = %s",
            it.town.now,
            it.town.staff["Ola"],
        )
        problem(await it.get("Ola", f"/alerts/{fall}"), 403, "role")
