"""What comes beside the endpoints: the OpenAPI document, the page that shows it, and the headers of everything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

from gateway.embedded import Broker
from tests.gateway.served import API, Served, served


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def resolved(document: dict[str, Any], reference: str) -> Any:
    assert reference.startswith("#/"), reference
    found: Any = document
    for part in reference[2:].split("/"):
        found = found[part]
    return found


async def test_the_openapi_document_is_whole(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        document = (await it.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert all(resolved(document, each) for each in references(document))
    operations = [(path, method, each) for path, item in document["paths"].items() for method, each in item.items()]
    assert len({each["operationId"] for _, _, each in operations}) == len(operations) >= 10
    for path, _, operation in operations:
        assert path.startswith(f"{API}/"), "pages and health are no part of it"
        assert operation["summary"]
        assert operation["description"], path
        named = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))
        success = [each for status, each in operation["responses"].items() if status.startswith("2")]
        assert success
        for status in ("401", "403", "422"):
            content = operation["responses"][status]["content"]
            assert "application/problem+json" in content, (path, status)


async def test_the_openapi_document_says_who_may_call(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        document = (await it.http.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    told = {
        (method.upper(), path): (each["security"], each.get("x-roles"))
        for path, item in document["paths"].items()
        for method, each in item.items()
    }
    signed_in: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]
    assert told["POST", f"{API}/sessions"] == ([], None)
    assert told["DELETE", f"{API}/sessions/current"] == (signed_in, [])
    assert told["POST", f"{API}/devices"] == (signed_in, ["admin", "lead", "technical"])
    assert {each for each, (security, _) in told.items() if not security} == {
        ("POST", f"{API}/sessions"),
        ("GET", f"{API}/pages/{{key}}"),
        *(("POST", f"{API}/pages/{{key}}/{said}") for said in ("received", "shown", "claim")),
    }


async def test_the_page_of_the_documentation_comes_from_us_alone(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        page = await it.http.get("/docs")
        assert page.status_code == 200
        links = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text) + re.findall(r"url: *'([^']+)'", page.text)
        assert len(links) >= 3
        for link in links:
            assert urlsplit(link).netloc == "", link
            assert (await it.http.get(urljoin("/docs", link))).status_code == 200, link
        assert not re.search(r"https?://(?!www\.w3\.org)", page.text)


async def test_every_answer_keeps_the_browser_safe(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        await it.fall()
        replies = [
            await it.http.get(path)
            for path in (
                "/sign-in",
                "/docs",
                "/health",
                "/metrics",
                "/static/style.css",
                "/nothing",
                f"{API}/me",
                "/alerts",
            )
        ]
        replies.append(await it.get("Kari", "/alerts"))
        for reply in replies:
            headers = reply.headers
            assert headers["X-Content-Type-Options"] == "nosniff", reply.url
            assert headers["Referrer-Policy"] in ("same-origin", "no-referrer")
            policy = headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy or "default-src 'none'" in policy
            if reply.url.path != "/docs":
                assert "unsafe-inline" not in policy
                assert "frame-ancestors 'none'" in policy


async def test_what_is_personal_is_not_kept_on_the_way(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        for path in ("/alerts", f"/alerts/{fall}", "/me"):
            assert "no-store" in (await it.get("Kari", path)).headers.get("Cache-Control", ""), path
        assert "no-store" in (await sign_in(it)).get("Cache-Control", "")


async def sign_in(it: Served) -> Any:
    return (await it.sign_in("kari")).headers
