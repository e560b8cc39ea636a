"""The pages: all parts together, and their routes.

Rules
    A page that is not for everybody asks who is signed in; nobody is: to the sign-in, and back afterwards.
    A form is answered with "see other".

Theory
    Each page is a method of a part: gather (ask the gateway), then render. A :class:`~gateway.errors.Problem` raised on the way
    is turned into a page in one place, :func:`gateway.web.rendering.page_route`.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from gateway.clock import Clock, SystemClock
from gateway.web import (
    alerts,
    contacts,
    desk,
    devices,
    figures,
    guard,
    how,
    paths,
    patterns,
    phone,
    policies,
    quarantine,
    residents,
    rosters,
    rules,
    signin,
    silences,
    teams,
)
from gateway.web.alerts import AlertPages
from gateway.web.contacts import ContactPages
from gateway.web.desk import DeskPages
from gateway.web.devices import DevicePages
from gateway.web.figures import FigurePages
from gateway.web.how import HowPages
from gateway.web.paths import PathPages
from gateway.web.patterns import PatternPages
from gateway.web.phone import PhonePages
from gateway.web.policies import PolicyPages
from gateway.web.quarantine import QuarantinePages
from gateway.web.rendering import page_route, problem_of, problem_page, render
from gateway.web.residents import ResidentPages
from gateway.web.rosters import RosterPages
from gateway.web.rules import RulePages
from gateway.web.seam import Front
from gateway.web.signin import SignInPages
from gateway.web.silences import SilencePages
from gateway.web.teams import TeamPages

PARTS = (
    signin,
    alerts,
    contacts,
    rules,
    policies,
    desk,
    devices,
    figures,
    how,
    paths,
    phone,
    quarantine,
    residents,
    rosters,
    patterns,
    silences,
    teams,
)


def router(front: Front[Any], clock: Clock | None = None) -> APIRouter:
    """The pages' routes. ``clock``: what "how long ago" is reckoned from."""
    clock = clock or SystemClock()
    pages = Pages(front, clock)
    made = APIRouter(include_in_schema=False, route_class=page_route(clock))
    for method, path, name in (each for part in PARTS for each in part.ROUTES):
        made.add_api_route(path, getattr(pages, name), methods=[method])
    return made


async def missing(front: Front[Any], clock: Clock, request: Request) -> Response | None:
    """The page for an address that nothing has, where a browser asks for it; None where a program does."""
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return None
    request.state.who = await front.who(guard.token_of(request))
    return problem_page(request, clock, problem_of(404, "not_found"))


class Pages(
    SignInPages,
    AlertPages,
    RulePages,
    PolicyPages,
    DevicePages,
    DeskPages,
    FigurePages,
    HowPages,
    PathPages,
    PhonePages,
    QuarantinePages,
    ResidentPages,
    RosterPages,
    PatternPages,
    SilencePages,
    TeamPages,
    ContactPages,
):
    """Every page; each method answers one request."""

    def _page(self, request: Request, template: str, status: int = 200, **shown: Any) -> Response:
        return render(request, self._clock, template, status, **shown)
