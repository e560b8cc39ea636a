"""The page of figures: how long answers took in a week, a month or a quarter, and who has too many alerts.

Rules
    Answer times and residents are for those who lead; technical services see devices, by technical alerts alone. Nobody of the
    staff is named. Every table is there as CSV, by the same question to the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response

from alerts.model import Track
from gateway.access import LEADERS, OVERSEERS
from gateway.api import schemas
from gateway.errors import NotAllowed
from gateway.web import figureview, rosterview
from gateway.web.figureview import Period
from gateway.web.html import OSLO
from gateway.web.part import Part
from gateway.web.rosterview import ZoneOption
from gateway.web.seam import Who

ROUTES = (("GET", "/figures", "figures"),)
"""Method, path and the name of the page's method."""

SHOWN = 25
"""Devices and residents; the table as CSV has more."""
IN_CSV = 1000


class FigurePages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    async def figures(self, request: Request) -> Response:
        who = await self._signed_in(request)
        zones = [each for each in rosterview.zone_options(await self._front.zones(who)) if each.roles & OVERSEERS]
        if not zones:
            raise NotAllowed("role", "this is for leads, the response centre, technical services and administrators")
        asked, today = request.query_params, self._now().astimezone(OSLO).date()
        zone = next((each for each in zones if str(each.id) == asked.get("zone")), None)
        period = figureview.period(asked.get("period"), figureview.day_of(asked.get("day"), today), who.language)
        leads = bool((zone.roles if zone else who.roles) & LEADERS)
        whose = _whose(zone, period)
        shown: dict[str, Any] = {
            "zones": zones,
            "zone": zone,
            "period": period,
            "periods": figureview.PERIODS,
            "running": period.until >= today,
            "link": lambda **other: _link(zone, period, **other),
            "csv": lambda name, **more: _csv(name, whose, **more),
            "share": lambda each: figureview.share(each.false_alarms, each.closed, who.language),
            "leads": leads,
            "answers": await self._answers_of(who, whose) if leads else None,
            "devices": await self._front.device_frequency(who, schemas.FrequencyQuery(**whose, limit=SHOWN)),
            "residents": await self._residents_of(who, whose) if leads else None,
            "shown": SHOWN,
        }
        return self._page(request, "figures.html", still=True, **shown)

    async def _residents_of(self, who: Who, whose: Mapping[str, Any]) -> schemas.ResidentFrequencies:
        return await self._front.resident_frequency(who, schemas.FrequencyQuery(**whose, track=Track.CARE, limit=SHOWN))

    async def _answers_of(self, who: Who, whose: Mapping[str, Any]) -> dict[str, Any]:
        """Of care alerts: all of them, and by hour, zone and cause."""

        async def ask(*per: schemas.PerAnswer) -> list[schemas.AnswerLine]:
            query = schemas.AnswerTimesQuery(**whose, per=per, track=Track.CARE)
            return (await self._front.answer_times(who, query)).lines

        whole, by_hour, language = await ask(), await ask("hour"), who.language
        return {
            "whole": figureview.line(whole[0], "", language) if whole else None,
            "hours": figureview.hours(by_hour, language),
            "by_hour": [figureview.line(each, figureview.hour_name(each.hour or 0), language) for each in by_hour],
            "by_zone": [
                figureview.line(each, each.zone.name if each.zone else "", language) for each in await ask("zone")
            ],
            "by_cause": [
                figureview.line(each, figureview.cause_name(each, language), language) for each in await ask("cause")
            ],
        }


def _whose(zone: ZoneOption | None, period: Period) -> dict[str, Any]:
    return {"since": period.since, "until": period.until, **({"zone": zone.id} if zone else {})}


def _link(zone: ZoneOption | None, stretch: Period, **other: Any) -> str:
    """This page, but for what is given."""
    kept = {"zone": zone.id if zone else None, "period": stretch.name, "day": stretch.since, **other}
    return f"/figures?{urlencode({name: value for name, value in kept.items() if value})}"


def _csv(name: str, whose: Mapping[str, Any], **more: Any) -> str:
    """Where the API has the same as a table."""
    often = {"limit": IN_CSV} if name in ("devices", "residents") else {}
    return f"/api/v1/statistics/{name}.csv?{urlencode({**whose, **often, **more})}"
