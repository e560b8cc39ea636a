"""Simulated staff at the real front: they see a page, and answer it as ``simulators.staff`` says, at that moment.

Rules
    Everybody signs in once, looks at an alert when they take it, and answers through ``front.answer``, as the pages do.
    An answer that is refused (somebody else has it, it is closed) ends what this person wanted to answer of this alert.
    Whoever holds an alert and is paged again confirms that they have seen it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from random import Random

from gateway.access import Who
from gateway.api import schemas
from gateway.app import Gateway
from gateway.errors import Conflict, NotFound
from gateway.store import trials
from gateway.store.trials import Called
from gateway.trial.expect import Answered
from simulators.staff import Call, Given, answers

TAKES = "claim"


@dataclass(slots=True)
class Did:
    """What the crew has done: answers taken by name and each of them, answers refused by reason, calls that nobody noticed."""

    given: list[Answered] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    unnoticed: int = 0


@dataclass(slots=True)
class _Doing:
    """What somebody is about to answer of an alert. ``taken``: whether they have it already."""

    call: Called
    taken: bool = False
    over: bool = False


class Crew:
    """``is_real``: whether something has happened, as is found out on the spot."""

    def __init__(self, gateway: Gateway, password: str, seed: int, is_real: Callable[[Called], bool]) -> None:
        self.did = Did()
        self._gateway = gateway
        self._password = password
        self._seed = seed
        self._is_real = is_real
        self._tokens: dict[str, str] = {}
        self._last_page = 0
        self._doing: dict[tuple[int, int], _Doing] = {}
        self._heap: list[tuple[datetime, int, _Doing, Given]] = []
        self._order = count()

    @property
    def next_answer(self) -> datetime | None:
        return self._heap[0][0] if self._heap else None

    async def look(self) -> None:
        """See the pages that have come since."""
        found = await self._gateway.database.read(lambda each: trials.called(each, self._last_page))
        for call in found:
            self._last_page = call.id
            self._notice(call)

    async def answer(self, now: datetime) -> int:
        """Give the answers whose moment has come. How many."""
        given = 0
        while self._heap and self._heap[0][0] <= now:
            _, _, doing, answer = heapq.heappop(self._heap)
            if not doing.over:
                await self._give(doing, answer)
                given += 1
        return given

    def _notice(self, call: Called) -> None:
        """A call about something that one deals with already is confirmed, once it is one's own."""
        doing = self._doing.get((call.alert_id, call.person_id))
        given = answers(self._as_seen(call), call.username, self._seed)
        if not given:
            self.did.unnoticed += 1
            return
        if doing is not None and not doing.over:
            if doing.taken:
                self._plan(doing, call.handed_over_at, given[:1])
            return
        doing = self._doing[call.alert_id, call.person_id] = _Doing(call)
        self._plan(doing, call.handed_over_at, given)

    def _as_seen(self, call: Called) -> Call:
        technical = call.track == "technical"
        name, real = str(call.alert_id), self._is_real(call)
        return Call(name, call.condition, call.severity, real, call.handed_over_at, technical, call.attempt)

    def _plan(self, doing: _Doing, since: datetime, given: tuple[Given, ...]) -> None:
        for each in given:
            heapq.heappush(self._heap, (since + each.after, next(self._order), doing, each))

    async def _give(self, doing: _Doing, given: Given) -> None:
        who, now = await self._who(doing.call.username), self._gateway.clock.now()
        try:
            request = await self._request(who, doing, given)
            key = f"{doing.call.alert_id}:{doing.call.id}:{given.answer}:{given.after.total_seconds()}"
            await self._gateway.front.answer(who, doing.call.alert, request, key)
        except (Conflict, NotFound) as refused:
            doing.over = True
            self.did.refused[refused.reason] = self.did.refused.get(refused.reason, 0) + 1
            return
        self.did.given.append(Answered(doing.call.alert_id, doing.call.person_id, request.answer, now))
        doing.taken = True
        doing.over = given.answer in ("close", "hand_over", "release")
        self.did.taken[given.answer] = self.did.taken.get(given.answer, 0) + 1

    async def _request(self, who: Who, doing: _Doing, given: Given) -> schemas.AnswerRequest:
        """Whoever takes it looks at it; whoever hands it over chooses somebody of the alert's list."""
        to = None
        if given.answer in (TAKES, "hand_over"):
            detail = await self._gateway.front.alert_detail(who, doing.call.alert)
            others = [each.id for each in detail.colleagues if each.id != who.uid]
            if given.answer == "hand_over":
                if not others:
                    return schemas.AnswerRequest(answer="release")
                to = Random(f"{self._seed}:{doing.call.id}").choice(others)  # noqa: S311 - a simulated choice
        return schemas.AnswerRequest.model_validate(
            {"answer": given.answer, "cause": given.cause, "action": given.action, "to": to}
        )

    async def _who(self, username: str) -> Who:
        if username not in self._tokens:
            signed = await self._gateway.front.sign_in(username, self._password, "trial")
            self._tokens[username] = signed.token
        who = await self._gateway.front.who(self._tokens[username])
        if who is None:
            raise AssertionError(f"{username} is not signed in any more")
        return who
