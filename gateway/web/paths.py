"""The page of an alert's way: a waterfall of its legs, and the same as a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from babel.numbers import format_decimal
from fastapi import Request, Response

from alerts.render import translations
from alerts.timeline import channel_text
from devices.words import N_
from gateway.api.schemas import AlertPath, PagePath
from gateway.web.html import OSLO
from gateway.web.part import Part
from gateway.web.waterfall import Piece, waterfall
from gateway.web.words import VALUES

ROUTES = (("GET", "/alerts/{uid}/path", "path"),)

WAITS = {
    "network": N_("On the way from the device"),
    "judging": N_("Stored and judged"),
    "sending": N_("Waits to be sent"),
    "handing": N_("Is being handed over"),
    "receipt": N_("Waits for word that it was received"),
    "showing": N_("Waits to be shown"),
    "answer": N_("Waits for an answer"),
}
"""By what a bar's piece waits for, in the order of the path."""
STATES = {
    "queued": N_("Not sent yet"),
    "leased": N_("Being sent"),
    "handed_over": N_("Handed over"),
    "received": N_("Received"),
    "shown": N_("Shown"),
    "answered": N_("Answered"),
    "failed": N_("Did not get through"),
    "withdrawn": N_("Withdrawn"),
}
LEGS = {
    "stored": N_("Stored"),
    "receipted": N_("Receipt to the device"),
    "raised": N_("Alert raised"),
    "queued": N_("Page made"),
    "leased": N_("Taken to be sent"),
    "handed_over": N_("Handed over"),
    "answered": N_("Answered"),
    "whole": N_("The whole way"),
}
"""Of the test alarm."""
STEPS = ("queued_at", "leased_at", "handed_over_at", "received_at", "shown_at", "answered_at", "ended_at")


@dataclass(frozen=True, slots=True)
class Told:
    """A page in words: who by which channel, how it ended, and when each leg was, after the event."""

    who: str
    state: str
    after: tuple[str, ...]


class PathPages(Part):
    """For whoever oversees."""

    async def path(self, request: Request, uid: UUID) -> Response:
        who = await self._signed_in(request)
        found = await self._front.alert_path(who, uid)
        words = Words(found, who.language)
        drawn = waterfall(found)
        used = {piece.waits for row in drawn.rows for piece in row.pieces}
        return self._page(
            request,
            "waterfall.html",
            path=found,
            drawn=drawn,
            told=words,
            legend=[(waits, words.gettext(text)) for waits, text in WAITS.items() if waits in used],
            pages=[words.page(each) for each in found.pages],
        )


def about_canaries(language: str) -> dict[str, Any]:
    """What a page about test alarms needs: their legs in words, and how long one took."""
    gettext = translations(language).gettext
    return {
        "legs": {leg: gettext(text) for leg, text in LEGS.items()},
        "stops": {leg: gettext(text) for leg, text in VALUES["missing"].items()},
        "took": lambda seconds: took(seconds, language),
    }


class Words:
    """An alert's legs in a language, each as a time after the event."""

    def __init__(self, path: AlertPath, language: str) -> None:
        self._begin = path.occurred_at
        self._language = language
        self.gettext = translations(language).gettext

    def page(self, page: PagePath) -> Told:
        channel = channel_text(page.channel, self._language)
        name = f"{page.person.name}, {channel}" if page.person else channel
        times = tuple(self.after(getattr(page, step)) for step in STEPS)
        return Told(name, self.gettext(STATES[page.state]), times)

    def piece(self, piece: Piece) -> str:
        return f"{self.gettext(WAITS[piece.waits])}: {self.took(piece.seconds)}"

    def after(self, at: datetime | None) -> str:
        """How long after the event; a dash where that is not known."""
        return "–" if at is None else self.took(max((at - self._begin).total_seconds(), 0.0))

    def clock(self, at: datetime) -> str:
        """To the millisecond."""
        local = at.astimezone(OSLO)
        return f"{local:%H:%M:%S}.{local.microsecond // 1000:03}"

    def took(self, seconds: float) -> str:
        return took(seconds, self._language)


def took(seconds: float, language: str) -> str:
    """A duration, as exactly as is of interest."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}\N{NO-BREAK SPACE}ms"
    if seconds < 60:
        return f"{format_decimal(round(seconds, 1), locale=language)}\N{NO-BREAK SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}\N{NO-BREAK SPACE}min" + (f" {rest}\N{NO-BREAK SPACE}s" if rest else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours}\N{NO-BREAK SPACE}h" + (f" {minutes}\N{NO-BREAK SPACE}min" if minutes else "")
