"""The demo's pages do not exist on a gateway that is not the demo's."""

from __future__ import annotations

import pytest

from gateway.embedded import Broker
from tests.gateway.served import served


@pytest.mark.parametrize("environment", ["test", "demo"])
async def test_there_is_no_such_page(migrated_url: str, broker: Broker, environment: str) -> None:
    """Not even where the settings say "demo": only the process of `hjemmevakt demo` has a stage."""
    async with served(migrated_url, broker, environment=environment) as site:
        for method, path in (("POST", "/demo/be"), ("GET", "/happen"), ("POST", "/happen"), ("GET", "/happen/1")):
            reply = await site.http.request(
                method, path, headers={"Origin": "http://gateway.test"}, data={"as": "nurse"}
            )
            assert reply.status_code == 404, (method, path)
            assert "set-cookie" not in reply.headers
        assert (await site.http.get("/")).headers["location"] == "/alerts"
