"""The pages of teams: which there are and which policies call them, setting one, and withdrawing one.

Rules
    A team is set in one form without any script, as a policy is: its buttons send it, and it comes back with a member more, less or
    moved. What is saved is what is in the form, against the version that was there when it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from alerts.render import translations
from devices.words import N_
from gateway.access import LEADERS, POLICY_MAKERS
from gateway.api import schemas
from gateway.errors import Invalid, NotAllowed, NotSignedIn, Problem
from gateway.web import rosterview, teamform
from gateway.web.html import OSLO
from gateway.web.part import SEE_OTHER, Part
from gateway.web.seam import Who
from gateway.web.teamform import Draft

TEAMS = "/teams"

ROUTES = (
    ("GET", TEAMS, "teams"),
    ("GET", "/teams/edit", "edit_team"),
    ("POST", "/teams/edit", "set_team"),
    ("GET", "/teams/{uid}", "team"),
    ("POST", "/teams/{uid}/withdraw", "withdraw_team"),
)
"""Method, path and the name of the page's method."""

REFUSED = {
    "stale": N_("Somebody else has changed this team meanwhile. Open it again, and look before you save."),
    "name": N_("The zone has a team of this name already. Choose another name."),
    "zone": N_("You may not keep teams here. Ask a lead or an administrator of the zone."),
    "members": N_(
        "Somebody of these is not on the staff here any more, or leaves before they come. Look at the members."
    ),
    "in_use": N_("Policies call this team. Change them first."),
    "fields": N_("Not saved: something is wrong in the form, see below."),
}
"""Why something was not done, by a problem's reason."""


class TeamPages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    async def teams(self, request: Request) -> Response:
        who = await self._leader(request)
        tree = rosterview.zone_options(await self._front.zones(who))
        shown: dict[str, Any] = {
            "found": await self._front.teams(who),
            "calling": await self._calling(who),
            "zones": [each for each in tree if each.roles & POLICY_MAKERS],
        }
        return self._page(request, "teams.html", still=True, **shown)

    async def team(self, request: Request, uid: UUID) -> Response:
        who = await self._leader(request)
        return await self._team_page(request, who, uid)

    async def withdraw_team(self, request: Request, uid: UUID) -> Response:
        who, form = await self._signed_form(request, back=f"{TEAMS}/{uid}")
        version = form.get("version", "")
        try:
            await self._front.withdraw_team(who, uid, int(version) if version.isdecimal() and len(version) < 10 else 0)
        except Problem as refused:
            if isinstance(refused, NotSignedIn) or refused.status == 404:
                raise
            return await self._team_page(request, who, uid, refused)
        return RedirectResponse(TEAMS, SEE_OTHER)

    async def _team_page(self, request: Request, who: Who, uid: UUID, refused: Problem | None = None) -> Response:
        shown: dict[str, Any] = {
            "team": await self._front.team(who, uid),
            "calling": (await self._calling(who)).get(uid, []),
            "refused": _refusal(refused, who.language),
        }
        return self._page(request, "team.html", refused.status if refused else 200, still=True, **shown)

    async def _calling(self, who: Who) -> dict[UUID, list[schemas.Named]]:
        """The policies that the reader may see, by the teams that their steps call."""
        found: dict[UUID, list[schemas.Named]] = {}
        for policy in await self._front.policies(who):
            for called in {step.id for step in policy.policy.steps if step.id is not None}:
                found.setdefault(called, []).append(schemas.Named(id=policy.id, name=policy.words.title))
        return found

    # Setting ----------------------------------------------------------------------------------------------------------

    async def edit_team(self, request: Request) -> Response:
        """The form: of a team as it stands, or of a new one of a zone."""
        who = await self._maker(request)
        if (uid := _uid(request.query_params.get("team"))) is not None:
            team = await self._front.team(who, uid)
            return await self._team_form(request, who, teamform.of(team, OSLO), team.members)
        zone = _uid(request.query_params.get("zone"))
        if zone is None:
            raise Invalid("choose", "no zone is given for a new team", "choose one from the list")
        return await self._team_form(request, who, teamform.done(Draft(zone), "add"), [])

    async def set_team(self, request: Request) -> Response:
        """Save what is in the form, or give it back with a member more, less or moved."""
        who, answers = await self._answers(request, TEAMS)
        uid = _uid(answers.get("team", [""])[-1])
        team = await self._front.team(who, uid) if uid is not None else None
        zone = team.zone.id if team is not None else _uid(answers.get("zone", [""])[-1])
        if zone is None:
            raise Invalid("choose", "no zone is given for a new team", "choose one from the list")
        before = team.members if team is not None else []
        draft, what = teamform.read(answers, Draft(zone, uid=uid)), answers.get("do", ["save"])[-1]
        if what != "save":
            return await self._team_form(request, who, teamform.done(draft, what), before)
        read = teamform.request(draft, before, OSLO)
        if read.wrong:
            return await self._team_form(request, who, draft, before, Invalid("fields", "see below"), read.wrong)
        try:
            saved = await self._save_team(who, draft, read)
        except Problem as refused:
            if isinstance(refused, NotSignedIn) or refused.status == 404:
                raise
            at = {refused.reason: REFUSED[refused.reason]} if refused.reason in ("name", "members") else {}
            return await self._team_form(request, who, draft, before, refused, at)
        return RedirectResponse(f"{TEAMS}/{saved.id}", SEE_OTHER)

    async def _save_team(self, who: Who, draft: Draft, read: teamform.Read) -> schemas.TeamView:
        if draft.uid is None:
            return await self._front.add_team(
                who, schemas.TeamRequest(zone=draft.zone, name=read.name, members=read.members)
            )
        change = schemas.TeamChange(name=read.name, members=read.members, version=max(1, draft.version))
        return await self._front.change_team(who, draft.uid, change)

    async def _team_form(
        self,
        request: Request,
        who: Who,
        draft: Draft,
        before: list[schemas.MemberView],
        refused: Problem | None = None,
        wrong: Mapping[str, str] | None = None,
    ) -> Response:
        options = await self._front.policy_options(who, schemas.PolicyScopeRequest(zone=draft.zone))
        people = {each.id: each.name for each in (*(member.person for member in before), *options.people)}
        request.state.here = f"/teams/edit?{f'team={draft.uid}' if draft.uid else f'zone={draft.zone}'}"
        gettext = translations(who.language).gettext
        shown: dict[str, Any] = {
            "draft": draft,
            "zone": options.scope.text,
            "people": sorted(people.items(), key=lambda each: (each[1], each[0])),
            "wrong": {name: gettext(text) for name, text in (wrong or {}).items()},
            "refused": _refusal(refused, who.language),
        }
        return self._page(request, "team_form.html", refused.status if refused else 200, still=True, **shown)

    async def _leader(self, request: Request) -> Who:
        who: Who = await self._signed_in(request)
        if not who.roles & LEADERS:
            raise NotAllowed("role", "teams are for leads, the response centre and administrators")
        return who

    async def _maker(self, request: Request) -> Who:
        who: Who = await self._signed_in(request)
        if not who.roles & POLICY_MAKERS:
            raise NotAllowed("role", "teams are kept by leads and administrators")
        return who


def _uid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Invalid("choose", "no such team or zone", "choose one from the list") from None


def _refusal(refused: Problem | None, language: str) -> str | None:
    if refused is None:
        return None
    words = REFUSED.get(refused.reason)
    return translations(language).gettext(words) if words else refused.detail
