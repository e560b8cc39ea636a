"""Every page that there is, by its route: what looks at all pages takes them from here, so that a new one is never forgotten.

A route without parameters is a page by itself. One with parameters has an example here, or :func:`places` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import pytest
from fastapi.routing import APIRoute

from gateway.clock import ControlledClock
from gateway.settings import load
from gateway.web import demo, pages
from tests.web import (
    fake,
    fake_alerts,
    fake_contacts,
    fake_demo,
    fake_people,
    fake_policies,
    fake_rosters,
    fake_rules,
    fake_silences,
    fake_teams,
    fake_ways,
)

NO_PAGES = {
    "/": "leads to the list",
    "/events": "the stream",
    "/alerts/{uid}/answer": "leads back to the alert",
    "/alerts/{uid}/command": "leads back to the alert",
    "/calendar/{token}.ics": "a calendar",
    "/sw.js": "the service worker",
    "/words.js": "what scripts say",
    "/manifest.webmanifest": "for whoever installs the app",
}

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "/alerts": ("/alerts", "/alerts?state=closed"),
    "/alerts/{uid}": (
        *(
            f"/alerts/{each().id}"
            for each in (
                fake_alerts.alert,
                fake_alerts.late_button,
                fake_alerts.battery,
                fake_alerts.out_of_doors,
                fake_alerts.paused,
                fake_alerts.offered,
                fake_alerts.closed,
            )
        ),
        f"/alerts/{UUID(int=404)}",
    ),
    "/alerts/{uid}/path": (f"/alerts/{fake_alerts.alert().id}/path", f"/alerts/{fake_alerts.battery().id}/path"),
    "/add-phone/{token}": tuple(
        f"/add-phone/{token}" for token in (fake_contacts.TOKEN, fake_contacts.USED_UP, fake_contacts.ANOTHERS)
    ),
    "/confirm/{key}": tuple(
        f"/confirm/{key}" for key in (fake_contacts.WAITING, fake_contacts.CONFIRMED, fake_contacts.OVER)
    ),
    "/desk": ("/desk", "/desk?state=closed&sort=raised"),
    "/figures": ("/figures", "/figures?period=week&day=2025-06-02", "/figures?period=quarter&day=2026-08-02"),
    "/how-it-works": ("/how-it-works", "/how-it-works?guest"),
    "/quarantine": ("/quarantine", "/quarantine?decoded=3&unreadable=1&rest=1", "/quarantine?state=decoded"),
    "/rules": ("/rules?kind=fall_alarm", "/rules?kind=door_sensor"),
    "/rules/edit": (
        "/rules/edit?kind=door_sensor&name=not_back",
        f"/rules/edit?kind=medicine_dispenser&name=dose_unconfirmed&device={fake_rules.DEVICE.id}",
    ),
    "/rules/{uid}": (f"/rules/{fake_rules.OVERRIDE}",),
    "/rosters": ("/rosters", f"/rosters?week={fake_rosters.A_WEEK_WITH_A_HOLIDAY}"),
    "/teams/edit": (f"/teams/edit?team={fake_teams.NIGHT.id}", f"/teams/edit?zone={fake_policies.ZONE.id}"),
    "/teams/{uid}": (f"/teams/{fake_teams.NIGHT.id}", f"/teams/{UUID(int=404)}"),
    "/rosters/patterns/edit": (
        "/rosters/patterns/edit",
        f"/rosters/patterns/edit?pattern={fake_rosters.SHIFT}",
    ),
    "/rosters/rotations/edit": (
        "/rosters/rotations/edit",
        f"/rosters/rotations/edit?rotation={fake_rosters.ROTATION}",
    ),
    "/policies/edit": (f"/policies/edit?policy={fake_policies.NIGHT_ID}",),
    "/policies/{uid}": (f"/policies/{fake_policies.NIGHT_ID}",),
    "/rehearsal": (f"/rehearsal?resident={fake_policies.RESIDENT.id}&q=sol&at=2026-11-22T03:10",),
    "/silences": ("/silences", "/silences?state=ended"),
    "/silences/new": (
        f"/silences/new?device={fake_rules.DEVICE.id}",
        f"/silences/new?kind=away&resident={fake_silences.SOLVEIG.id}",
        f"/silences/new?zone={fake_silences.ZONE.id}",
    ),
    "/silences/{uid}": tuple(
        f"/silences/{each}" for each in (fake_silences.DOOR, fake_silences.FIRE, fake_silences.AWAY, fake_silences.OVER)
    ),
    "/residents/{uid}/access-log": (
        f"/residents/{fake_ways.RESIDENT}/access-log",
        f"/residents/{UUID(int=404)}/access-log",
    ),
    "/devices/{uid}": (
        f"/devices/{fake_rules.DEVICE.id}",
        f"/devices/{fake_rules.DEVICE.id}?range=30d&type=fall",
    ),
}
DEMO_EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "/": ("/",),
    "/happen/{number}": tuple(f"/happen/{number}" for number in (*fake_demo.NUMBERS, 404)),
    "/happen/alerts/{uid}": (f"/happen/alerts/{fake_demo.PATH}",),
}
"""The demo's own pages; the others have its bar at the top, and one of them is looked at with it."""
FOR_GUESTS = ("/sign-in", "/how-it-works?guest", "/offline", "/")
"""As whoever is not signed in sees them."""
OURS_AND_THE_DEMOS = pytest.mark.parametrize("demo_stage", [None, fake_demo.FakeStage()], ids=["ours", "demo"])
"""For a test that looks at :func:`places` of this stage: once as they are, once as the demo has them."""
EVERYTHING = replace(fake_people.Who(), roles=frozenset({"responder", "technical", "lead"}))
"""Somebody who may see every page."""


def places(stage: fake_demo.FakeStage | None = None) -> list[str]:
    """The address of every page, those for guests last. KeyError for a route with parameters that has no example.
    ``stage``: the demo's own pages instead."""
    if stage is not None:
        return _demo_places(stage)
    routes = [route for route in pages.router(fake.night()).routes if isinstance(route, APIRoute)]
    shown = [route.path for route in routes if "GET" in (route.methods or ()) and route.path not in NO_PAGES]
    found = [place for path in shown for place in _of(path)]
    return sorted(found, key=lambda place: place in FOR_GUESTS)


def _demo_places(stage: fake_demo.FakeStage) -> list[str]:
    """Those of the demo alone, and a page of ours as the demo shows it."""
    made = demo.router(fake.night(), stage, load({}, environment="demo"), ControlledClock(fake_people.NOW))
    routes = [route for route in made.routes if isinstance(route, APIRoute) and "GET" in (route.methods or ())]
    found = [place for each in routes for place in _of(each.path, DEMO_EXAMPLES)]
    return sorted(["/alerts", *found], key=lambda place: place in FOR_GUESTS)


def name(place: str) -> str:
    """What a picture of it is called."""
    return place.split("/")[1].partition("?")[0]


def _of(path: str, examples: Mapping[str, tuple[str, ...]] = EXAMPLES) -> tuple[str, ...]:
    return (path,) if path not in examples and "{" not in path else examples[path]
