"""The pages of contacts: how somebody is reached, a phone that is added by a code or a link, and where a test is confirmed.

Rules
    Every form is one step, works without JavaScript, and leads back to where it was; what is refused is shown there with the
    reason, and nothing has changed.
    A code and its link are shown once, on the page that answers the form. To open the link uses nothing up; to say yes does.
    Whoever confirms a test need not be signed in: that they have the page is what is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from functools import partial
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup

from alerts.contacts import State
from alerts.delivery import PageState
from alerts.render import translations
from alerts.timeline import channel_text
from devices.words import N_
from gateway.api import schemas
from gateway.errors import Conflict, Gone, Invalid, NotFound, NotSignedIn, Problem
from gateway.machines import kind_of
from gateway.web import guard
from gateway.web.part import SEE_OTHER, Part
from gateway.web.seam import Who

MINE = "/me/contacts"
THIS_PHONE = "/phone"
"""Where the app on a phone asks whether it may ring."""
KEY = re.compile(r"[A-Za-z0-9_-]{32,128}")

ROUTES = (
    ("GET", MINE, "contacts"),
    ("POST", MINE, "change_contacts"),
    ("GET", "/add-phone/{token}", "phone_link"),
    ("POST", "/add-phone/{token}", "use_phone_link"),
    ("GET", "/confirm/{key}", "test_page"),
    ("POST", "/confirm/{key}", "confirm_test"),
)
"""Method, path and the name of the page's method."""

ASKED = {
    "email": N_("E-mail address"),
    "sms": N_("Telephone number"),
    "voice": N_("Telephone number"),
    "ntfy": N_("Topic"),
}
EXAMPLES = {"email": "navn@kommune.no", "sms": "+47 400 00 000", "voice": "+47 400 00 000"}
KEYBOARDS = {"email": "email", "sms": "tel", "voice": "tel"}
STATES = {
    State.WORKS: N_("Works"),
    State.NOT_TESTED: N_("Not tested"),
    State.WAITS: N_("Waits to be confirmed"),
    State.UNCONFIRMED: N_("The test was not confirmed"),
    State.BROKEN: N_("Does not work"),
}
ICONS = {
    State.WORKS: "done",
    State.NOT_TESTED: "severity-0",
    State.WAITS: "clock",
    State.UNCONFIRMED: "severity-30",
    State.BROKEN: "deaf",
}

NO_ADDRESS = {
    "email": N_("This is no e-mail address. Write it as navn@kommune.no, and nothing else."),
    "sms": N_("This is no telephone number. Write it as +47 400 00 000."),
    "voice": N_("This is no telephone number. Write it as +47 400 00 000."),
}
REFUSED = {
    "address": N_("This address cannot be used here. Look at it again."),
    "channel": N_("This way is not set up here."),
    "not_set_up": N_("This way is not set up here any more. Add another one."),
    "there_already": N_("You have this contact already."),
    "too_many": N_("You have as many contacts as one can have. Remove one first."),
    "just_sent": N_("A test has just been sent. Wait a minute."),
    "no_place": N_("You have no role in a zone now, so nobody would be told. Ask your lead."),
    "by_link": N_(
        "You were signed in here by a link, and a link makes no other. Sign out, and sign in with your password."
    ),
    "told": N_("Your lead has been told already, and closes it. You can still confirm the test, or send another one."),
    "quiet_from": N_("Give both times, and different ones; or neither."),
    "quiet_to": N_("Give both times, and different ones; or neither."),
    "contact": N_("That contact is not there any more."),
    "session": N_("That is ended already."),
    "stale": N_("Your contacts have changed meanwhile. Look at them again."),
    "choose": N_("Not sent: something has to be chosen first."),
}
"""Why nothing was changed, by a problem's reason."""

Form = Mapping[str, str]


class ContactPages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    async def contacts(self, request: Request) -> Response:
        return await self._contact_page(request, await self._signed_in(request))

    async def change_contacts(self, request: Request) -> Response:
        who, form = await self._signed_form(request, back=MINE)
        try:
            link = await self._changed_contacts(who, form)
        except Problem as refused:
            if isinstance(refused, NotSignedIn):
                raise
            return await self._contact_page(request, who, form, refused)
        if link is not None:
            return await self._contact_page(request, who, link=link)
        return RedirectResponse(MINE, SEE_OTHER)

    async def _contact_page(
        self,
        request: Request,
        who: Who,
        form: Form | None = None,
        refused: Problem | None = None,
        link: schemas.PhoneLink | None = None,
    ) -> Response:
        kept = await self._front.contacts(who)
        return self._page(
            request,
            "contacts.html",
            refused.status if refused else 200,
            kept=kept,
            sessions=await self._front.signed_in_at(who),
            headed=partial(channel_text, language=who.language, heads=True),
            asked=ASKED,
            examples=EXAMPLES,
            keyboards=KEYBOARDS,
            states=STATES,
            icons=ICONS,
            link=link,
            code=_code(link.url) if link else None,
            this_phone=THIS_PHONE,
            machine=_machine,
            given=form or {},
            minutes=max(1, kept.told_after // 60),
            sure=form.get("id") if form and refused and refused.reason == "last_contact" else None,
            refused=_refusal(refused, form or {}, who.language),
            still=True,
        )

    async def _changed_contacts(self, who: Who, form: Form) -> schemas.PhoneLink | None:
        """What a form asks for; the link for a phone, where that is it."""
        do = form.get("do", "")
        match do:
            case "add":
                await self._front.add_contact(who, _added(form))
            case "up" | "down":
                await self._move(who, _uuid(form.get("id")), -1 if do == "up" else 1)
            case "quiet":
                await self._front.set_quiet_hours(who, _uuid(form.get("id")), _quiet(form))
            case "test":
                await self._front.test_contact(who, _uuid(form.get("id")))
            case "call_off":
                await self._front.call_off_test(who, _uuid(form.get("id")))
            case "remove":
                await self._front.remove_contact(who, _uuid(form.get("id")), confirmed=form.get("sure") == "yes")
            case "end_session":
                await self._front.end_session(who, _uuid(form.get("id")))
            case "phone_link":
                return await self._front.make_phone_link(who)
            case _:
                raise Invalid("choose", "the form asks for nothing that we know")
        return None

    async def _move(self, who: Who, uid: UUID, by: int) -> None:
        """A place up or down; at the end it stays where it is."""
        ids = [each.id for each in (await self._front.contacts(who)).contacts]
        if uid not in ids:
            raise NotFound("contact", "there is no such contact of yours")
        at, to = ids.index(uid), min(max(ids.index(uid) + by, 0), len(ids) - 1)
        ids.insert(to, ids.pop(at))
        await self._front.order_contacts(who, schemas.ContactOrder(ids=ids))

    # A phone ----------------------------------------------------------------------------------------------------------

    async def phone_link(self, request: Request, token: str) -> Response:
        who = await self._who(request)
        try:
            whose = await self._front.phone_link(token, who)
        except (Gone, Conflict) as refused:
            return self._page(request, "add_phone.html", refused.status, refused=refused.reason, still=True)
        return self._page(request, "add_phone.html", whose=whose, refused=None, token=token, still=True)

    async def use_phone_link(self, request: Request, token: str) -> Response:
        guard.check_same_origin(request)
        who = await self._who(request)
        try:
            begun = await self._front.use_phone_link(token, who, request.headers.get("user-agent", ""))
        except (Gone, Conflict) as refused:
            return self._page(request, "add_phone.html", refused.status, refused=refused.reason, still=True)
        signed_in = await self._front.who(begun.token)
        rings = signed_in is not None and (await self._front.contacts(signed_in)).by_phone
        response = RedirectResponse(THIS_PHONE if rings else MINE, SEE_OTHER)
        guard.set_session(request, response, begun.token, begun.expires_at)
        return response

    # A test -----------------------------------------------------------------------------------------------------------

    async def test_page(self, request: Request, key: str) -> Response:
        """What a test's link leads to. Whoever only looks has confirmed nothing: programs look at links, too."""
        await self._who(request)
        page = await self._front.page(_key(key))
        if not page.test:
            return RedirectResponse(page.url, SEE_OTHER)
        return self._page(request, "confirm.html", state=_of_test(page), key=key, still=True)

    async def confirm_test(self, request: Request, key: str) -> Response:
        guard.check_same_origin(request)
        page = await self._front.page(_key(key))
        if page.test:
            try:
                await self._front.claim_page(key, schemas.PageClaim())
            except Gone:
                return self._page(request, "confirm.html", 410, state="over", key=key, still=True)
        return RedirectResponse(f"/confirm/{key}", SEE_OTHER)


# Parts ----------------------------------------------------------------------------------------------------------------


def _of_test(page: schemas.PageView) -> str:
    if page.state is PageState.ANSWERED:
        return "confirmed"
    return "waits" if page.wanted else "over"


def _key(key: str) -> str:
    if KEY.fullmatch(key) is None:
        raise NotFound("page", "there is no such page")
    return key


def _code(url: str) -> Markup:
    """A link as a code that a phone's camera reads; dark on light in any colours, as cameras want it."""
    import segno  # noqa: PLC0415 - 1 MB, for one page

    svg = segno.make(url, error="m", micro=False).svg_inline(
        omitsize=True, svgclass="code", lineclass=None, dark="#000", light="#fff", border=4
    )
    return Markup(svg)  # noqa: S704 - made here of a link of ours, with nothing in it but squares


def _added(form: Form) -> schemas.ContactRequest:
    try:
        return schemas.ContactRequest(channel=form.get("channel", ""), address=form.get("address", ""))
    except ValueError as wrong:
        raise Invalid("address", "it cannot be read") from wrong


def _quiet(form: Form) -> schemas.QuietHours:
    """Local times as a form has them; nothing in both takes them away."""
    try:
        return schemas.QuietHours(quiet_from=_time(form.get("from")), quiet_to=_time(form.get("to")))
    except ValueError as wrong:
        raise Invalid("quiet_from", "the times cannot be read, or are the same") from wrong


def _time(text: str | None) -> time | None:
    return time.fromisoformat(text) if text else None


def _uuid(text: str | None) -> UUID:
    try:
        return UUID(text or "")
    except ValueError:
        raise Invalid("choose", "something has to be chosen first") from None


def _machine(agent: str) -> str:
    """What somebody may know a browser or a program by."""
    return kind_of(agent) or agent.partition("/")[0][:40]


def _refusal(refused: Problem | None, form: Form, language: str) -> str | None:
    """Why nothing has changed: our words, or the gateway's own."""
    if refused is None or refused.reason == "last_contact":
        return None
    words = REFUSED.get(refused.reason)
    if refused.reason == "address":
        words = NO_ADDRESS.get(form.get("channel", ""), words)
    return translations(language).gettext(words) if words else refused.detail
