"""The pages of devices: which need somebody, how one is and what it said, and which rules apply to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import Request, Response

from alerts.describe import span
from alerts.words import said
from devices.kinds import kinds
from gateway.access import OVERSEERS
from gateway.api import schemas
from gateway.web import told
from gateway.web.html import Times
from gateway.web.part import Part
from gateway.web.rules import scope_text, weight
from gateway.web.seam import Who
from gateway.web.silences import about_silences

PER_PAGE = 50
LONGEST_CURSOR = 64
MESSAGES = 20
MOST_TYPES = 50
"""As many as can be asked for at once."""

ROUTES = (
    ("GET", "/devices", "devices"),
    ("GET", "/devices/{uid}", "device"),
)
"""Method, path and the name of the page's method."""


class DevicePages(Part):
    """Devices, the worst first; and one of them."""

    async def devices(self, request: Request) -> Response:
        who = await self._signed_in(request)
        query, times = _device_query(request.query_params), Times(self._now(), who.language)
        page = await self._front.devices(who, query)
        shown: dict[str, Any] = {
            "page": page,
            "lines": lambda device: told.in_list(device, who.language, times),
            "query": query,
            "count": await self._front.device_count(who, query),
            "zones": await self._front.device_zones(who),
            "every_kind": sorted(kinds()),
            "kept": {"q": query.q, "kind": query.kind, "zone": str(query.zone) if query.zone else None},
        }
        return self._page(request, "devices.html", **shown)

    async def device(self, request: Request, uid: UUID) -> Response:
        who = await self._signed_in(request)
        detail = await self._front.device(who, uid)
        times = Times(self._now(), who.language)
        return self._page(
            request,
            "device.html",
            device=detail,
            applied=sorted(detail.rules, key=lambda each: weight(each.rule)),
            contract=span(detail.silent_after_seconds, who.language),
            scope=scope_text(who),
            silenced=about_silences(who),
            may_silence=bool(who.roles & OVERSEERS),
            standing=told.standing(detail, who.language, times),
            state=told.other_state(detail, who.language, times),
            **await self._said(request, who, detail, times),
        )

    async def _said(self, request: Request, who: Who, device: schemas.DeviceDetail, times: Times) -> dict[str, Any]:
        """The chart of a range, and a page of the messages in it."""
        asked = request.query_params
        chosen = asked.get("range") if asked.get("range") in told.RANGES else "24h"
        assert chosen is not None
        back, bucket, _ = told.RANGES[chosen]
        since = times.now - back
        whose: dict[str, Any] = {"device": device.id, "since": since, "fitted": "now"}
        buckets = await self._front.buckets(who, schemas.BucketQuery(**whose, bucket=bucket, fields=told.MEASURED))
        type_ = asked.get("type", "")[:64] or None
        others = tuple(sorted({*buckets.texts} - told.SIGNS))[:MOST_TYPES]
        wanted = others if type_ == told.BUT_SIGNS else (type_,) if type_ else ()
        page, older, newer = (
            await self._messages(who, whose, wanted, asked) if wanted or not type_ else ([], None, None)
        )
        types = sorted({*buckets.texts, *([type_] if type_ else [])} - {told.BUT_SIGNS})
        return {
            "picture": told.picture(
                buckets, since, device.silent_after_seconds, who.language, times, by_day=bucket == "1d"
            ),
            "chosen": chosen,
            "ranges": told.RANGES,
            "since": since,
            "messages": told.messages(page, who.language, times),
            "older": older,
            "newer": newer,
            "type": type_,
            "but_signs": told.BUT_SIGNS if others and len(others) < len(buckets.texts) else None,
            "types": {each: said(each, device.kind, who.language) for each in types},
            "kept": {"range": chosen, "type": type_},
        }

    async def _messages(
        self, who: Who, whose: Mapping[str, Any], types: tuple[str, ...], asked: Mapping[str, str]
    ) -> tuple[list[schemas.ObservationView], str | None, str | None]:
        """A page of them, newest first, with the cursors to the older and the newer ones where there are any."""
        after = asked.get("after")
        behind = (after or asked.get("before") or "")[:LONGEST_CURSOR] or None
        query = schemas.ObservationQuery(
            **whose, types=types, order="oldest" if after else "newest", raw=True, cursor=behind, limit=MESSAGES
        )
        page = await self._front.observations(who, query)
        items = page.items[::-1] if after else page.items
        if not items:
            return items, None, None
        if after:
            return items, items[-1].id, items[0].id if page.next_cursor else None
        return items, page.next_cursor, items[0].id if asked.get("before") else None


def _device_query(asked: Mapping[str, str]) -> schemas.DeviceQuery:
    """Which devices an address asks for; a kind or zone that makes no sense is not asked for."""
    state = asked.get("state")
    return schemas.DeviceQuery(
        q=asked.get("q", "").replace("\x00", "\ufffd").strip()[:100],
        cursor=asked.get("cursor", "")[:LONGEST_CURSOR] or None,
        limit=PER_PAGE,
        kind=asked["kind"] if asked.get("kind") in kinds() else None,
        zone=_uid(asked.get("zone", "")),
        state="silent" if state == "silent" else "attention" if state == "attention" else None,
        order="worst",
    )


def _uid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
