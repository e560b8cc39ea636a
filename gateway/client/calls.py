"""How every call of the client is made: one request, and an answer, a problem or none. Errors are drawn in :mod:`gateway.client`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.api import schemas

API = "/api/v1"
Answer = TypeVar("Answer")
Query = TypeVar("Query", bound=schemas.Paged)


class ClientError(Exception):
    """Something that was asked of the gateway did not work."""


class ProblemError(ClientError):
    """The gateway said no, and why. ``problem``: as it said it."""

    def __init__(self, problem: schemas.Problem) -> None:
        super().__init__(
            f"{problem.status} {problem.reason}: {problem.detail}" + (f" ({problem.mend})" if problem.mend else "")
        )
        self.problem = problem
        self.status, self.reason = problem.status, problem.reason
        self.detail, self.mend = problem.detail, problem.mend


class Unreachable(ClientError):
    """There was no answer."""


class Calls:
    """The base of all parts of the client."""

    _http: httpx.AsyncClient

    def _carry(self, token: str) -> None:
        self._http.headers["Authorization"] = f"Bearer {token}"

    async def _call(
        self,
        answer: type[Answer],
        method: str,
        path: str,
        body: BaseModel | None = None,
        *,
        query: BaseModel | None = None,
        more: dict[str, Any] | None = None,
        key: str | None = None,
    ) -> Answer:
        reply = await self._send(method, path, body, query=query, more=more, key=key)
        try:
            return TypeAdapter(answer).validate_json(reply.content)
        except ValidationError as error:
            raise ClientError(f"{method} {path}: not an answer that this client knows: {error}") from error

    async def _send(
        self,
        method: str,
        path: str,
        body: BaseModel | None = None,
        *,
        query: BaseModel | None = None,
        more: dict[str, Any] | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        asked = (
            query.model_dump(mode="json", exclude_none=True, exclude_unset=True, by_alias=True)
            if query is not None
            else {}
        )
        try:
            reply = await self._http.request(
                method,
                API + path,
                params={**asked, **(more or {})},
                json=body.model_dump(mode="json", exclude_unset=True) if body is not None else None,
                headers={"Idempotency-Key": key} if key else None,
            )
        except httpx.HTTPError as error:
            raise Unreachable(f"{method} {path}: no answer: {error!r}") from error
        if reply.is_error:
            raise problem_of(reply)
        return reply


class HasNext(Protocol):
    @property
    def next_cursor(self) -> str | None: ...


Page = TypeVar("Page", bound=HasNext)


async def each(
    read: Callable[[Query], Awaitable[Page]], query: Query, items: Callable[[Page], list[Answer]]
) -> AsyncIterator[Answer]:
    """Every item of every page from this one on."""
    while True:
        page = await read(query)
        for item in items(page):
            yield item
        if page.next_cursor is None:
            return
        query = query.model_copy(update={"cursor": page.next_cursor})


def problem_of(reply: httpx.Response) -> ProblemError:
    """What is no problem of ours is one all the same: a proxy in between may have answered."""
    try:
        return ProblemError(schemas.Problem.model_validate_json(reply.content))
    except ValidationError:
        title = reply.reason_phrase or "error"
        return ProblemError(
            schemas.Problem(title=title, status=reply.status_code, detail=reply.text[:200] or title, reason="http")
        )
