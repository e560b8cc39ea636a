"""A desk's list of a zone: for leads and the response centre, on a large screen and on a phone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import Request, Response

from alerts.model import Severity, Track
from alerts.render import SEVERITIES
from devices.words import N_
from gateway.api.schemas import DeskAlert, DeskQuery
from gateway.web import lists, views
from gateway.web.part import Part

ROUTES = (("GET", "/desk", "desk"),)
LAST = datetime.max.replace(tzinfo=UTC)

TRACKS = {Track.CARE: N_("Care"), Track.TECHNICAL: N_("Technical")}
WAITING = {"yes": N_("Without an answer"), "no": N_("Somebody has it")}
AT_LEAST = (Severity.MODERATE, Severity.SERIOUS, Severity.CRITICAL)

Key = Callable[[DeskAlert], tuple[Any, ...]]
SORTS: Mapping[str, tuple[str, Key]] = {
    "severity": (N_("Severity"), lambda _: ()),
    "alert": (N_("Alert"), lambda each: (each.title, each.resident or "")),
    "zone": (N_("Zone"), lambda each: (each.zone,)),
    "raised": (N_("Since"), lambda each: (each.raised_at,)),
    "holder": (N_("Who has it"), lambda each: (each.holder.name if each.holder else "",)),
    "next": (N_("Next"), lambda each: (each.due_at or LAST,)),
}
"""What the list can be sorted by: the heading of the column, and what counts before severity and age do."""


class DeskPages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    async def desk(self, request: Request) -> Response:
        who = await self._signed_in(request)
        asked = request.query_params
        query = _query(asked)
        found = await self._front.desk(who, query)
        sort = asked.get("sort", "")
        sort = sort if sort in SORTS else "severity"
        kept = {name: asked.get(name) for name in ("zone", "severity", "track", "waiting")}
        return self._page(
            request,
            "desk.html",
            desk=found,
            silenced=await self._front.silence_count(who),
            query=query,
            alerts=sorted(found.alerts, key=_by(sort, query)),
            waiting=sum(lists.waits(each) for each in found.alerts),
            sort=sort,
            sorts={name: heading for name, (heading, _) in SORTS.items()},
            tracks=TRACKS,
            answered=WAITING,
            severities={each: SEVERITIES[each] for each in AT_LEAST},
            link=lambda **more: "/desk?" + views.address({**kept, "sort": asked.get("sort"), **_state(query), **more}),
        )


def _query(asked: Mapping[str, str]) -> DeskQuery:
    """What an address or a form asks for; what makes no sense is not asked for."""
    return DeskQuery(
        state="closed" if asked.get("state") == "closed" else "open",
        zone=_uuid(asked.get("zone", "")),
        severity=next((each for each in AT_LEAST if str(each.value) == asked.get("severity")), Severity.NOT_REPORTED),
        track=next((each for each in Track if each == asked.get("track")), None),
        waiting={"yes": True, "no": False}.get(asked.get("waiting", "")),
    )


def _state(query: DeskQuery) -> Mapping[str, str | None]:
    return {"state": "closed" if query.state == "closed" else None}


def _by(sort: str, query: DeskQuery) -> Key:
    """By what is asked for, then as the phone's list does; of closed ones the newest first."""
    first = SORTS[sort][1]
    if query.state == "closed" and sort == "severity":
        return lambda each: (-each.closed_at.timestamp() if each.closed_at else 0,)
    return lambda each: (*first(each), *lists.weight(each))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
