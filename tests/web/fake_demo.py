"""The demo held in memory, at the seam of `gateway.web.demo.Stage`: every way in which its pages can look.

One thing has happened of each story. Of them, by number: 1 has come all the way to somebody who answered, 2 is on its
way, 3 raised what is not for whoever looks, 4 waits for its time, 5 has nobody to reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.alert import DueFor
from alerts.policy import Target
from gateway import path as paths
from gateway import seed as seeding
from gateway.demo.stories import STORIES, Happened
from gateway.demo.visitors import Visitor, visitors
from gateway.errors import NotFound
from gateway.path import Next, Path
from gateway.store.path import Paged, Said
from gateway.web.demo import Heard, Seen
from tests.web import fake_people

PATH = UUID(int=71)
OTHER = UUID(int=72)
NUMBERS = ARRIVED, ON_ITS_WAY, HIDDEN, WAITING, NOBODY = range(1, 6)
PERSONS = MappingProxyType({1: fake_people.ME.name, 2: fake_people.KARI.name})
ACCOUNTS = tuple(
    seeding.Account(username, name, "responder", "Eiganes og Tasta")
    for username, name in (
        *((f"vakt1{each}", fake_people.ME.name) for each in "abcd"),
        ("leder1", fake_people.KARI.name),
        ("sentral1", fake_people.OLE.name),
        ("teknisk1", "Turid Dahl"),
        ("admin", "Randi Bakke"),
    )
)


def _at(seconds: float) -> datetime:
    return fake_people.NOW - timedelta(seconds=60 - seconds)


def said() -> Said:
    """A fall, as it was stored."""
    raw = b'{"id": "1", "type": "fall", "impact_g": 4.6}'
    return Said(1, "fall-001", "fall_alarm", "fall", "1", _at(0), _at(0.2), raw)


def _entries() -> list[dict[str, Any]]:
    told: tuple[tuple[float, str, int | None, Mapping[str, Any]], ...] = (
        (0.2, "raised", None, {}),
        (0.2, "step_skipped", None, {"step": 0, "target": "first_on_duty"}),
        (0.2, "step_reached", None, {"step": 1, "target": "on_duty", "persons": [1, 2]}),
        (20, "claimed", 1, {}),
        (45, "handed_over", 1, {"to": 2}),
    )
    return [{"at": _at(at), "code": code, "actor_id": actor, "params": params} for at, code, actor, params in told]


def _pages() -> list[Paged]:
    states = ("handed_over", "queued", "leased", "failed", "withdrawn")
    return [Paged(1, 1 + n % 2, "in_app", state, _at(1 + n), _at(1 + n)) for n, state in enumerate(states)]


def path(uid: UUID = PATH, following: Next | None = None) -> Path:
    """A fall's path with every kind of leg. ``following``: what is next; a step without it."""
    return Path(
        uid=uid,
        condition="fall",
        kind="fall_alarm",
        severity=40,
        zone="Eiganes og Tasta",
        stage="open",
        track="care",
        said=said(),
        legs=paths.legs(said(), _entries(), _pages(), _at(0.4)),
        next=following or Next(_at(90), DueFor.STEP, 2, Target.ZONE_LEAD),
        persons=PERSONS,
    )


class FakeStage:
    """A demo with a stand-in for a broker. ``made``: what visitors made happen."""

    broker = "amqtt"
    stand_in = True

    def __init__(self) -> None:
        self.made: list[str] = []

    def visitors(self) -> tuple[Visitor, ...]:
        return visitors(ACCOUNTS, fake_people.NOW, ZoneInfo("Europe/Oslo"))

    async def sign_in(self, key: str, user_agent: str) -> tuple[Visitor, fake_people.SignedIn]:
        visitor = next(each for each in self.visitors() if each.key == key)
        return visitor, fake_people.SignedIn("token", fake_people.NOW + timedelta(hours=12))

    async def happen(self, what: str) -> int:
        self.made.append(what)
        return ON_ITS_WAY

    def happened(self) -> list[Happened]:
        return [Happened(number, what, STORIES[what].addresses[:1], _at(0)) for number, what in enumerate(STORIES, 1)]

    async def just_said(self) -> list[Heard]:
        kinds = (("fall_alarm", "heartbeat", "fall-002"), ("door_sensor", "opened", "dor-004"))
        return [Heard(_at(50), kind, type_, address, "Storhaug") for kind, type_, address in kinds]

    async def seen(self, who: Any, number: int) -> Seen:
        happened = next((each for each in self.happened() if each.number == number), None)
        if happened is None:
            raise NotFound("happening", "that has not happened since the demo was started")
        if number == ARRIVED:
            return Seen(happened, (), b"", (path(), path(OTHER)), 0)
        if number == WAITING:
            return Seen(Happened(number, "silent_dose", ("disp-001",), fake_people.NOW), (), b"", (), 0)
        if number == NOBODY:
            repeats = Next(_at(90), DueFor.STEP, 3, Target.RESPONSE_CENTRE, repeats=True)
            return Seen(happened, (), b"", (path(following=repeats),), 0)
        legs = paths.of_message(said(), _at(0.4))
        return Seen(happened, legs, said().raw or b"", (), int(number == HIDDEN))

    async def path(self, who: Any, uid: UUID) -> Path:
        return path(uid)

    def watches(self, who: Any) -> None:
        """Whoever looks is told."""
