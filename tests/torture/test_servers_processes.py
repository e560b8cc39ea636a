"""Who has ended by itself is noticed, is started again, and is not counted as struck; mails are counted when no more can come."""

from __future__ import annotations

import os
import signal

import pytest

from gateway.embedded import EmbeddedPostgres
from tests.support import parts
from tests.support.databases import short_folder
from tests.support.processes import eventually
from tests.torture.plan import Blow, How, Whom
from tests.torture.servers import Node, running


async def test_a_gateway_that_ended_by_itself_cannot_be_struck_and_mails_wait_for_the_last_one() -> None:
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    with short_folder() as folder:
        async with running(folder, EmbeddedPostgres(folder / "postgres"), 1) as servers:
            node = servers.nodes[0]
            with pytest.raises(RuntimeError, match="gateway a still runs"):
                _ = servers.mails
            os.kill(node.process.pid, signal.SIGKILL)
            await _ended(node)
            assert not await servers.strike(Blow(Whom.GATEWAY, How.STOP, 0, 0, 0.1))
            assert not await servers.strike(Blow(Whom.GATEWAY, How.KILL, 0, 0, 0.1))
            assert node.process.running, "a blow starts it again, as always"
            assert await servers.strike(Blow(Whom.GATEWAY, How.STOP, 0, 0, 0.1))
            assert await servers.strike(Blow(Whom.GATEWAY, How.KILL, 0, 0, 0.1))
        assert servers.mails == frozenset()
        assert [each.partition(":")[0] for each in servers.ended_by_themselves] == ["gateway a"]


async def _ended(node: Node) -> None:
    async def look() -> bool:
        return bool(node.ended_by_itself)

    await eventually(look, "it is noticed that the gateway has ended")
