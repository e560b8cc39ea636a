"""The app on a phone: its service worker, its manifest, what is shown without a network, and whether this phone rings.

Rules
    The service worker (``static/sw.js``) is one file for everybody, in all languages, and changes when any file of the app does:
    then browsers fetch it anew. What stands before it here are facts, no code.
    The page without a network is nobody's: it names no one, and stays on the phone.
"""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from typing import Any, Literal

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from alerts.render import LANGUAGES, translations
from devices.words import N_
from gateway.web.html import STATIC, guest_language, static
from gateway.web.part import Part
from gateway.web.views import LABELS
from gateway.web.words import REFUSALS

ROUTES = (
    ("GET", "/sw.js", "service_worker"),
    ("GET", "/words.js", "phone_words"),
    ("GET", "/manifest.webmanifest", "manifest"),
    ("GET", "/offline", "offline"),
    ("GET", "/phone", "phone"),
)

SHELL = ("style.css", "live.js", "outbox.js", "push.js", "alert.css", "icon.svg", "icon-192.png", "badge-96.png")
"""What a page needs to be looked at without a network."""

WORDS = {
    "take": LABELS["claim"],
    "open": N_("Open"),
    "alarm": N_("There may be an alarm"),
    "open_app": N_("Something came that this phone cannot read. Open the app and look."),
    "recalled": N_("No longer needed: somebody has answered."),
    "yours": N_("You have it"),
    "not_taken": N_("Your answer was not taken. Open the alert and look."),
    "sent": N_("Your answer has been sent, and was taken."),
    "kept": N_("Kept on this phone. It is sent when there is a network. If it is urgent, phone."),
    "waits": N_("Given at {time}, waits for a network. If it is urgent, phone."),
    "seen": N_("OK"),
}
CLAIMS = {
    "held_by_other": N_("A colleague has it. Nothing more is needed."),
    "closed": REFUSALS["closed"],
    "over": REFUSALS["closed"],
}
"""Why a page was not taken, by a problem's reason."""


@cache
def words(language: str) -> dict[str, Any]:
    """What the scripts say, in a language."""
    _ = translations(language).gettext
    return {
        **{name: _(text) for name, text in WORDS.items()},
        "claims": {reason: _(text) for reason, text in CLAIMS.items()},
        "refusals": {reason: _(text) for reason, text in REFUSALS.items()},
    }


@cache
def words_module(language: str) -> str:
    """The same as a module for the pages' scripts, which a phone keeps."""
    return f"export default {json.dumps(words(language), ensure_ascii=False)};\n"


@cache
def words_address(language: str) -> str:
    """Where that module is; the address changes with its content."""
    return f"/words.js?language={language}&v={sha256(words_module(language).encode()).hexdigest()[:12]}"


@cache
def worker() -> str:
    """The service worker as browsers get it."""
    shell = [*(static(name) for name in SHELL), *(words_address(language) for language in LANGUAGES)]
    told = {
        "SHELL": shell,
        "OUTBOX": static("outbox.js"),
        "ICON": static("icon-192.png"),
        "BADGE": static("badge-96.png"),
        "WORDS": {language: words(language) for language in LANGUAGES},
    }
    code = (STATIC / "sw.js").read_text("utf-8")
    version = sha256(f"{told}{code}".encode()).hexdigest()[:12]
    facts = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in {"VERSION": version, **told}.items())
    return facts + code


@cache
def manifest(language: str) -> dict[str, Any]:
    """What makes it an app that can be installed."""
    _ = translations(language).gettext
    return {
        "id": "/alerts",
        "name": "hjemmevakt",
        "short_name": "hjemmevakt",
        "description": _(N_("Alerts from people's homes, and answers to them")),
        "lang": language,
        "dir": "ltr",
        "start_url": "/alerts",
        "scope": "/",
        "display": "standalone",
        "orientation": "any",
        "background_color": "#0c3b4c",
        "theme_color": "#0c3b4c",
        "categories": ["medical", "productivity"],
        "icons": [
            _icon("icon.svg", "any", "image/svg+xml", "any"),
            _icon("icon-192.png", "192x192", "image/png", "any"),
            _icon("icon-512.png", "512x512", "image/png", "any"),
            _icon("maskable-192.png", "192x192", "image/png", "maskable"),
            _icon("maskable-512.png", "512x512", "image/png", "maskable"),
        ],
        "shortcuts": [
            _shortcut(_(N_("Alerts")), "/alerts"),
            _shortcut(_(N_("My shifts")), "/my-shifts"),
            _shortcut(_(N_("This phone")), "/phone"),
        ],
    }


def _icon(name: str, sizes: str, kind: str, purpose: str) -> dict[str, str]:
    return {"src": static(name), "sizes": sizes, "type": kind, "purpose": purpose}


def _shortcut(name: str, url: str) -> dict[str, Any]:
    return {"name": name, "url": url, "icons": [_icon("icon-192.png", "192x192", "image/png", "any")]}


class PhonePages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    async def service_worker(self) -> Response:
        return Response(worker(), media_type="text/javascript", headers={"Cache-Control": "no-cache"})

    async def phone_words(self, language: Literal["nb", "nn", "en"] = "nb") -> Response:
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(words_module(language), media_type="text/javascript", headers=headers)

    async def manifest(self, request: Request) -> Response:
        headers = {"Cache-Control": "no-cache", "Vary": "Accept-Language, Cookie"}
        return JSONResponse(manifest(guest_language(request)), 200, headers, "application/manifest+json")

    async def offline(self, request: Request) -> Response:
        """Without asking who is signed in: it stays on the phone."""
        return self._page(request, "offline.html")

    async def phone(self, request: Request) -> Response:
        await self._signed_in(request)
        return self._page(request, "phone.html", still=True)
