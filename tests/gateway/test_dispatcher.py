"""The dispatcher: what is serious finds a slot whatever else is sent, and what is not leaves together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from alerts.alert import Contact, Page
from alerts.bundling import WITHIN
from alerts.channels import Channel, Outgoing
from alerts.channels.email import Email
from alerts.delivery import Failed, HandedOver, SendResult
from alerts.model import Severity
from gateway.bundles import Bundles, Shared
from gateway.clock import ControlledClock, pause
from gateway.dispatcher import SLOTS, Dispatcher, Dispatching
from gateway.rulebook import RulebookCache
from gateway.store import alerts, bundles, pages
from gateway.store.db import Connection
from tests.gateway.place import CHANNELS, NOW, Place, place
from tests.support.mail import MailServer

OSLO = ZoneInfo("Europe/Oslo")


@dataclass
class Provider:
    """A channel that takes its time over what is less severe than ``quick``, until it is let go on. ``fails``: for a while."""

    sent: list[Outgoing] = field(default_factory=list)
    asked: list[Outgoing] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    fails: int = 0
    quick: Severity = Severity.SERIOUS

    def check_address(self, address: str) -> str:
        return address

    async def send(self, outgoing: Outgoing) -> SendResult:
        self.asked.append(outgoing)
        if outgoing.severity < self.quick:
            await self.go_on.wait()
        if self.fails:
            self.fails -= 1
            return Failed("busy")
        self.sent.append(outgoing)
        return HandedOver()


def dispatcher(town: Place, channel: Channel, clock: ControlledClock, name: str = "me") -> Dispatcher:
    cache = RulebookCache(OSLO, ("email",))
    return Dispatcher(town.database, clock, cache, {"email": channel}, Dispatching(name, "http://x", OSLO))


async def raised(town: Place, severity: int, at: datetime = NOW, homes: range = range(1), number: int = 1) -> None:
    """Alerts in these homes, each with a page to Nina's mail, and so many pages of it."""
    await town.rows("UPDATE contact SET channel = 'in_app'")
    await town.raise_(*(town.raising(town.homes[home], at, severity=severity) for home in homes), now=at)
    await town.rows("UPDATE contact SET channel = 'email', address = 'nina@example.org'")

    async def more(connection: Connection) -> None:
        for home in homes:
            stored = (await alerts.lock_open(connection, [town.raising(town.homes[home], at).key])).popitem()[1]
            contact = Contact(town.contacts["Nina"], town.staff["Nina"])
            wanted = [Page(90 + each, contact) for each in range(number - 1)]
            await pages.add(connection, stored, wanted, at)

    await town.run(more)


async def until(clock: ControlledClock, sends: Dispatcher, condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(60):
        while not condition():
            await sends.run_once()
            await pause(0.02)


async def states(town: Place) -> list[str]:
    return [each["state"] for each in await town.rows("SELECT state FROM page ORDER BY id")]


async def test_a_critical_page_leaves_at_once_behind_hundreds_that_a_slow_provider_keeps(migrated_url: str) -> None:
    async with place(migrated_url, homes=5) as town:
        clock, provider = ControlledClock(NOW), Provider()
        sends = dispatcher(town, provider, clock)
        await raised(town, 20, homes=range(4), number=60)
        await town.rows("UPDATE page SET about = 'declined'")  # each a message of its own
        while await sends.run_once():
            pass
        assert len(sends._sending) == SLOTS - 16, "and no more, however many wait"
        await raised(town, 40, homes=range(4, 5))
        await sends.run_once()
        await until(clock, sends, lambda: provider.sent)
        assert [each.severity for each in provider.sent] == [Severity.CRITICAL]
        (row,) = await town.rows("SELECT state FROM page WHERE severity = 40")
        assert row["state"] in ("leased", "handed_over")

        # Nothing is kept free for what is not serious.
        provider.go_on.set()
        await until(clock, sends, lambda: len({each.page_id for each in provider.sent}) == 241)
        await sends.settled()
        assert set(await states(town)) == {"handed_over"}


async def test_what_is_serious_and_hangs_leaves_slots_for_what_is_critical(migrated_url: str) -> None:
    async with place(migrated_url, homes=5) as town:
        clock, provider = ControlledClock(NOW), Provider(quick=Severity.CRITICAL)
        sends = dispatcher(town, provider, clock)
        await raised(town, 30, homes=range(4), number=60)
        while await sends.run_once():
            pass
        assert len(sends._sending) == SLOTS - 8
        await raised(town, 40, homes=range(4, 5))
        await sends.run_once()
        await until(clock, sends, lambda: provider.sent)
        assert [each.severity for each in provider.sent] == [Severity.CRITICAL]
        provider.go_on.set()
        await until(clock, sends, lambda: len({each.page_id for each in provider.sent}) == 241)
        await sends.settled()


async def test_the_first_leaves_at_once_and_what_follows_as_one_message(migrated_url: str, smtp: MailServer) -> None:
    async with place(migrated_url, homes=5) as town:
        clock = ControlledClock(NOW)
        email = Email(Email.Config(host=smtp.host, port=smtp.port, sender="vakt@example.org"))
        sends = dispatcher(town, email, clock)
        await raised(town, 20)
        await sends.run_once()
        await sends.settled()
        assert len(smtp.messages) == 1
        assert "varsler" not in smtp.messages[0]["Subject"]

        clock.move_to(NOW + timedelta(seconds=3))
        await raised(town, 20, clock.now(), homes=range(1, 3))
        clock.move_to(NOW + timedelta(seconds=9))
        await raised(town, 10, clock.now(), homes=range(3, 4))
        await raised(town, 30, clock.now(), homes=range(4, 5))
        await sends.run_once()
        await sends.settled()
        assert await states(town) == ["handed_over", "queued", "queued", "queued", "handed_over"]
        assert len(smtp.messages) == 2, "what is serious does not wait"

        clock.move_to(NOW + WITHIN)
        await sends.run_once()
        await sends.settled()
        assert set(await states(town)) == {"handed_over"}
        assert len(smtp.messages) == 3
        told = smtp.messages[2]
        assert told["Subject"] == "3 varsler i Nord"
        assert "http://x/alerts" in told.get_content().splitlines()
        tries = {each["tries"] for each in await town.rows("SELECT tries FROM page")}
        assert tries == {1}, "waiting was no try"


async def test_each_of_a_bundle_is_settled_by_itself(migrated_url: str) -> None:
    async with place(migrated_url, homes=3) as town:
        clock, provider = ControlledClock(NOW), Provider(fails=1)
        sends = dispatcher(town, provider, clock)
        await raised(town, 20, homes=range(3))
        await sends.run_once()
        await until(clock, sends, lambda: provider.asked)
        (first, *_) = await town.rows("SELECT alert_id FROM page ORDER BY id")
        await town.run(
            lambda each: pages.withdraw(each, first["alert_id"], clock.now())
        )  # somebody answers one of the three meanwhile
        await pause(1)
        provider.go_on.set()
        await sends.settled()
        assert await states(town) == ["withdrawn", "queued", "queued"], "the others are tried again"
        # One look finds both, wherever it falls.
        await town.rows("UPDATE page SET hidden_until = '-infinity' WHERE state = 'queued'")
        await until(clock, sends, lambda: provider.sent)
        await sends.settled()
        assert await states(town) == ["withdrawn", "handed_over", "handed_over"]
        assert [each.subject for each in provider.sent] == ["2 varsler i Nord"]


async def test_a_message_tells_of_what_is_wanted_when_it_is_sent(migrated_url: str) -> None:
    async with place(migrated_url, homes=3) as town:
        clock, provider = ControlledClock(NOW), Provider()
        provider.go_on.set()
        sends = dispatcher(town, provider, clock)
        await raised(town, 20, homes=range(3))
        leased = await town.run(lambda each: pages.lease(each, NOW, "me", 8, 10, CHANNELS))
        await sends._bundles.arrange(leased, NOW)
        await town.run(partial(pages.withdraw, alert_id=leased[0].alert_id, now=NOW))
        assert await sends._send(leased[1]) == HandedOver()
        assert [each.subject for each in provider.sent] == ["2 varsler i Nord"]
        await town.run(partial(pages.withdraw, alert_id=leased[1].alert_id, now=NOW))
        sends._bundles.settled(leased[0])
        await sends._bundles.arrange(leased, NOW)
        assert await sends._send(leased[2]) == HandedOver()
        assert (provider.sent[1].page_id, "varsler" in provider.sent[1].subject) == (str(leased[2].uid), False)


async def test_who_comes_after_a_message_that_was_broken_off_has_it_sent() -> None:
    shared, asked, go_on = Shared([]), list[int](), asyncio.Event()

    async def send(_pages: object) -> SendResult:
        asked.append(1)
        await go_on.wait()
        return HandedOver()

    first = asyncio.create_task(shared.result(send))
    async with asyncio.timeout(60):
        while not asked:
            await pause(0)
    first.cancel()
    await asyncio.wait([first])
    go_on.set()
    assert await shared.result(send) == HandedOver()
    assert len(asked) == 2
    assert await shared.result(send) == HandedOver()
    assert len(asked) == 2, "who comes after it has left hears what became of it"


async def test_two_that_have_a_page_each_do_not_wait_for_each_other(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        await raised(town, 20, homes=range(2))
        both = [Bundles(town.database, name) for name in ("one", "two")]
        leased = [
            await town.run(partial(pages.lease, now=NOW, holder=name, seconds=8, limit=1, channels=CHANNELS))
            for name in ("one", "two")
        ]
        leaves = [await each.arrange(theirs, NOW) for each, theirs in zip(both, leased, strict=True)]
        assert [len(each) for each in leaves] == [1, 0], "the first page leaves, the second waits for it"


async def test_waiting_takes_turns_with_an_answer_to_several_of_them(migrated_url: str) -> None:
    """One that somebody's answer has at this moment is left alone."""
    async with place(migrated_url, homes=2) as town:
        await raised(town, 20, homes=range(2))
        first, second = await town.run(lambda each: pages.lease(each, NOW, "me", 8, 10, CHANNELS))

        async def answered(connection: Connection) -> None:
            await pages.withdraw(connection, first.alert_id, NOW)
            async with asyncio.timeout(60):
                await town.run(lambda each: bundles.hold(each, [second.id, first.id], "me", NOW + WITHIN))

        await town.run(answered)
        assert await states(town) == ["withdrawn", "queued"]


async def test_what_a_provider_reports_of_a_message_is_heard_of_its_first_page(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        await raised(town, 20, homes=range(2))
        leased = await town.run(lambda each: pages.lease(each, NOW, "me", 8, 10, CHANNELS))
        sends = dispatcher(town, Provider(), ControlledClock(NOW))
        first = str(leased[0].uid)
        assert sends._outgoing_together(leased, reported=True).page_id == first
        own = {sends._outgoing_together(some, reported=False).page_id for some in (leased, leased[:1], leased)}
        assert (len(own), first in own) == (2, False), "another message has another id"


async def test_a_message_that_nobody_wants_any_more_is_broken_off(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        clock, provider = ControlledClock(NOW), Provider()
        sends = dispatcher(town, provider, clock)
        await raised(town, 20, homes=range(2))
        await sends.run_once()
        await until(clock, sends, lambda: provider.asked)
        for row in await town.rows("SELECT DISTINCT alert_id FROM page"):
            await town.run(partial(pages.withdraw, alert_id=row["alert_id"], now=clock.now()))
        await sends.settled()
        provider.go_on.set()
        await pause(0.1)
        assert (provider.sent, sends._bundles._shared) == ([], {})


async def test_two_dispatchers_lose_no_page_of_a_bundle(migrated_url: str) -> None:
    async with place(migrated_url, homes=6) as town:
        clock, provider = ControlledClock(NOW), Provider()
        provider.go_on.set()
        both = [dispatcher(town, provider, clock, name) for name in ("one", "two")]
        await raised(town, 20, homes=range(6), number=5)
        for seconds in (0, 7, 20, 27, 40, 61):
            clock.move_to(NOW + timedelta(seconds=seconds))
            for _ in range(3):
                await asyncio.gather(*(each.run_once() for each in both))
                await asyncio.gather(*(each.settled() for each in both))
        assert set(await states(town)) == {"handed_over"}
        assert len(provider.sent) <= 6


async def test_a_page_whose_channel_nobody_has_fails_loudly_after_a_while(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        clock = ControlledClock(NOW)
        sends = dispatcher(town, Provider(), clock)
        await raised(town, 20)
        await town.rows("UPDATE contact SET channel = 'sms'")
        assert await sends.run_once() == 0
        clock.move_to(NOW + pages.LEFT_TO_OTHERS)
        for _ in range(5):  # the back-off, in real time, taken out
            await town.rows("UPDATE page SET hidden_until = '-infinity'")
            await sends.run_once()
            await sends.settled()
        (page,) = await town.rows("SELECT state, reason FROM page WHERE attempt = 1")
        assert (page["state"], page["reason"]) == ("failed", "this gateway has no channel 'sms' set up")
