"""How it works, for whoever uses it: the path, the ladder of this installation, the buttons, one's own
phone and contacts, and what to do when it fails.

Whoever is not signed in reads it, too, but for this installation's own steps and times.
"""

from __future__ import annotations

from fastapi import Request, Response

from alerts.describe import span
from alerts.model import Severity
from alerts.render import SEVERITIES
from devices.words import N_
from gateway.web.part import Part
from gateway.web.views import COME_TOO, LABELS, STILL_MINE

ROUTES = (("GET", "/how-it-works", "how_it_works"),)

PATH = (
    (N_("Message"), N_("A device in a home says something – or says nothing when it should have.")),
    (N_("Observation"), N_("It is stored before anything else. Only then does the device hear that it arrived.")),
    (N_("Alert"), N_("A rule decides whether somebody must deal with it, and how serious it is.")),
    (N_("Page"), N_("Whoever is on duty is called, one after another, until somebody answers.")),
    (N_("Answer"), N_("Your answer stops the calling at once, and is kept with everything else.")),
)

BUTTONS = (
    (
        LABELS["claim"],
        N_("You have it. Nobody else is called. Say so as soon as you can, also when you cannot go yet."),
    ),
    (LABELS["on_way"], N_("You have it and are moving. The others see it.")),
    (LABELS["arrived"], N_("You are with the resident.")),
    (LABELS["close"], N_("It is dealt with. You say what it was and what was done; for five seconds you can undo it.")),
    (LABELS["need_help"], N_("You keep it, and more people are called.")),
    (LABELS["hand_over"], N_("Somebody else is asked to take it. It is yours until they have.")),
    (LABELS["release"], N_("You give it back, and the others are called at once.")),
    (
        LABELS["pause"],
        N_(
            "Nobody need come for a while, and you say why. When that is over, or something new happens, the calling begins again."
        ),
    ),
    (LABELS["resume"], N_("It is yours as before the pause.")),
    (LABELS["decline"], N_("A colleague asks you to take it over, and you can't. They have it still, and are told.")),
    (LABELS["take_over"], N_("A colleague has it; now you do. They are told.")),
    (COME_TOO, N_("A colleague has asked for help, and you go there, too.")),
    (STILL_MINE, N_("Something new has happened. You have seen it, and still go.")),
)

WAYS = (
    (
        "/phone",
        N_("This phone"),
        N_("Turn on there that it rings for alarms, and try it: on every phone that you carry."),
    ),
    (
        "/me/contacts",
        N_("My contacts"),
        N_(
            "What you are called by, in which order, and what has shown that it works. Add a second one: a phone can be without a network."
        ),
    ),
)
"""Where one sees to it that one is called: its page, its name and what is done there."""

MEANINGS = (
    (Severity.CRITICAL, N_("Life may be in danger. Go, or call the one who can.")),
    (Severity.SERIOUS, N_("Somebody needs help soon.")),
    (Severity.MODERATE, N_("To be dealt with today.")),
    (Severity.NORMAL, N_("For your information.")),
)


class HowPages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    async def how_it_works(self, request: Request) -> Response:
        who = await self._who(request)
        ladders = await self._front.ladders(who) if who is not None else []
        return self._page(
            request,
            "how.html",
            path=PATH,
            ladders=ladders,
            buttons=BUTTONS,
            ways=WAYS,
            meanings=[(severity, SEVERITIES[severity], text) for severity, text in MEANINGS],
            told=span,
            still=True,
        )
