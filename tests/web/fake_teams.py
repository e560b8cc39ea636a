"""Teams for the pages to stand on: one that a policy calls, with somebody who has left and somebody to come; and an empty one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.api import schemas
from gateway.errors import Conflict, Invalid, NotFound
from tests.web.fake_policies import KARI, OTHER_ZONE, SIRI, TEAM, ZONE

SINCE = datetime(2026, 11, 1, 8, 0, 12, 345678, tzinfo=UTC)
DAY = timedelta(days=1)
OLE = schemas.PersonRef(id=UUID(int=3), name="Ole-Jakob Tjensvoll")
"""Of no staff any more."""
NIGHT = schemas.TeamView(
    id=TEAM.id,
    name="Nattpatruljen",
    zone=ZONE,
    version=4,
    withdrawn=False,
    members=[
        schemas.MemberView(person=KARI, since=SINCE, until=None),
        schemas.MemberView(person=OLE, since=SINCE, until=SINCE + 7 * DAY),
        schemas.MemberView(person=SIRI, since=SINCE + 60 * DAY, until=SINCE + 90 * DAY),
    ],
    may_change=True,
)
EMPTY = schemas.TeamView(
    id=UUID(int=701), name="Helg", zone=OTHER_ZONE, version=1, withdrawn=False, members=[], may_change=False
)


@dataclass
class FakeTeams:
    """The part of the gateway in memory that teams are. ``teamed``: what was asked to be changed, in order; ``team_refusal``: why to
    refuse."""

    teamed: list[tuple[str, Any]] = field(default_factory=list, kw_only=True)
    team_refusal: str | None = field(default=None, kw_only=True)

    async def teams(self, who: Any) -> list[schemas.TeamView]:
        return [NIGHT, EMPTY]

    async def team(self, who: Any, uid: UUID) -> schemas.TeamView:
        for each in (NIGHT, EMPTY):
            if each.id == uid:
                return each
        raise NotFound("team", "no such team")

    async def add_team(self, who: Any, request: schemas.TeamRequest) -> schemas.TeamView:
        return self._team_set("add", request)

    async def change_team(self, who: Any, uid: UUID, request: schemas.TeamChange) -> schemas.TeamView:
        return self._team_set("change", request)

    async def withdraw_team(self, who: Any, uid: UUID, version: int) -> schemas.TeamView:
        return self._team_set("withdraw", version)

    def _team_set(self, what: str, request: Any) -> schemas.TeamView:
        if self.team_refusal is not None:
            raise (Invalid if self.team_refusal == "members" else Conflict)(self.team_refusal, "refused")
        self.teamed.append((what, request))
        return NIGHT
