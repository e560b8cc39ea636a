"""Policies and teams, and whom they reach."""

from __future__ import annotations

from uuid import UUID

from gateway.api import schemas
from gateway.client.calls import Calls


class PolicyCalls(Calls):
    async def policies(self) -> list[schemas.PolicyView]:
        return await self._call(list[schemas.PolicyView], "GET", "/policies")

    async def policy(self, uid: UUID) -> schemas.PolicyDetail:
        return await self._call(schemas.PolicyDetail, "GET", f"/policies/{uid}")

    async def policy_options(self, query: schemas.PolicyScopeRequest | None = None) -> schemas.PolicyOptions:
        return await self._call(schemas.PolicyOptions, "GET", "/policy-options", query=query)

    async def add_policy(self, body: schemas.PolicyRequest) -> schemas.PolicyView:
        return await self._call(schemas.PolicyView, "POST", "/policies", body=body)

    async def change_policy(self, uid: UUID, body: schemas.PolicyChange) -> schemas.PolicyView:
        return await self._call(schemas.PolicyView, "PUT", f"/policies/{uid}", body=body)

    async def withdraw_policy(self, uid: UUID, body: schemas.WithdrawRequest) -> schemas.PolicyView:
        return await self._call(schemas.PolicyView, "POST", f"/policies/{uid}/withdraw", body=body)

    async def rehearsal(self, query: schemas.RehearsalQuery) -> schemas.Rehearsal:
        return await self._call(schemas.Rehearsal, "GET", "/rehearsal", query=query)

    async def reach(self) -> schemas.ReachView:
        return await self._call(schemas.ReachView, "GET", "/reach")

    async def teams(self) -> list[schemas.TeamView]:
        return await self._call(list[schemas.TeamView], "GET", "/teams")

    async def team(self, uid: UUID) -> schemas.TeamView:
        return await self._call(schemas.TeamView, "GET", f"/teams/{uid}")

    async def add_team(self, body: schemas.TeamRequest) -> schemas.TeamView:
        return await self._call(schemas.TeamView, "POST", "/teams", body=body)

    async def change_team(self, uid: UUID, body: schemas.TeamChange) -> schemas.TeamView:
        return await self._call(schemas.TeamView, "PUT", f"/teams/{uid}", body=body)

    async def withdraw_team(self, uid: UUID, body: schemas.WithdrawRequest) -> schemas.TeamView:
        return await self._call(schemas.TeamView, "POST", f"/teams/{uid}/withdraw", body=body)
