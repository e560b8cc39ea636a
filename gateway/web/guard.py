"""What keeps a page's forms honest.

Rules
    A form is taken only from our own pages: ``Sec-Fetch-Site`` says so, or ``Origin`` names our own host. Where somebody
    is signed in it also carries the session's token, compared in constant time.
    The session's cookie cannot be read by scripts, and leaves the machine unencrypted only where the page did.
    ``next`` leads nowhere but to a path of ours.
"""

from __future__ import annotations

from datetime import datetime
from secrets import compare_digest
from urllib.parse import urlsplit

from fastapi import Request, Response

from gateway.access import SESSION_COOKIE
from gateway.errors import NotAllowed

LANGUAGE_COOKIE = "hjemmevakt_language"
A_YEAR = 365 * 24 * 3600
HOME = "/alerts"


def check_same_origin(request: Request) -> None:
    """NotAllowed for a form that was not sent from a page of ours."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        ours = site in {"same-origin", "none"}
    else:
        ours = _host(request.headers.get("origin", "")) == request.headers.get("host")
    if not ours:
        raise NotAllowed("origin", "the form was sent from another site")


def check_csrf(given: str, wanted: str) -> None:
    """NotAllowed for a form without the session's own token."""
    if not compare_digest(given.encode(), wanted.encode()):
        raise NotAllowed("csrf", "the form does not belong to this session")


def safe_next(target: str | None) -> str:
    """A path of ours to go on to; the list of alerts for anything else."""
    if not target or not target.isprintable() or "\\" in target:
        return HOME
    if not target.startswith("/") or target.startswith("//"):
        return HOME
    return target


def set_session(request: Request, response: Response, token: str, expires_at: datetime) -> None:
    response.set_cookie(
        SESSION_COOKIE, token, expires=expires_at, path="/", httponly=True, samesite="lax", secure=_encrypted(request)
    )


def set_language(request: Request, response: Response, language: str) -> None:
    response.set_cookie(
        LANGUAGE_COOKIE, language, max_age=A_YEAR, path="/", httponly=True, samesite="lax", secure=_encrypted(request)
    )


def _encrypted(request: Request) -> bool:
    """Whether people reach us by https, be it through a proxy that does the encryption."""
    return request.url.scheme == "https" or getattr(request.app.state, "https", False)


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def token_of(request: Request) -> str | None:
    return request.cookies.get(SESSION_COOKIE)
