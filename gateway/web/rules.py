"""The pages of rules: which there are, and setting one with a preview of it.

Rules
    A rule is set in two steps on one page: "Preview" shows what it would have raised, "Save" sets it. What is saved is what
    is in the form, for what was chosen, against the version that was there when the form was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from alerts.describe import describe
from alerts.model import Track
from alerts.render import translations
from alerts.rules import parse_rule
from devices.kinds import kinds
from devices.words import N_
from gateway.access import RULERS
from gateway.api import schemas
from gateway.errors import Invalid, NotAllowed, NotSignedIn, Problem
from gateway.ruling import MAY_SET, kind_of
from gateway.web import ruleform
from gateway.web.part import SEE_OTHER, Part
from gateway.web.ruleform import Answers
from gateway.web.seam import Who

BAR = 10
"""How wide a day is in the picture, in its own units; as high as the most alerts of a day, or this many."""
HEIGHT = 60

ROUTES = (
    ("GET", "/rules", "rules"),
    ("GET", "/rules/edit", "edit_rule"),
    ("POST", "/rules/edit", "set_rule"),
    ("GET", "/rules/{uid}", "rule"),
    ("POST", "/rules/{uid}/withdraw", "withdraw_rule"),
)
"""Method, path and the name of the page's method."""

SCOPES = {
    "kind": N_("All devices of this kind"),
    "zone": N_("Zone: {name}"),
    "resident": N_("Resident: {name}"),
    "device": N_("Device: {name}"),
}

REFUSED = {
    "stale": N_("Somebody else has changed this rule meanwhile. Open it again, and look before you save."),
    "critical": N_(
        "This is about life and death: only an administrator may switch it off, lower it or let it raise less."
    ),
    "track": N_("You may not set rules for those who deal with this."),
    "zone": N_("You may not set this rule here."),
    "kind_wide": N_("Rules for a whole kind come with the program. Set it for a zone instead."),
    "scope": N_("This rule cannot be set for that."),
    "rule": N_("Something is wrong with the rule; see below."),
    "too_much": N_("There is too much to look at. Choose a smaller zone, or a device."),
}
"""Why a rule was not set, by a problem's reason."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A day of a preview as the picture has it."""

    day: str
    x: int
    before: int
    after: int
    before_height: float
    after_height: float


@dataclass(frozen=True, slots=True)
class Group:
    """The rules of a name: the kind's own, where it has one, and those that are set nearer."""

    name: str
    own: schemas.RuleView | None
    nearer: tuple[schemas.RuleView, ...]
    may_set: bool

    @property
    def weight(self) -> tuple[bool, int, str]:
        return weight(self.own or self.nearer[0])


@dataclass(frozen=True, slots=True)
class Edited:
    """What came back in a form: the rule's data, what it is for, and by that the versions that the form was made with."""

    spec: Mapping[str, Any]
    chosen: str
    versions: Mapping[str, str]


class RulePages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    # Looking ----------------------------------------------------------------------------------------------------------

    async def rules(self, request: Request) -> Response:
        who = await self._signed_in(request)
        kind = kind_of(request.query_params.get("kind") or min(kinds())).name
        found = (await self._front.rules(who, kind)).rules
        by_name = groupby(found, key=lambda rule: rule.name)
        groups = sorted((_group(name, list(each), who) for name, each in by_name), key=lambda each: each.weight)
        unreadable = sum(each.words is None for each in found)
        return self._page(request, "rules.html", kind=kind, groups=groups, unreadable=unreadable, scope=scope_text(who))

    async def rule(self, request: Request, uid: UUID) -> Response:
        who = await self._signed_in(request)
        return await self._rule_page(request, who, uid)

    async def withdraw_rule(self, request: Request, uid: UUID) -> Response:
        who, answers = await self._answers(request, f"/rules/{uid}")
        try:
            version = _given(answers, "version")
            done = await self._front.withdraw_rule(who, uid, int(version) if version.isdigit() else 0)
        except Problem as refused:
            if refused.status == 404:
                raise
            return await self._rule_page(request, who, uid, refused)
        return RedirectResponse(f"/rules?{urlencode({'kind': done.kind})}#{done.name}", SEE_OTHER)

    async def _rule_page(self, request: Request, who: Who, uid: UUID, refused: Problem | None = None) -> Response:
        detail = await self._front.rule(who, uid)
        told = _refusal(refused, who) if refused else None
        status = refused.status if refused else 200
        query = _edit_query(detail.kind, detail.name, detail.scope)
        return self._page(
            request, "rule.html", status, rule=detail, refused=told, edit=query, scope=scope_text(who), still=True
        )

    # Setting ----------------------------------------------------------------------------------------------------------

    async def edit_rule(self, request: Request) -> Response:
        """The form, as the rule stands for what it was opened at."""
        who = await self._signed_in(request)
        if not who.roles & RULERS:
            raise NotAllowed("role", "rules are set by leads, technical services and administrators")
        asked = request.query_params
        at = _scope_request({name: value for name in ("zone", "resident", "device") if (value := asked.get(name))})
        draft = await self._front.rule_draft(who, asked.get("kind", ""), asked.get("name", ""), at)
        return self._form_page(request, who, draft, at)

    async def set_rule(self, request: Request) -> Response:
        """Preview or save what is in the form."""
        who, answers = await self._answers(request, "/rules")
        at = _scope_of(_given(answers, "at"))
        draft = await self._front.rule_draft(who, _given(answers, "kind"), _given(answers, "name"), at)
        spec = ruleform.read(answers, draft.spec, kind_of(draft.kind))
        chosen = _given(answers, "scope")
        versions = {name.removeprefix("version:"): _given(answers, name) for name in answers if name[:8] == "version:"}
        version = versions.get(chosen, "0")
        wanted = schemas.RuleRequest(
            kind=draft.kind, scope=_scope_of(chosen), spec=spec, version=int(version) if version.isdigit() else 0
        )
        again = Edited(spec, chosen, versions)
        try:
            if "save" in answers:
                await self._front.set_rule(who, wanted)
                return RedirectResponse(_after_saving(draft, at), SEE_OTHER)
            preview = await self._front.preview_rule(who, wanted)
        except Problem as refused:
            if isinstance(refused, NotSignedIn):
                raise
            return self._form_page(request, who, draft, at, again, refused=refused)
        return self._form_page(request, who, draft, at, again, preview=preview)

    def _form_page(
        self,
        request: Request,
        who: Who,
        draft: schemas.RuleDraft,
        at: schemas.ScopeRequest,
        again: Edited | None = None,
        *,
        preview: schemas.Preview | None = None,
        refused: Problem | None = None,
    ) -> Response:
        again = again or Edited(draft.spec, _option_key(draft.chosen), {})
        data, kind = again.spec, kind_of(draft.kind)
        wrong = refused.errors if refused else ()
        shown = {
            "draft": draft,
            "at_scope": _key(at),
            "enabled": bool(data.get("enabled", True)),
            "controls": ruleform.controls(data, kind, who.language, wrong),
            "as_it_is": describe(parse_rule(draft.spec), draft.kind, who.language),
            "chosen": again.chosen,
            "versions": again.versions,
            "option_key": _option_key,
            "scope": scope_text(who),
            "preview": preview,
            "bars": _bars(preview) if preview else (),
            "as_edited": describe(parse_rule(data), draft.kind, who.language) if preview else None,
            "refused": _refusal(refused, who) if refused else None,
            "back": _after_saving(draft, at),
            "still": True,
        }
        near: dict[str, str] = {at.named[0]: str(at.named[1])} if at.named else {}
        request.state.here = f"/rules/edit?{urlencode({'kind': draft.kind, 'name': draft.name, **near})}"
        return self._page(request, "rule_form.html", refused.status if refused else 200, **shown)


# Parts ----------------------------------------------------------------------------------------------------------------


def _group(name: str, found: Sequence[schemas.RuleView], who: Who) -> Group:
    own = next((each for each in found if each.scope.name == "kind"), None)
    nearer = tuple(each for each in found if each.scope.name != "kind")
    tracks = {Track(each.spec["track"]) for each in found if each.words is not None}
    may = any(who.roles & MAY_SET[track] for track in tracks)
    return Group(name, own, nearer, may)


def weight(rule: schemas.RuleView) -> tuple[bool, int, str]:
    """Care before technical, the severest first."""
    severity = rule.spec.get("severity", 0)
    return rule.spec.get("track") != Track.CARE, -severity if isinstance(severity, int) else 0, rule.name


def scope_text(who: Who) -> Any:
    gettext = translations(who.language).gettext

    def told(scope: schemas.RuleScope) -> str:
        return gettext(SCOPES[scope.name]).format(name=scope.text)

    return told


def _refusal(refused: Problem, who: Who) -> str:
    message = REFUSED.get(refused.reason)
    return translations(who.language).gettext(message) if message else refused.detail


def _given(answers: Answers, name: str) -> str:
    values = answers.get(name, ())
    return values[-1] if values else ""


def _scope_request(given: Mapping[str, str]) -> schemas.ScopeRequest:
    try:
        return schemas.ScopeRequest.model_validate(dict(given))
    except ValueError as error:
        raise Invalid("scope", "no such zone, resident or device", "choose one from a list") from error


def _scope_of(key: str) -> schemas.ScopeRequest:
    """What a form's value says, as ``zone:…``; the kind for an empty one."""
    name, _, uid = key.partition(":")
    return _scope_request({name: uid} if uid else {})


def _key(scope: schemas.ScopeRequest) -> str:
    return ":".join(str(part) for part in scope.named or ())


def _option_key(scope: schemas.RuleScope) -> str:
    return f"{scope.name}:{scope.id}" if scope.id else ""


def _edit_query(kind: str, name: str, scope: schemas.RuleScope) -> str:
    near: dict[str, str] = {scope.name: str(scope.id)} if scope.id else {}
    return urlencode({"kind": kind, "name": name, **near})


def _after_saving(draft: schemas.RuleDraft, at: schemas.ScopeRequest) -> str:
    """Back to where the form was opened."""
    if at.device is not None:
        return f"/devices/{at.device}#{draft.name}"
    return f"/rules?{urlencode({'kind': draft.kind})}#{draft.name}"


def _bars(preview: schemas.Preview) -> list[Bar]:
    highest = max([5, *(max(each.before, each.after) for each in preview.days)])
    unit = HEIGHT / highest
    return [
        Bar(
            each.day.isoformat(),
            number * BAR,
            each.before,
            each.after,
            round(each.before * unit, 1),
            round(each.after * unit, 1),
        )
        for number, each in enumerate(preview.days)
    ]
