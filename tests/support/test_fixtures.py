"""The fixtures do what they promise: other tests lean on them."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

import psycopg
import pytest
from playwright.async_api import Page

from gateway.embedded import Broker
from tests.support.databases import Server
from tests.support.mail import MailServer


async def test_each_database_is_empty_and_goes_away_with_somebody_still_connected(database_server: Server) -> None:
    with database_server.fresh() as url:
        lingering = await psycopg.AsyncConnection.connect(url)
        found = await (await lingering.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).fetchone()
        assert found == (0,)
    with pytest.raises(psycopg.OperationalError):
        await psycopg.AsyncConnection.connect(url)
    await lingering.close()


async def test_migrated_databases_are_copies_that_do_not_know_each_other(database_server: Server) -> None:
    runs = []

    async def migrate(url: str) -> None:
        runs.append(url)
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute("CREATE TABLE ours (id int)")

    server = Server(database_server.url)
    with server.migrated(migrate) as one, server.migrated(migrate) as other:
        with psycopg.connect(one) as connection:
            connection.execute("INSERT INTO ours VALUES (1)")
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT count(*) FROM ours").fetchone() == (0,)
    server.close()
    assert len(runs) == 1


def test_the_broker_is_the_same_for_all(broker: Broker) -> None:
    assert broker.pid is not None


def test_mail_is_collected_and_can_be_turned_away(smtp: MailServer) -> None:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "gateway@example.org", "kari@example.org", "Fall: Lagårdsveien"
    letter.set_content("Æ ø å")
    smtp.fail_next(1)
    with smtplib.SMTP(smtp.host, smtp.port) as client:
        with pytest.raises(smtplib.SMTPDataError, match="451"):
            client.send_message(letter)
        client.send_message(letter)
    assert [(m["Subject"], m["X-Envelope-To"], m.get_content().strip()) for m in smtp.messages] == [
        ("Fall: Lagårdsveien", "kari@example.org", "Æ ø å")
    ]


async def test_the_phone_is_a_phone_and_pictures_are_kept(phone: Page, screenshots: Path) -> None:
    await phone.goto("data:text/html,<meta name=viewport content='width=device-width'><h1>Hei")
    assert await phone.evaluate("[innerWidth, innerHeight, navigator.language, navigator.maxTouchPoints > 0]") == [
        390,
        844,
        "nb-NO",
        True,
    ]
    await phone.screenshot(path=screenshots / "phone.png")
    assert (screenshots / "phone.png").stat().st_size > 0
