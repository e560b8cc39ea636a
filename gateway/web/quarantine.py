"""The page of what could not be read: why, what to do about it, and giving it another try."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from devices.model import Reason
from gateway.api.schemas import QuarantineQuery
from gateway.web import views, words
from gateway.web.part import SEE_OTHER, Part

PER_PAGE = 50

ROUTES = (
    ("GET", "/quarantine", "quarantine"),
    ("POST", "/quarantine/decode", "decode_all_again"),
    ("POST", "/quarantine/{uid}/decode", "decode_again"),
)


class QuarantinePages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    async def quarantine(self, request: Request) -> Response:
        who = await self._signed_in(request)
        asked = request.query_params
        query = _quarantine_query(asked)
        page = await self._front.quarantine(who, query, asked.get("cursor"), PER_PAGE)
        told = views.decoded_again(asked, who.language)
        rest = asked.get("rest")
        return self._page(
            request, "quarantine.html", page=page, query=query, told=told, rest=rest, reasons=words.REASONS
        )

    async def decode_again(self, request: Request, uid: UUID) -> Response:
        who, form = await self._signed_form(request, back="/quarantine")
        again = await self._front.decode_again(who, uid)
        where = "#item-" + str(uid) if again.outcome == "unreadable" else ""
        return _to_quarantine(_quarantine_query(form), {again.outcome: "1"}, where)

    async def decode_all_again(self, request: Request) -> Response:
        who, form = await self._signed_form(request, back="/quarantine")
        query = _quarantine_query(form)
        again = await self._front.decode_all_again(who, query, form.get("rest"))
        counts = again.model_dump(exclude={"next_cursor"})
        rest = {"rest": again.next_cursor} if again.next_cursor else {}
        return _to_quarantine(query, {**{name: str(count) for name, count in counts.items()}, **rest})


def _quarantine_query(asked: Mapping[str, str]) -> QuarantineQuery:
    """Which messages an address or a form asks for; what makes no sense is not asked for."""
    reason = asked.get("reason", "")
    return QuarantineQuery(
        q=asked.get("q", "").strip()[:200] or None,
        reason=Reason(reason) if reason in {*Reason} else None,
        site=asked.get("site", "")[:64] or None,
        state="decoded" if asked.get("state") == "decoded" else "waiting",
    )


def _to_quarantine(query: QuarantineQuery, told: Mapping[str, str], where: str = "") -> Response:
    """Back to the list as it was asked for, with what was done."""
    asked = query.model_dump(mode="json", exclude_none=True, exclude={"state"})
    return RedirectResponse(f"/quarantine?{urlencode({**asked, **told})}{where}", SEE_OTHER)
