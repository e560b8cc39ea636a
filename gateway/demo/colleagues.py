"""Simulated colleagues: in every zone but the visitor's they answer, as :mod:`simulators.staff` decides, through the real
answering.

Rules
    Only who was paged answers, and only what they still may: an answer that is refused ends what they had in mind.
    They react as fast as people do; what follows (the way, the visit) goes ``HURRY`` times as fast, technical work faster
    still, and the pages say so. Otherwise an hour's alerts would stand in the list at once.
    In the visitor's zone nobody answers but the visitor.
    Where the visitor, as a lead, has check-in used, colleagues on duty check in, everywhere but in the visitor's own zone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import uuid4

import structlog
from pydantic import ValidationError

from alerts.model import Track
from gateway import checking
from gateway.access import Who
from gateway.api import schemas
from gateway.app import Gateway
from gateway.clock import pause
from gateway.errors import Problem
from gateway.store import demo as store
from gateway.store import people
from gateway.store.db import Connection, DatabaseGone
from gateway.store.demo import Called
from simulators.staff import Call, Given, answers

log = structlog.get_logger()

HURRY, HURRY_TECHNICAL = 5, 15
EVERY_SECONDS = 1.0
SEED = 1
REAL = 0.4
"""The share of calls behind which there is something."""


def hurried(given: tuple[Given, ...], times: float) -> tuple[Given, ...]:
    """The same, with everything after the first answer so many times as fast."""
    if not given:
        return ()
    first = given[0].after
    return tuple(replace(each, after=first + (each.after - first) / times) for each in given)


def in_mind(called: Called, now: datetime) -> tuple[Given, ...]:
    """What somebody who was called will answer."""
    technical = called.track == Track.TECHNICAL
    real = Random(f"{SEED}:{called.uid}").random() < REAL  # noqa: S311 - chance in a demo
    call = Call(str(called.uid), called.condition, called.severity, real, now, technical, called.attempt)
    given = answers(call, str(called.person_id), SEED)
    if technical and given:  # whoever repairs is not asleep: in minutes, not in a quarter of an hour
        given = hurried((Given(timedelta(0), ""), *given), HURRY)[1:]
    return hurried(given, HURRY_TECHNICAL if technical else HURRY)


class Colleagues:
    """Everybody but the visitor. ``zones``: where nobody answers but the visitor."""

    def __init__(self, gateway: Gateway, zones: Collection[int]) -> None:
        self._gateway, self._zones = gateway, zones
        self._seen: set[tuple[int, int, int]] = set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._look(group)
                await self._check_in()
                await pause(EVERY_SECONDS)

    async def _look(self, group: asyncio.TaskGroup) -> None:
        now = self._gateway.clock.now()
        for called in await self._gateway.web_database.run(lambda each: store.called(each, self._zones)):
            key = called.alert_id, called.person_id, called.attempt
            if key not in self._seen:
                self._seen.add(key)
                group.create_task(self._answer(called, in_mind(called, now)))

    async def _check_in(self) -> None:
        now, local = self._gateway.clock.now(), self._gateway.settings.local
        database = self._gateway.web_database
        for person in await database.run(lambda each: checking.expected(each, self._zones, now, local)):
            try:
                await database.run(lambda each, who=person: checking.check_in(each, who, now, local))  # type: ignore[misc]
            except Problem as refused:
                log.debug("demo.refused", answer="check_in", why=str(refused))

    async def _answer(self, called: Called, given: tuple[Given, ...]) -> None:
        waited = timedelta(0)
        for each in given:
            await pause((each.after - waited).total_seconds())
            waited = each.after
            if not await self._give(called, each):
                return

    async def _give(self, called: Called, given: Given) -> bool:
        """Whether it was taken."""
        if given.answer == "hand_over":
            return False  # to whom is theirs to say; the ladder finds somebody
        try:
            who = await self._gateway.web_database.run(lambda each: self._who(each, called.person_id))
            told = {"answer": given.answer, "cause": given.cause, "action": given.action}
            request = schemas.AnswerRequest.model_validate({name: value for name, value in told.items() if value})
            await self._gateway.front.answer(who, called.uid, request, str(uuid4()))
        except (Problem, ValidationError, *DatabaseGone) as refused:
            log.debug("demo.refused", answer=given.answer, why=str(refused))
            return False
        return True

    async def _who(self, connection: Connection, person: int) -> Who:
        """A colleague, as one who is signed in."""
        reach = await people.reach(connection, person, self._gateway.clock.now())
        named = (await people.names(connection, [person]))[person]
        return Who(
            person_id=person,
            uid=named.uid,
            name=named.name,
            language=named.language,
            roles=reach.roles,
            roles_in=reach.roles_in,
            zone_names=tuple(reach.zones.values()),
            csrf_token="",
            session_id=0,
        )
