"""A page that goes out over the webhook: what the server is told, and what its answers mean."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gateway.embedded import Broker
from tests.support.world import world


class Server(ThreadingHTTPServer):
    """A server of the municipality's, which takes what it is told to take."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.told: list[dict[str, Any]] = []
        self.answers = [503, 202]


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append({**said, "authorization": self.headers["Authorization"]})
        self.send_response(self.server.answers.pop(0))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server has
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


async def test_a_page_is_tried_again_until_the_server_takes_it(
    migrated_url: str, broker: Broker, server: Server
) -> None:
    webhook: dict[str, Any] = {"webhook_host": "127.0.0.1", "webhook_port": server.server_port, "webhook_tls": False}
    async with world(migrated_url, broker, webhook_token="a-token", **webhook) as town:
        home = await town.home()
        await town.unreachable("Kari")
        await town.contact("Kari", "webhook", "+47 900 00 000")
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Kari (webhook)"]
        first, again = server.told
        assert first == again, "the same page, with the same id"
        assert (again["to"], again["severity"], again["authorization"]) == ("+47 900 00 000", 40, "Bearer a-token")
        assert "Beboer" not in json.dumps(again), "no name leaves the gateway"
