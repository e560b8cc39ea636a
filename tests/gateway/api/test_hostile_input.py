"""Whatever is sent, the answer is the sender's fault (4xx) and says so; never an error of ours."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import httpx

from gateway.embedded import Broker
from tests.gateway.served import API, Served, problem, served

TEXTS = [
    "",
    "\x00",
    "a\x00b",
    "x" * 10_000,
    "' OR 1=1; --",
    "${7*7}",
    "\u202e",
    "🙂" * 500,
    "\r\nSet-Cookie: x=y",
    "../../etc",
]
VALUES: list[Any] = [
    *TEXTS,
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    -(2**63) - 1,
    1e308,
    [],
    {},
    [[[]]],
    {"$gt": ""},
    ["claim"],
]
BODIES = [
    b"",
    b"null",
    b"[]",
    b"7",
    b'"claim"',
    b"{",
    b"\xff\xfe",
    b'{"answer": "\xc3\x28"}',
    b'{"answer": "\\ud800"}',
    b'{"answer": NaN}',
    b'{"answer": "claim", "version": ' + b"9" * 5000 + b"}",
    b'{"answer": "claim", "answer": "close"}',
    b"[" * 100_000,
    b'{"answer":' * 3_000 + b"1" + b"}" * 3_000,
    b"a=b&c=d",
]
UUIDS = [
    "x",
    "0",
    "%00",
    "null",
    "00000000-0000-0000-0000-00000000000",
    "g" * 32,
    "..%2f..",
    "%F0%9F%99%82",
    "x" * 10_000,
    "%FF",
]


def refused(reply: httpx.Response, what: Any) -> None:
    assert 400 <= reply.status_code < 500, f"{what!r:.200}: {reply.status_code} {reply.text:.200}"
    problem(reply, reply.status_code)
    assert "\x00" not in reply.text
    assert len(reply.content) < 5_000, "what was sent is not sent back at length"


async def test_bodies_that_are_none(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        header = {**await it.bearer("Kari"), "Idempotency-Key": "k"}
        for body in BODIES:
            for kind in (
                "application/json",
                "text/plain",
                "multipart/form-data; boundary=x",
                "application/json; charset=utf-16",
            ):
                more = {**header, "Content-Type": kind}
                for path in (f"{API}/alerts/{fall}/answers", f"{API}/sessions"):
                    reply = await it.http.post(path, content=body, headers=more)
                    if b'"close"' not in body:  # the last of two values counts, and says what is missing
                        refused(reply, body)
                refused(await it.http.put(f"{API}/me/language", content=body, headers=more), body)
        assert (await it.detail("Kari", fall))["stage"] == "open"


FIELDS = ("answer", "to", "cause", "action", "given_at", "version", "more")


async def test_fields_of_an_answer(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        whole = {"answer": "close", "cause": "real", "action": "visited"}
        for field, value in product(FIELDS, VALUES):
            if value is None and field != "answer":
                continue  # as if it were not there
            header = {**await it.bearer("Kari"), "Idempotency-Key": "k"}
            body = json.dumps({**whole, field: value})
            reply = await it.http.post(f"{API}/alerts/{fall}/answers", content=body, headers=header)
            refused(reply, (field, value))


async def test_fields_of_signing_in(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        for value in VALUES:
            for body in ({"username": value, "password": "x"}, {"username": "kari", "password": value}):
                refused(await it.http.post(f"{API}/sessions", content=json.dumps(body)), body)
                await it.town.rows("DELETE FROM sign_in_failure")
        agent = {"User-Agent": "x" * 10_000}
        refused(await it.http.post(f"{API}/sessions", json={"username": "x", "password": "y"}, headers=agent), agent)


async def test_ids_and_queries(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        await it.fall()
        header = await it.bearer("Siri")
        for each in UUIDS:
            refused(await it.http.get(f"{API}/alerts/{each}", headers=header), each)
            answer = {**header, "Idempotency-Key": "k"}
            refused(await it.http.post(f"{API}/alerts/{each}/answers", json={"answer": "claim"}, headers=answer), each)
        for query in (
            "limit=%00",
            "limit=1&limit=x",
            "state=%00",
            "state=open%00",
            "cursor=%00",
            "cursor=%FF%FE",
            "limit=-0x1",
        ):
            refused(await it.http.get(f"{API}/alerts?{query}", headers=header), query)
        for path in (
            f"{API}/nothing",
            f"{API}/",
            "/wp-admin.php",
            "/static/../settings",
            "/static/%2e%2e/%2e%2e/pages.py",
        ):
            refused(await it.http.get(path, headers=header), path)
        assert (await it.http.delete(f"{API}/alerts", headers=header)).headers["allow"] == "GET"


async def test_keys_of_answers(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        path, bearer = f"{API}/alerts/{fall}/answers", await it.bearer("Kari")

        async def with_key(key: bytes | None) -> httpx.Response:
            headers = [(b"Authorization", bearer["Authorization"].encode())]
            if key is not None:
                headers.append((b"Idempotency-Key", key))
            return await it.http.post(path, json={"answer": "claim"}, headers=headers)

        for key in (None, b"", b"x" * 129, b"x" * 10_000, b"a\x00b"):
            refused(await with_key(key), key)
        assert (await it.detail("Kari", fall))["stage"] == "open"
        for fine in (b"x" * 128, b"\xff\xfe", b"' OR 1=1 --"):
            await it.answer("Kari", fall, "release")
            assert (await with_key(fine)).status_code == 200


async def test_what_devices_say_cannot_break_what_people_see(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        odd: dict[str, Any] = {
            "note": "<script>alert(1)</script>",
            "n": 2**53,
            "deep": [[{"a": "🙂"}]],
            "nul": "a\x00b",
            "more": "x" * 5000,
        }
        await it.town.says(home.fall_alarm, "fall", **odd)
        await it.town.says(home.fall_alarm, "'; DROP TABLE alert; --", message_class="alarm")
        await it.town.publishes(f"hv/v1/{it.town.site}/fall_alarm/{'x' * 64}/alarm", b"\x00\xff" * 1000)
        alerts = await it.listed("Vakt")
        assert len(alerts) >= 3
        for each in alerts:
            await it.detail("Vakt", each["id"])
        assert await everything_reads(it)


async def everything_reads(it: Served) -> bool:
    items = (await it.get("Tek", "/quarantine")).json()["items"]
    return bool(items) and all("\x00" not in each["text"] for each in items)
