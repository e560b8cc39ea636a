"""The pages to sign in by, and to choose a language."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from alerts.render import LANGUAGES
from gateway.access import SESSION_COOKIE
from gateway.errors import Invalid, Problem
from gateway.web import guard
from gateway.web.part import SEE_OTHER, Part, form_of

ROUTES = (
    ("GET", "/", "home"),
    ("GET", "/sign-in", "sign_in_form"),
    ("POST", "/sign-in", "sign_in"),
    ("POST", "/sign-out", "sign_out"),
    ("POST", "/language", "language"),
)


class SignInPages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    async def home(self) -> Response:
        return RedirectResponse(guard.HOME, SEE_OTHER)

    async def sign_in_form(self, request: Request) -> Response:
        target = guard.safe_next(request.query_params.get("next"))
        if await self._front.who(guard.token_of(request)) is not None:
            return RedirectResponse(target, SEE_OTHER)
        return self._page(request, "sign_in.html", next=target)

    async def sign_in(self, request: Request) -> Response:
        guard.check_same_origin(request)
        form = await form_of(request)
        target = guard.safe_next(form.get("next"))
        agent = request.headers.get("user-agent", "")
        try:
            session = await self._front.sign_in(form.get("username", ""), form.get("password", ""), agent)
        except Problem as refused:
            failed = {"next": target, "username": form.get("username", ""), "failed": refused.status}
            return self._page(request, "sign_in.html", refused.status, **failed)
        response = RedirectResponse(target, SEE_OTHER)
        guard.set_session(request, response, session.token, session.expires_at)
        return response

    async def sign_out(self, request: Request) -> Response:
        who, _ = await self._signed_form(request)
        await self._front.sign_out(who)
        response = RedirectResponse("/sign-in", SEE_OTHER)
        response.delete_cookie(SESSION_COOKIE, path="/")
        return response

    async def language(self, request: Request) -> Response:
        guard.check_same_origin(request)
        form = await form_of(request)
        chosen = form.get("language", "")
        if chosen not in LANGUAGES:
            raise Invalid("choose", "no such language")
        who = await self._front.who(guard.token_of(request))
        if who is not None:
            guard.check_csrf(form.get("csrf_token", ""), who.csrf_token)
            await self._front.set_language(who, chosen)
        response = RedirectResponse(guard.safe_next(form.get("next")), SEE_OTHER)
        guard.set_language(request, response, chosen)
        return response
