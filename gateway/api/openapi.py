"""The OpenAPI document: an operation is called as its function is, every error is a problem+json, and each says who may call
it: by which token, and with which roles (``x-roles``; empty: whoever is signed in)."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from gateway.access import SESSION_COOKIE
from gateway.api.access import CSRF_HEADER, Access

PROBLEM_JSON = "application/problem+json"
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The `token` of POST /api/v1/sessions"},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": f"A browser's session; whatever changes something needs its token in the header {CSRF_HEADER}, too",
    },
}


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
            _who_may_call(app, document)
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


def _who_may_call(app: FastAPI, document: dict[str, Any]) -> None:
    """As each operation declares it; nothing is written twice."""
    document.setdefault("components", {})["securitySchemes"] = SCHEMES
    for route in iter_route_contexts(app.routes):
        item = document["paths"].get(route.path or "", {})
        declared = [each.call for each in route.dependant.dependencies] if item else []
        access = next((each for each in declared if isinstance(each, Access)), None)
        for method in (each.lower() for each in (route.methods or ()) if each.lower() in item):
            item[method]["security"] = [{name: []} for name in SCHEMES] if access else []
            if access is not None:
                item[method]["x-roles"] = sorted(access.roles or ())
