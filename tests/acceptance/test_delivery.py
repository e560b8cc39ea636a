"""Pages on their way: mail servers that are slow, busy or know no such address, and answers that come meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from gateway import dispatcher
from gateway.clock import pause
from gateway.embedded import Broker
from tests.support.mail import MailServer
from tests.support.world import World, world


class SlowMailServer(MailServer):
    """Takes a message in, and its time to say so: until `let_go`."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0
        self.let_go = threading.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        self.taken += 1
        await asyncio.to_thread(self.let_go.wait, 20)
        return await super().handle_DATA(server, session, envelope)


class KnowingMailServer(MailServer):
    """Knows which addresses there are not."""

    def __init__(self) -> None:
        super().__init__()
        self.unknown: set[str] = set()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.unknown:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"


@pytest.fixture
def knowing() -> Iterator[KnowingMailServer]:
    server = KnowingMailServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
async def slow() -> AsyncIterator[SlowMailServer]:
    server = SlowMailServer()
    server.start()
    try:
        yield server
    finally:
        server.let_go.set()
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def by_mail(url: str, broker: Broker, smtp: MailServer) -> AsyncIterator[World]:
    """Kari and Ola can be reached by mail only."""
    async with world(url, broker, smtp) as town:
        await town.unreachable("Kari", "Ola")
        for name in ("Kari", "Ola"):
            await town.contact(name, "email", f"{name.lower()}@example.org")
        yield town


async def _fall_paged_but_not_sent(town: World) -> None:
    """A fall is stored and its pages wait in the outbox; nobody has sent them yet."""
    home = await town.home()
    await town.says(home.fall_alarm, "fall", settle=False)
    async with asyncio.timeout(60):
        while not await town.rows("SELECT 1 FROM page"):
            await pause(0.02)


async def test_an_answer_while_a_page_is_being_sent_stops_all_others(
    migrated_url: str, broker: Broker, slow: SlowMailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "RENEW_SECONDS", 60.0)  # nobody looks again while the mail server is at it
    async with by_mail(migrated_url, broker, slow) as town:
        await town.contact("Kari", "email", "kari.privat@example.org", 2)
        await _fall_paged_but_not_sent(town)
        fall = (await town.alert())["uid"]

        # One page is at the mail server when Ola, who has the alert open, takes it; the other waits for its turn.
        first = asyncio.create_task(town.gateway.dispatcher.run_once())
        async with asyncio.timeout(60):
            while not slow.taken:
                await pause(0.01)
        await first
        await town.answers("Ola", fall, "claim", settle=False)
        assert {state for _, state in await town.states(fall)} == {"withdrawn"}
        slow.let_go.set()
        await town.gateway.dispatcher.settled()

        # What the mail server had taken in could not be called back; it is noted, and nothing more goes out.
        assert await town.states(fall) == [("Kari", "withdrawn")] * 2
        sent = len(slow.messages)
        assert sent == slow.taken == 1
        noted = await town.rows("SELECT 1 FROM page WHERE handed_over_at IS NOT NULL")
        assert len(noted) == sent
        await town.passes(minutes=4)
        assert len(slow.messages) == sent
        assert await town.news() == ["Kari (email)"], "and nothing else"


async def test_an_answer_breaks_off_a_page_whose_mail_server_hangs(
    migrated_url: str, broker: Broker, slow: SlowMailServer
) -> None:
    async with by_mail(migrated_url, broker, slow) as town:
        await _fall_paged_but_not_sent(town)
        fall = (await town.alert())["uid"]
        await town.gateway.dispatcher.run_once()
        async with asyncio.timeout(60):
            while not slow.taken:
                await pause(0.01)
        await town.answers("Ola", fall, "claim", settle=False)
        async with asyncio.timeout(8):
            await town.gateway.dispatcher.settled()  # the server still has not said a word
        assert await town.states(fall) == [("Kari", "withdrawn")]
        assert await town.rows("SELECT 1 FROM page WHERE handed_over_at IS NOT NULL") == []


async def test_a_page_that_is_leased_but_not_yet_sent_is_withdrawn(
    migrated_url: str, broker: Broker, smtp: MailServer
) -> None:
    async with by_mail(migrated_url, broker, smtp) as town:
        await _fall_paged_but_not_sent(town)
        fall = (await town.alert())["uid"]
        await town.rows(
            "UPDATE page SET state = 'leased', leased_by = 'another', hidden_until = clock_timestamp() + '9 s'"
        )
        await town.answers("Ola", fall, "claim")
        assert await town.states(fall) == [("Kari", "withdrawn")]
        await town.passes(minutes=4)
        assert smtp.messages == []


async def test_the_page_of_a_process_that_died_is_sent_by_another(
    migrated_url: str, broker: Broker, smtp: MailServer
) -> None:
    async with by_mail(migrated_url, broker, smtp) as town:
        await _fall_paged_but_not_sent(town)
        fall = (await town.alert())["uid"]
        await town.rows("UPDATE page SET state = 'leased', leased_by = 'another', hidden_until = clock_timestamp()")
        await town.passes(seconds=1)
        assert await town.states(fall) == [("Kari", "handed_over")]
        assert len(smtp.messages) == 1


async def test_a_mail_server_that_is_busy_is_asked_again(migrated_url: str, broker: Broker, smtp: MailServer) -> None:
    async with by_mail(migrated_url, broker, smtp) as town:
        home = await town.home()
        smtp.fail_next(1)
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Kari (email)"]
        (page,) = await town.rows("SELECT tries FROM page")
        assert page["tries"] == 2
        assert "page_failed" not in await town.timeline((await town.alert())["uid"])


async def test_a_mail_server_that_never_gets_better_is_given_up_loudly(
    migrated_url: str, broker: Broker, smtp: MailServer
) -> None:
    async with by_mail(migrated_url, broker, smtp) as town:
        await _fall_paged_but_not_sent(town)
        fall = (await town.alert())["uid"]
        smtp.fail_next(5)
        for _ in range(5):  # the back-off, in real time, taken out
            await town.rows("UPDATE page SET hidden_until = '-infinity' WHERE state = 'queued'")
            await town.gateway.dispatcher.run_once()
            await town.gateway.dispatcher.settled()
        await town.passes(seconds=1)
        assert (await town.timeline(fall))[2:] == ["page_failed", "attempt_failed", "step_reached"]
        assert sorted(await town.news()) == ["Kari (email)", "Ola (email)"]
        assert await town.rows("SELECT 1 FROM contact WHERE broken_reason IS NOT NULL") == []


async def test_an_address_that_does_not_exist_breaks_the_contact_and_the_alert_goes_on_at_once(
    migrated_url: str, broker: Broker, knowing: KnowingMailServer
) -> None:
    async with by_mail(migrated_url, broker, knowing) as town:
        home = await town.home()
        knowing.unknown.add("kari@example.org")
        assert await town.gateway.auditor.run_once()
        await town.says(home.fall_alarm, "fall")
        assert await town.gateway.auditor.run_once(), "whom policies reach is other than it was"
        fall = (await town.alert())["uid"]
        assert sorted(await town.news()) == ["Ola (email)", "Siri"]  # she leads, and is told that the address is broken
        assert (await town.timeline(fall))[1:] == ["step_reached", "page_failed", "attempt_failed", "step_reached"]
        (failed,) = await town.entries(fall, "page_failed")
        assert (failed["persons"], failed["channel"]) == ([town.staff["Kari"]], "email")
        broken = await town.rows("SELECT person_id FROM contact WHERE broken_reason LIKE '%%550%%'")
        assert [each["person_id"] for each in broken] == [town.staff["Kari"]]
        (audited,) = await town.rows("SELECT params FROM audit WHERE action = 'contact.broken'")
        assert audited["params"] == {"channel": "email"}  # no words of the server's, which may name the address

        # Nobody counts on that address again.
        await town.says((await town.home()).fall_alarm, "fall")
        assert await town.news() == ["Ola (email)"]


async def test_who_has_the_app_and_looks_is_waited_for_when_every_other_page_has_failed(
    migrated_url: str, broker: Broker, knowing: KnowingMailServer
) -> None:
    async with world(migrated_url, broker, knowing) as town:
        await town.contact("Kari", "email", "kari@example.org")
        knowing.unknown.add("kari@example.org")
        await _fall_paged_but_not_sent(town)
        fall = (await town.alert())["uid"]
        await town.gateway.front.alert_list(await town.who("Kari"), "open", None, 50)
        await town.settle()
        assert sorted(await town.states(fall)) == [("Kari", "failed"), ("Kari", "shown")]
        await town.passes(seconds=59)
        assert (await town.timeline(fall))[1:] == ["step_reached", "page_failed"]


async def test_who_has_the_app_and_does_not_look_is_not_waited_for_when_every_other_page_has_failed(
    migrated_url: str, broker: Broker, knowing: KnowingMailServer
) -> None:
    """The app on a screen is outside of the chain: nobody need sit there."""
    async with world(migrated_url, broker, knowing) as town:
        await town.contact("Kari", "email", "kari@example.org")
        home = await town.home()
        knowing.unknown.add("kari@example.org")
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        assert (await town.timeline(fall))[1:] == ["step_reached", "page_failed", "attempt_failed", "step_reached"]
        assert {name for name, _, _ in await town.pages(fall)} == {"Kari", "Ola"}
