"""The OpenAPI document: an operation is called as its function is, and every error is a problem+json."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

PROBLEM_JSON = "application/problem+json"


def operation_id(route: APIRoute) -> str:
    """The name of its function, which is the client's method, too."""
    return route.name


def describe(app: FastAPI) -> None:
    """Have the application make its document so."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        document = made()
        if fresh:
            _problems_only(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _problems_only(document: dict[str, Any]) -> None:
    """What FastAPI says of errors of ours has their schema under the wrong type."""
    for item in document["paths"].values():
        for operation in item.values():
            for status, response in operation["responses"].items():
                if status.startswith(("4", "5")):
                    schema = {"$ref": "#/components/schemas/Problem"}
                    response["content"] = {PROBLEM_JSON: {"schema": schema}}
