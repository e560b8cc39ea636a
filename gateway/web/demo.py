"""The demo's own pages: who you can be, make something happen, and the path of an alert, live.

Rules
    These routes exist in the demo and nowhere else: :func:`router` refuses every other environment, and only the process of
    ``hjemmevakt demo`` asks for it. One click that signs somebody in must not exist where somebody lives.
    A form is taken only from our own pages, like every other.
    What takes time is told beforehand, with the clock's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from alerts.model import Severity
from alerts.render import SEVERITIES, condition_text, translations
from alerts.timeline import STAGES, TARGETS, channel_text, tell
from alerts.words import said as said_text
from devices.words import N_
from gateway.clock import Clock
from gateway.demo.stories import STORIES, Happened
from gateway.demo.visitors import Visitor
from gateway.errors import SettingError
from gateway.path import Leg, Next, Part, Path
from gateway.settings import Settings
from gateway.web import guard
from gateway.web.html import OSLO, guest_language
from gateway.web.pages import Pages
from gateway.web.part import SEE_OTHER, form_of
from gateway.web.rendering import page_route
from gateway.web.seam import Front, SignedIn

WHO = {
    "nurse": (N_("Home-care worker"), N_("On the road, on duty now. The alerts of your zone reach you first.")),
    "lead": (N_("Zone lead"), N_("You see all of your zone, and are called when nobody on duty answers.")),
    "centre": (N_("Response centre"), N_("All zones, day and night. The last step of every ladder.")),
    "technical": (N_("Technical services"), N_("Devices that are silent, low or faulty. Care alerts are not for you.")),
    "integrator": (N_("Integrator"), N_("You connect devices: the protocol, quarantine, the API, and lines to try.")),
}
"""Who a visitor can be, and what that means."""

WHAT = {
    "fall": (
        N_("Somebody falls"),
        N_("The fall alarm on a wrist reports a fall. Who is on duty is called at once."),
    ),
    "press": (
        N_("Somebody presses the button"),
        N_("A press of the safety alarm around somebody's neck. At once; three within ten minutes call more people."),
    ),
    "smoke": (N_("Smoke in a home"), N_("The fire sensor reports smoke. One alert for the whole home, at once.")),
    "dose": (
        N_("A dose is not taken"),
        N_("The dispenser itself says that a dose was not taken. At once."),
    ),
    "silent_dose": (
        N_("A dose, and not a word"),
        N_(
            "A dose is planned for now, and the dispenser says nothing at all. The gateway waits for the grace of this dose, five minutes, and then calls somebody."
        ),
    ),
    "door": (
        N_("The door opens at night"),
        N_(
            "The rule is for 22 to 06. For this one home the demo has set it for the whole day, so that it works at noon; it is among the rules."
        ),
    ),
    "dies": (
        N_("A device dies"),
        N_(
            "A fall alarm says nothing more. It may be silent for one minute (in a real home a day); then technical services are called. After six minutes it comes back, and the alert closes itself."
        ),
    ),
    "power": (
        N_("Power cut in a district"),
        N_(
            "Eight dispensers report that the mains are off: technical alerts after one minute. Three have weak batteries and fall silent: alerts after two minutes. The power comes back after six."
        ),
    ),
}
"""What can be made to happen, and what will come of it."""

NEXT = {
    "step": N_("Next: step {number}, {target}, unless somebody answers"),
    "repeat": N_("Next: {target} again, unless somebody answers"),
    "stage": N_("If nothing more is heard, the others are called"),
    "confirm": N_("If the new event is not confirmed, the others are called"),
    "accept": N_("If the hand-over is not accepted, whoever has it is asked"),
    "keep": N_("Unless whoever has it says so, the others are called"),
    "pause": N_("When the pause is over, people are called from the first step"),
    "close": N_("It closes, unless somebody undoes that"),
}
STATES = {
    "queued": N_("{name}, {channel}: waiting to be sent"),
    "leased": N_("{name}, {channel}: being sent"),
    "handed_over": N_("{name}, {channel}: handed over"),
    "received": N_("{name}, {channel}: received"),
    "shown": N_("{name}, {channel}: shown"),
    "answered": N_("{name}, {channel}: answered"),
    "failed": N_("{name}, {channel}: did not get through"),
    "withdrawn": N_("{name}, {channel}: withdrawn, as somebody has answered"),
}
PARTS = {
    Part.MESSAGE: N_("Message"),
    Part.STORED: N_("Observation"),
    Part.RAISED: N_("Alert"),
    Part.STEP: N_("Step"),
    Part.PAGE: N_("Page"),
    Part.RECEIPT: N_("Receipt"),
    Part.TOLD: N_("News"),
    Part.ANSWER: N_("Answer"),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that a device somewhere has just said."""

    received_at: datetime
    kind: str
    type: str
    address: str
    zone: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of something that a visitor made happen. ``said``: the message's legs; ``hidden``: alerts that are not theirs."""

    happened: Happened
    said: tuple[Leg, ...]
    raw: bytes
    paths: tuple[Path, ...]
    hidden: int


class Stage(Protocol):
    """The demo, as its pages need it."""

    @property
    def broker(self) -> str: ...
    @property
    def stand_in(self) -> bool: ...
    def visitors(self) -> tuple[Visitor, ...]: ...
    async def sign_in(self, key: str, user_agent: str) -> tuple[Visitor, SignedIn]: ...
    async def happen(self, what: str) -> int: ...
    def happened(self) -> list[Happened]: ...
    async def just_said(self) -> list[Heard]: ...
    async def seen(self, who: Any, number: int) -> Seen: ...
    async def path(self, who: Any, uid: UUID) -> Path: ...
    def watches(self, who: Any) -> None: ...


def router(front: Front[Any], stage: Stage, settings: Settings, clock: Clock) -> APIRouter:
    """The demo's routes. SettingError anywhere but in the demo: they let anybody in."""
    if settings.environment != "demo":
        raise SettingError("the demo's pages sign anybody in with one click; they exist in the environment demo only")
    pages = DemoPages(front, clock, stage)
    made = APIRouter(include_in_schema=False, route_class=page_route(clock))
    for method, path, handler in (
        ("GET", "/", pages.welcome),
        ("POST", "/demo/be", pages.be),
        ("GET", "/happen", pages.happen),
        ("POST", "/happen", pages.make_happen),
        ("GET", "/happen/{number}", pages.happening),
        ("GET", "/happen/alerts/{uid}", pages.of_alert),
    ):
        made.add_api_route(path, handler, methods=[method])
    return made


class DemoPages(Pages):
    """Every page of the demo alone."""

    def __init__(self, front: Front[Any], clock: Clock, stage: Stage) -> None:
        super().__init__(front, clock)
        self._stage = stage

    async def welcome(self, request: Request) -> Response:
        if await self._front.who(guard.token_of(request)) is not None:
            return RedirectResponse(guard.HOME, SEE_OTHER)
        return self._page(request, "welcome.html", **self._shown(request))

    async def be(self, request: Request) -> Response:
        """One click: somebody else from now on, in the language in which the visitor has read so far."""
        guard.check_same_origin(request)
        form = await form_of(request)
        visitor, session = await self._stage.sign_in(form.get("as", ""), request.headers.get("user-agent", ""))
        before = await self._front.who(guard.token_of(request))
        after = await self._front.who(session.token)
        if after is not None:
            await self._front.set_language(after, before.language if before else guest_language(request))
        if before is not None:
            await self._front.sign_out(before)
        target = guard.safe_next(form["next"]) if "next" in form else visitor.goes
        response = RedirectResponse(target, SEE_OTHER)
        guard.set_session(request, response, session.token, session.expires_at)
        return response

    async def happen(self, request: Request) -> Response:
        who = await self._signed_in(request)
        self._stage.watches(who)
        heard = await self._stage.just_said()
        return self._page(
            request, "happen.html", heard=heard, what=WHAT, happened=self._stage.happened()[:6], **self._shown(request)
        )

    async def make_happen(self, request: Request) -> Response:
        _, form = await self._signed_form(request, back="/happen")
        number = await self._stage.happen(form.get("what", ""))
        return RedirectResponse(f"/happen/{number}", SEE_OTHER)

    async def happening(self, request: Request, number: int) -> Response:
        who = await self._signed_in(request)
        seen = await self._stage.seen(who, number)
        return self._page(request, "path.html", seen=seen, paths=seen.paths, **self._shown(request))

    async def of_alert(self, request: Request, uid: UUID) -> Response:
        who = await self._signed_in(request)
        path = await self._stage.path(who, uid)
        return self._page(request, "path.html", seen=None, paths=(path,), **self._shown(request))

    def _shown(self, request: Request) -> dict[str, Any]:
        return {"tell": Tell, "what_of": WHAT, "other_address": _other_address(request), "stories": STORIES}


class Tell:
    """Legs in a reader's language, with times to the millisecond."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._ = translations(language).gettext

    def title(self, path: Path) -> str:
        return condition_text(path.condition, path.kind, self._language)

    def severity(self, path: Path) -> str:
        return self._(SEVERITIES[Severity(path.severity)])

    def stage(self, path: Path) -> str:
        return self._(STAGES[_stage(path)])

    def part(self, leg: Leg) -> str:
        return self._(PARTS[leg.part])

    def heard(self, kind: str, type_: str) -> str:
        return said_text(type_, kind, self._language)

    def leg(self, leg: Leg, persons: Mapping[int, str]) -> str:
        """What happened on a leg."""
        match leg.part:
            case Part.MESSAGE:
                told = self.heard(leg.params["kind"], leg.params["type"])
                return self._(N_("{address} says: {said}")).format(address=leg.params["address"], said=told)
            case Part.STORED:
                return self._(N_("Received; stored with all that follows from it in one transaction"))
            case Part.RECEIPT:
                return self._(N_("The device has its receipt: all of it is stored"))
            case Part.PAGE:
                channel = channel_text(leg.channel, self._language)
                name = persons.get(leg.person or 0, "")
                return self._(STATES[leg.state]).format(name=name, channel=channel)
            case _:
                return tell(leg.code, leg.params, _names(leg, persons), self._language)

    def next(self, following: Next) -> str:
        """What comes next."""
        if following.target is None or following.step is None:
            return self._(NEXT[following.due_for])
        target = self._(TARGETS[following.target])
        which = "repeat" if following.repeats else "step"
        text = self._(NEXT[which])
        return text.format(number=following.step + 1, target=target)

    def clock(self, moment: datetime) -> str:
        """Hours, minutes, seconds and milliseconds."""
        local = moment.astimezone(OSLO)
        return f"{local:%H:%M:%S}.{local.microsecond // 1000:03}"

    def after(self, span: timedelta) -> str:
        """The time since the leg before."""
        seconds = span.total_seconds()
        if seconds < 1:
            return f"+{seconds * 1000:.0f} ms"
        if seconds < 60:
            return f"+{seconds:.1f} s"
        return f"+{int(seconds) // 60} min {int(seconds) % 60} s"


def who_is(visitors: Sequence[Visitor], name: str) -> str | None:
    """The part that somebody of this name plays."""
    return next((WHO[each.key][0] for each in visitors if each.name == name), None)


def _stage(path: Path) -> Any:
    return next(each for each in STAGES if each.value == path.stage)


def _names(leg: Leg, persons: Mapping[int, str]) -> dict[str, str]:
    def name(of: object) -> str:
        return persons.get(of, "") if isinstance(of, int) else ""

    params = leg.params
    several = ", ".join(name(each) for each in params.get("persons", ()))
    return {
        "actor": name(leg.person),
        "persons": several,
        "to": name(params.get("to")),
        "from_": name(params.get("from")),
        "holder": name(params.get("holder")),
    }


def _other_address(request: Request) -> str | None:
    """The same pages under another name of this machine: there a browser is signed in apart from here."""
    other = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}.get(request.url.hostname or "")
    return str(request.url.replace(hostname=other, path="/", query="")) if other else None
