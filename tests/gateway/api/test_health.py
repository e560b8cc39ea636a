"""Health as those see it who watch over the gateway: how it is, whether it lives, whether it can serve."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gateway.app import Gateway
from gateway.embedded import Broker
from gateway.health import BEHIND, LATE, SiteHealth, State, judge
from gateway.metrics import METRICS
from tests.gateway.place import NOW
from tests.gateway.served import Served, served
from tests.support.databases import Server

COUNTS = {"open": 0, "exhausted": 0, "exhausted_technical": 0, "unsent": 0, "broken_contacts": 0}
FINE: dict[str, Any] = {
    **COUNTS,
    "oldest_overdue": None,
    "oldest_watch": None,
    "oldest_page": None,
    "oldest_silence": None,
    "oldest_roster_look": None,
    "unreadable_rules": 0,
    "broker": [],
    "database": [],
    "newer": [],
    "unreached": [],
    "outdated": [],
}


def reasons(**changed: Any) -> tuple[State, list[str]]:
    given = {"failing": {}, "standing": FINE, "sites": [], **changed}
    found = judge(NOW, given["failing"], given["standing"], given["sites"], NOW)
    return found.state, [each.reason for each in found.findings]


def test_what_health_is_made_of() -> None:
    deaf = [SiteHealth(name="a", heard_until=NOW, deaf=True), SiteHealth(name="b", heard_until=None, deaf=False)]
    assert reasons() == (State.OK, [])
    assert reasons(standing=None) == (State.RED, ["database"])
    assert reasons(failing={"dispatcher": "gone"}) == (State.RED, ["loop"])
    assert reasons(failing={"live": "gone"}, standing=None) == (State.RED, ["database", "loop"])
    assert reasons(sites=deaf) == (State.RED, ["deaf"])
    assert reasons(standing={**FINE, "exhausted": 1}) == (State.RED, ["unanswered"])
    assert reasons(standing={**FINE, "exhausted_technical": 1}) == (State.DEGRADED, ["unanswered_technical"])
    assert reasons(standing={**FINE, "broken_contacts": 1}) == (State.DEGRADED, ["broken_contacts"])
    assert reasons(standing={**FINE, "broker": ["it drops"]}) == (State.DEGRADED, ["broker"])
    assert reasons(standing={**FINE, "database": ["fsync is off"]}) == (State.DEGRADED, ["durability"])
    assert reasons(standing={**FINE, "unreached": ["Nord"]}) == (State.RED, ["reach"])
    newer = {**FINE, "newer": ["0099_more.sql"]}
    assert reasons(standing=newer) == (State.DEGRADED, ["outdated"])
    assert reasons(standing={**newer, "outdated": ["0099_more.sql"]}) == (State.RED, ["outdated"])
    for owed in BEHIND.values():
        assert reasons(standing={**FINE, owed: NOW - LATE}) == (State.OK, [])
        assert reasons(standing={**FINE, owed: NOW - LATE - timedelta(seconds=1)}) == (State.RED, ["behind"])


async def health(it: Served) -> tuple[int, str, list[str]]:
    reply = await it.http.get("/health")
    told = reply.json()
    return reply.status_code, told["state"], [each["reason"] for each in told["findings"]]


async def test_ok_red_while_nobody_answers_and_ok_again(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        assert await health(it) == (200, "ok", [])
        fall = await it.fall()
        assert (await health(it))[1] == "ok", "somebody is being called, which is what we are for"
        await it.town.passes(minutes=30)
        assert await health(it) == (503, "red", ["unanswered"])
        told = (await it.http.get("/health")).json()
        assert (told["open_alerts"], told["unanswered_alerts"], told["unsent_pages"]) == (1, 1, 0)
        assert told["last_message_age"] == 1800
        await it.answer("Kari", fall, "claim")
        assert await health(it) == (200, "ok", [])
        assert (await it.http.get("/health/live")).text == "alive\n"
        await it.town.rows("INSERT INTO schema_migration (name, hash) VALUES ('0999_more.sql', '')")
        assert await health(it) == (200, "degraded", ["outdated"]), "a newer release is at work beside us"
        await it.town.rows("UPDATE schema_migration SET contracts = '99.0' WHERE name = '0999_more.sql'")
        assert await health(it) == (503, "red", ["outdated"])


async def test_ready_as_long_as_people_can_be_told_and_answer(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        it.town.gateway.failing["dispatcher"] = "it broke"
        assert await health(it) == (503, "red", ["loop"])
        ready = await it.http.get("/health/ready")
        assert (ready.status_code, ready.text) == (200, "ready\n")
        it.town.gateway.live.listening = False
        ready = await it.http.get("/health/ready")
        assert (ready.status_code, ready.text) == (503, "not ready\n")
        assert (await it.http.get("/health/live")).status_code == 200


async def test_red_without_a_database_and_still_alive(
    database_server: Server, migrated_url: str, broker: Broker
) -> None:
    async with served(migrated_url, broker) as it:
        bearer = await it.bearer("Kari")
        with database_server.fresh() as other:
            gone = Gateway(it.town.gateway.settings, other)
        gone.database._pool.timeout = 0.3
        await gone.database.open()
        try:
            assert (await gone.health()).state is State.RED
            it.town.gateway.front._database = gone.database
            for path in ("/api/v1/me", "/api/v1/alerts"):
                reply = await it.http.get(path, headers=bearer)
                assert (reply.status_code, reply.json()["reason"]) == (503, "database")
            assert (await it.http.get("/health/live")).status_code == 200
        finally:
            await gone.database.close()


# Metrics --------------------------------------------------------------------------------------------------------------


def value(text: str, name: str, *labels: str) -> float:
    """A sample's value, 0 when there is none."""
    for line in text.splitlines():
        if line.startswith(f"{name}{{") and all(each in line for each in labels):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


async def test_metrics_tell_of_the_path_and_of_nobody(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        before = METRICS.text().decode()
        await it.fall()
        await it.town.publishes(f"hv/v1/{it.town.site}/fall_alarm/x/event", b"nonsense")
        reply = await it.http.get("/metrics")
        assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
        after = reply.text
        first = ("hjemmevakt_first_page_seconds_count", 'severity="40"', 'channel="in_app"')
        assert value(after, *first) == value(before, *first) + 1
        handed = ("hjemmevakt_pages_total", 'channel="in_app"', 'outcome="handed_over"')
        assert value(after, *handed) == value(before, *handed) + 1
        site = f'site="{it.town.site}"'
        assert value(after, "hjemmevakt_messages_total", site, 'lane="alarm"') == 1
        assert value(after, "hjemmevakt_quarantined_total", site, 'lane="bulk"') == 1
        persons = await it.town.rows(
            "SELECT name FROM resident UNION SELECT name FROM person UNION SELECT address FROM dwelling"
        )
        assert [each["name"] for each in persons if each["name"] in after] == []
