"""Logs are one JSON object a line and name nobody: whole stories are run, and every line they log is looked at."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

import structlog

from gateway.embedded import Broker
from gateway.log import set_up
from gateway.store import receipts
from tests.gateway.served import Served, problem, served
from tests.support import logs
from tests.support.mail import MailServer


@contextmanager
def logging_as_served() -> Iterator[io.StringIO]:
    """As `hjemmevakt serve` logs, with everything that can be logged; what came."""
    logged = io.StringIO()
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    root.handlers[:] = []
    try:
        with redirect_stderr(logged):
            set_up("debug")
            yield logged
    finally:
        logs.plain()
        root.setLevel(before[0])
        root.handlers[:] = before[1]


async def secrets_of(it: Served) -> list[str]:
    """What of residents and homes must never be logged; and what signs people in."""
    found = await it.town.rows(
        """SELECT name AS word FROM resident UNION SELECT phone FROM resident UNION SELECT notes FROM resident
           UNION SELECT address FROM dwelling UNION SELECT access FROM dwelling
           UNION SELECT address FROM contact WHERE channel = 'email' UNION SELECT csrf_token FROM session"""
    )
    return [*(each["word"] for each in found if each["word"]), *it.tokens.values()]


async def test_nobody_is_named_however_a_story_goes(migrated_url: str, broker: Broker, smtp: MailServer) -> None:
    mail = {"smtp_host": smtp.host, "smtp_port": smtp.port}
    with logging_as_served() as log:
        async with served(migrated_url, broker, **mail) as it:
            town = it.town
            await town.rows("UPDATE dwelling SET access = 'Nøkkelboks, kode 4711'")
            home = await town.home()
            await town.rows(
                "UPDATE resident SET name = 'Borghild Bråten', phone = '+47 51 98 76 54', notes = 'hjertesyk'"
            )
            # The good way.
            await town.says(home.fall_alarm, "fall")
            fall = (await town.alert())["uid"]
            await it.answer("Kari", fall, "claim")
            await it.detail("Kari", fall)
            await town.passes(minutes=40)
            # And what goes wrong: rubbish, refused answers, wrong passwords, unknown devices, a channel that is not there.
            await town.publishes(
                f"hv/v1/{town.site}/fall_alarm/{home.fall_alarm.address.address}/alarm", b"Borghild \xff"
            )
            await town.publishes(f"hv/v1/{town.site}/fall_alarm/unknown/alarm", b'{"id": "1", "type": "fall"}')
            problem(await it.answer("Liv", fall, "claim"), 404)
            problem(await it.sign_in("kari", "Borghild Bråten"), 401)
            await it.get("Kari", "/alerts", cursor="Borghild Bråten")
            await town.rows("UPDATE contact SET channel = 'gone' WHERE person_id = %s", town.staff["Ola"])
            await town.says(home.fall_alarm, "fall")
            await town.passes(minutes=10)
            await town.gateway.database.run(lambda each: receipts.break_contact(each, 1, "no such phone", town.now))
            secrets = await secrets_of(it)
    logged = log.getvalue()
    assert "lane.connected" in logged
    assert "message.quarantined" in logged
    assert len(secrets) >= 6
    assert [each for each in secrets if each in logged] == []
    assert "Borghild" not in logged


async def test_a_key_in_an_address_is_in_no_log_while_the_database_is_away(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        with logging_as_served() as logged:
            await looks_while_it_is_away(it)
        told = logged.getvalue()
        assert told.count("database.away") >= 4
        assert "k3y-of-a-page-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" not in told
        assert '"/alerts"' in told


async def looks_while_it_is_away(it: Served) -> None:
    await it.town.gateway.web_database.close()
    for path in (
        "/confirm/k3y-of-a-page-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "/api/v1/pages/k3y-of-a-page-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "/alerts",
    ):
        reply = await it.http.get(path, headers={"Accept": "text/html", "Cookie": "hjemmevakt_session=x"})
        assert reply.status_code == 503, path
    await it.http.post(
        "/add-phone/k3y-of-a-page-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", headers={"Sec-Fetch-Site": "same-origin"}
    )


def test_each_line_is_an_object_with_a_time_and_a_level() -> None:
    with logging_as_served() as logged:
        log = structlog.get_logger()
        log.info("story.told", site="a", number=1)
        try:
            int("one\ntwo")
        except ValueError:
            log.exception("story.broken")
    first, second = (json.loads(line) for line in logged.getvalue().splitlines())
    assert (first["event"], first["level"], first["site"], first["number"]) == ("story.told", "info", "a", 1)
    assert first["timestamp"].endswith("Z")
    assert "invalid literal" in second["exception"]


def test_an_answer_that_nobody_waits_for_any_more_is_not_told() -> None:
    with logging_as_served() as logged:
        for told in ('Unexpected message ID "%d" in on_subscribe callback', "Something else: %d"):
            logging.getLogger("mqtt").error(told, 1)
    assert logged.getvalue() == "Something else: 1\n"
