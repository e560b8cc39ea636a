"""Everything that is struck: a durable PostgreSQL, Mosquitto, a mail server, and gateways that reach each other only by hops.

A gateway that has ended although nobody has killed it is started again, as a service manager does, and that is counted.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from gateway.embedded import LOOPBACK, Broker, EmbeddedPostgres
from tests.support.mail import MailServer
from tests.support.processes import GatewayProcess, alive
from tests.torture.hop import Cut, Hop, to_port, to_socket
from tests.torture.plan import Blow, How, Whom

ROLES = "ingest,engine"
AGAIN_AFTER = 1.0
GONE_WITHIN = 20.0
LAST_WORDS = 500
"""Characters of its log."""


class Node:
    """A gateway, the hops to its servers, and somebody who starts it again when it has ended by itself."""

    def __init__(self, letter: str, folder: Path, broker: Broker, postgres: EmbeddedPostgres, mail: MailServer) -> None:
        self.letter = letter
        self.to_broker = Hop(to_port(broker.port))
        self.to_database = Hop(to_socket(str(socket_of(postgres))))
        self.ended_by_itself: list[str] = []
        self._folder, self._mail = folder, mail
        self._process: GatewayProcess | None = None
        self._wanted = False

    @property
    def process(self) -> GatewayProcess:
        assert self._process is not None
        return self._process

    async def open(self) -> None:
        await self.to_broker.start()
        await self.to_database.start()
        self._process = GatewayProcess(
            self._folder, f"gateway-{self.letter}", ROLES,
            database_url=f"postgresql://postgres@{LOOPBACK}:{self.to_database.port}/{EmbeddedPostgres.DATABASE}"
            "?sslmode=disable&gssencmode=disable",
            mqtt_port=self.to_broker.port, smtp_host=self._mail.host, smtp_port=self._mail.port,
            canary_seconds=1, deaf_seconds=20, settle_seconds=1,
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        self._wanted = True
        self.process.start()

    def kill9(self) -> bool:
        """Whether it ran until then."""
        ran, self._wanted = self.process.running, False
        self.process.kill9()
        return ran

    async def mind(self) -> None:
        """For ever: who has ended although nobody has killed it is started again."""
        while True:
            await asyncio.sleep(0.2)
            if self._wanted and not self.process.running:
                self.ended_by_itself.append(self.process.said[-LAST_WORDS:].strip())
                self.process.kill9()
                await asyncio.sleep(AGAIN_AFTER)
                self._start_again()

    def _start_again(self) -> None:
        """Unless a blow has killed it meanwhile, or started it again."""
        if self._wanted and not self.process.running:
            self.process.kill9()
            self.process.start()

    async def close(self) -> None:
        self.process.__exit__(None, None, None)
        await self.to_broker.stop()
        await self.to_database.stop()


class Servers:
    """All of them, and what becomes of a blow."""

    def __init__(self, postgres: EmbeddedPostgres, broker: Broker, mail: MailServer, nodes: Sequence[Node]) -> None:
        self.postgres, self.broker, self.mail, self.nodes = postgres, broker, mail, nodes
        self.publishers = Hop(to_port(broker.port))
        self._struck: dict[tuple[Whom, int], asyncio.Lock] = {}

    @property
    def ended_by_themselves(self) -> list[str]:
        """The gateways that have, each with its last words."""
        return [f"gateway {node.letter}: …{said}" for node in self.nodes for said in node.ended_by_itself]

    @property
    def mails(self) -> frozenset[str]:
        """All that the mail server has seen, by the id of each: of a page its uid. While a gateway runs that is not all:
        what it hands over next would look as if nobody had seen it. So then it is RuntimeError."""
        running = [node.letter for node in self.nodes if node.process.running]
        if running:
            raise RuntimeError(f"more mails may come: gateway {', '.join(running)} still runs")
        return frozenset(str(each["Message-ID"]).strip("<> ").partition("@")[0] for each in self.mail.messages)

    async def strike(self, blow: Blow) -> bool:
        """Strike, wait, and heal. Nobody is struck again before it has healed. Whether the blow fell: a gateway that has ended
        by itself is not there to be struck."""
        index = blow.index if blow.whom not in (Whom.DATABASE, Whom.BROKER, Whom.PUBLISHERS) else 0
        async with self._struck.setdefault((blow.whom, index), asyncio.Lock()):
            match blow.whom:
                case Whom.GATEWAY if blow.how is How.KILL:
                    return await self._kill_gateway(self.nodes[index], blow.seconds)
                case Whom.GATEWAY:
                    return await self._stop_gateway(self.nodes[index], blow.seconds)
                case Whom.DATABASE:
                    await self._kill_database(blow.seconds)
                case Whom.BROKER:
                    await self._kill_broker(blow.seconds)
                case _:
                    await self._cut(self._hop(blow.whom, index), Cut(blow.how.value), blow.seconds)
        return True

    def _hop(self, whom: Whom, index: int) -> Hop:
        if whom is Whom.PUBLISHERS:
            return self.publishers
        return self.nodes[index].to_broker if whom is Whom.TO_BROKER else self.nodes[index].to_database

    async def _kill_gateway(self, node: Node, seconds: float) -> bool:
        fell = node.kill9()
        await asyncio.sleep(seconds)
        node.start()
        return fell

    async def _stop_gateway(self, node: Node, seconds: float) -> bool:
        if not node.process.running:
            return False
        node.process.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        if node.process.running:
            node.process.signal(signal.SIGCONT)
        return True

    async def _kill_database(self, seconds: float) -> None:
        await asyncio.to_thread(kill_postgres, self.postgres)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.postgres.recover)

    async def _kill_broker(self, seconds: float) -> None:
        """In this thread: the kernel ties the broker's life to the thread that started it."""
        self.broker.kill9()
        await asyncio.sleep(seconds)
        self.broker.start()

    async def _cut(self, hop: Hop, how: Cut, seconds: float) -> None:
        hop.cut(how)
        await asyncio.sleep(seconds)
        hop.heal()


@asynccontextmanager
async def running(folder: Path, postgres: EmbeddedPostgres, gateways: int) -> AsyncIterator[Servers]:
    """All servers but PostgreSQL, which is there, with our tables and homes in it; in the end none is left."""
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(Broker(folder / "broker", server="mosquitto"))
        mail = MailServer()
        mail.start()
        stack.callback(mail.stop)
        nodes = [Node("abcdefgh"[index], folder, broker, postgres, mail) for index in range(gateways)]
        for node in nodes:
            await node.open()
            stack.push_async_callback(node.close)
        servers = Servers(postgres, broker, mail, nodes)
        await servers.publishers.start()
        stack.push_async_callback(servers.publishers.stop)
        minding = [asyncio.create_task(node.mind()) for node in nodes]
        try:
            yield servers
        finally:
            for task in minding:
                task.cancel()
            await asyncio.gather(*minding, return_exceptions=True)


def kill_postgres(postgres: EmbeddedPostgres) -> None:
    """kill −9 of the postmaster and of all its children, at once; afterwards none of them lives.

    Its lock files go, too: where nobody buries orphans (a container), they would name a process that seems to be there.
    """
    first = int((postgres.data / "postmaster.pid").read_text().splitlines()[0])
    os.kill(first, signal.SIGSTOP)  # so that it has no more children
    family = [first, *(int(pid) for pid in Path(f"/proc/{first}/task/{first}/children").read_text().split())]
    for pid in family:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + GONE_WITHIN
    while any(alive(pid) for pid in family):
        if time.monotonic() > until:
            raise TimeoutError("PostgreSQL does not die")
        time.sleep(0.02)
    for lock in (postgres.data / "postmaster.pid", socket_of(postgres).with_suffix(".5432.lock")):
        lock.unlink(missing_ok=True)


def socket_of(postgres: EmbeddedPostgres) -> Path:
    """The socket file that it listens at."""
    return postgres._socket_folder / ".s.PGSQL.5432"
