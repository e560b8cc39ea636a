"""The client: a method an operation, light to import, and errors that say what was refused."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from functools import cache
from typing import Any, get_args, get_type_hints
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from gateway.api import schemas
from gateway.api.clock import clock_router
from gateway.api.openapi import operation_id
from gateway.api.routes import router
from gateway.client import Client, ClientError, ProblemError, Unreachable
from gateway.client.calls import API

WITHOUT = frozenset({"close"})
"""Methods that are no operation, beside those that walk over pages."""


@cache
def document() -> dict[str, Any]:
    """Of all endpoints, that of the controlled clock too."""
    app = FastAPI(generate_unique_id_function=operation_id)
    app.include_router(router)
    app.include_router(clock_router(lambda _: pytest.fail("nobody lets time pass here")))
    return app.openapi()


def operations() -> dict[str, tuple[str, str]]:
    return {
        operation["operationId"]: (method.upper(), path)
        for path, item in document()["paths"].items()
        for method, operation in item.items()
    }


def methods() -> dict[str, Any]:
    public = inspect.getmembers(Client, inspect.isfunction)
    return {name: each for name, each in public if not name.startswith(("_", "all_")) and name not in WITHOUT}


def test_every_operation_has_its_method() -> None:
    assert sorted(methods()) == sorted(operations())


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # the samples are of no value
@pytest.mark.parametrize("name", sorted(operations()))
async def test_a_method_calls_its_operation_with_what_it_is_given(name: str) -> None:
    asked: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(418, json={"title": "Teapot", "status": 418, "detail": "no", "reason": "teapot"})

    hints = get_type_hints(methods()[name])
    given = {
        each.name: sample(hints[each.name])
        for each in list(inspect.signature(methods()[name]).parameters.values())[1:]
        if each.default is each.empty or each.name.endswith("query")
    }
    async with Client("http://gateway.test", "token", transport=httpx.MockTransport(refuse)) as client:
        called = anext(client.changes()) if name == "changes" else getattr(client, name)(**given)
        with pytest.raises(ProblemError, match="teapot"):
            await called
    (request,) = asked
    method, path = operations()[name]
    assert request.method == method
    assert re.fullmatch(re.sub(r"{\w+}", "[0-9a-f-]{36}", path), request.url.path)
    operation = document()["paths"][path][method.lower()]
    assert bool(request.content) == ("requestBody" in operation)
    known = {each["name"].lower(): each["in"] for each in operation.get("parameters", [])}
    assert {each.lower() for each in request.url.params} <= {each for each, where in known.items() if where == "query"}
    assert ("idempotency-key" in request.headers) == ("idempotency-key" in known)
    assert request.headers["Authorization"] == "Bearer token"


def sample(hint: Any) -> Any:
    """Something of a type; of a query one whose every field is set."""
    hint = next((each for each in get_args(hint) if each is not type(None)), hint)
    if hint is UUID:
        return uuid4()
    if hint is str:
        return "a" * 36
    assert issubclass(hint, BaseModel), hint
    if "cursor" in hint.model_fields or hint in (schemas.DutyQuery, schemas.QuarantineQuery):
        return hint.model_construct(set(hint.model_fields), **dict.fromkeys(hint.model_fields, "x"))
    return hint.model_construct()


def test_importing_it_brings_no_part_of_the_server() -> None:
    heavy = ("fastapi", "starlette", "uvicorn", "psycopg", "psycopg_pool", "paho", "aiomqtt", "sse_starlette", "jinja2")
    code = f"import json, sys, gateway.client; print(json.dumps([each for each in {heavy!r} if each in sys.modules]))"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    assert json.loads(told) == []


async def test_what_is_no_answer_of_ours_is_an_error_of_the_client() -> None:
    def proxy(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/me"):
            return httpx.Response(502, text="<h1>Bad gateway</h1>")
        if request.url.path.endswith("/sites"):
            return httpx.Response(200, json={"what": "is this"})
        raise httpx.ConnectError("nobody there")

    async with Client("http://gateway.test", transport=httpx.MockTransport(proxy)) as client:
        with pytest.raises(ProblemError) as refused:
            await client.me()
        assert (refused.value.status, refused.value.reason) == (502, "http")
        with pytest.raises(ClientError, match="not an answer"):
            await client.sites()
        with pytest.raises(Unreachable):
            await client.zones()
        with pytest.raises(Unreachable):
            await anext(client.changes())
    assert router.prefix == API
