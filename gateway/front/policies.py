"""Policies and teams, whom they would page, and the week to come."""

from __future__ import annotations

from uuid import UUID

from gateway import policing, rehearsing, teaming
from gateway.access import ANYBODY, LEADERS, OVERSEERS, Who
from gateway.api import schemas
from gateway.front.calls import Calls


class PolicyCalls(Calls):
    """What people can do with policies."""

    async def policies(self, who: Who) -> list[schemas.PolicyView]:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._ruling(lambda each, book: policing.policy_list(each, who, book, now))

    async def policy(self, who: Who, uid: UUID) -> schemas.PolicyDetail:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._ruling(lambda each, book: policing.policy_detail(each, who, uid, book, now))

    async def policy_options(self, who: Who, scope: schemas.PolicyScopeRequest) -> schemas.PolicyOptions:
        """What the form to set a policy offers."""
        now = self._clock.now()
        return await self._ruling(lambda each, book: policing.options(each, who, scope, book, now))

    async def add_policy(self, who: Who, request: schemas.PolicyRequest) -> schemas.PolicyView:
        """NotFound, NotAllowed, InvalidFields, Invalid or Conflict, with the reason, when it cannot be set."""
        now = self._clock.now()
        return await self._ruling(lambda each, book: policing.add(each, who, request, book, now))

    async def change_policy(self, who: Who, uid: UUID, request: schemas.PolicyChange) -> schemas.PolicyView:
        """The same; Conflict where somebody else was quicker."""
        now = self._clock.now()
        return await self._ruling(lambda each, book: policing.change(each, who, uid, request, book, now))

    async def withdraw_policy(self, who: Who, uid: UUID, version: int) -> schemas.PolicyView:
        """NotFound, NotAllowed or Conflict, with the reason, when it cannot be withdrawn."""
        now = self._clock.now()
        return await self._ruling(lambda each, book: policing.withdraw(each, who, uid, version, book, now))

    async def rehearsal(self, who: Who, query: schemas.RehearsalQuery) -> schemas.Rehearsal:
        """Who would be paged. NotFound or Invalid, with the reason, where that cannot be said."""
        now = self._clock.now()
        return await self._ruling(lambda each, book: rehearsing.rehearsal(each, who, query, book, now))

    async def reach(self, who: Who) -> schemas.ReachView:
        """The week to come in the zones that the reader oversees."""
        who.require(OVERSEERS)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: rehearsing.outlook_of(each, who, local, now))

    async def teams(self, who: Who) -> list[schemas.TeamView]:
        who.require(LEADERS)
        return await self._ruling(lambda each, book: teaming.team_list(each, who, book))

    async def team(self, who: Who, uid: UUID) -> schemas.TeamView:
        who.require(LEADERS)
        return await self._ruling(lambda each, book: teaming.team(each, who, uid, book))

    async def add_team(self, who: Who, request: schemas.TeamRequest) -> schemas.TeamView:
        """NotFound, NotAllowed, Invalid or Conflict, with the reason, when it cannot be made."""
        now = self._clock.now()
        return await self._ruling(lambda each, book: teaming.add_team(each, who, request, book, now))

    async def change_team(self, who: Who, uid: UUID, request: schemas.TeamChange) -> schemas.TeamView:
        """The same; Conflict where somebody else was quicker."""
        now = self._clock.now()
        return await self._ruling(lambda each, book: teaming.change_team(each, who, uid, request, book, now))

    async def withdraw_team(self, who: Who, uid: UUID, version: int) -> schemas.TeamView:
        """Conflict while a policy calls it, or where somebody else was quicker."""
        now = self._clock.now()
        return await self._ruling(lambda each, book: teaming.withdraw_team(each, who, uid, version, book, now))
