"""Rules and silences."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from gateway.api import schemas
from gateway.client.calls import Calls, each


class RuleCalls(Calls):
    async def rules(self, kind: str | None = None) -> schemas.RuleList:
        return await self._call(schemas.RuleList, "GET", "/rules", more={"kind": kind} if kind else {})

    async def rule(self, uid: UUID) -> schemas.RuleDetail:
        return await self._call(schemas.RuleDetail, "GET", f"/rules/{uid}")

    async def set_rule(self, body: schemas.RuleRequest) -> schemas.RuleView:
        return await self._call(schemas.RuleView, "PUT", "/rules", body)

    async def preview_rule(self, body: schemas.RuleRequest) -> schemas.Preview:
        return await self._call(schemas.Preview, "POST", "/rules/preview", body)

    async def withdraw_rule(self, uid: UUID, body: schemas.WithdrawRequest) -> schemas.RuleView:
        return await self._call(schemas.RuleView, "POST", f"/rules/{uid}/withdraw", body)

    async def rule_types(self) -> list[schemas.RuleType]:
        return await self._call(list[schemas.RuleType], "GET", "/rule-types")

    # Silences ---------------------------------------------------------------------------------------------------------

    async def silences(self, query: schemas.SilenceQuery | None = None) -> schemas.SilencePage:
        return await self._call(schemas.SilencePage, "GET", "/silences", query=query)

    def all_silences(self, query: schemas.SilenceQuery | None = None) -> AsyncIterator[schemas.SilenceView]:
        return each(self.silences, query or schemas.SilenceQuery(), lambda page: page.silences)

    async def silence_count(self) -> schemas.SilenceCount:
        return await self._call(schemas.SilenceCount, "GET", "/silences/count")

    async def silence_draft(self, query: schemas.SilenceFor) -> schemas.SilenceDraft:
        """What can be silenced of a device, a resident or a zone."""
        return await self._call(schemas.SilenceDraft, "GET", "/silences/draft", query=query)

    async def silence(self, uid: UUID) -> schemas.SilenceDetail:
        return await self._call(schemas.SilenceDetail, "GET", f"/silences/{uid}")

    async def set_silence(self, body: schemas.SilenceRequest) -> schemas.SilenceDetail:
        """Silence something, or say that a resident is away."""
        return await self._call(schemas.SilenceDetail, "POST", "/silences", body)

    async def consent(self, uid: UUID, body: schemas.SilenceSeen) -> schemas.SilenceDetail:
        """Agree to a silence that somebody else has asked for."""
        return await self._call(schemas.SilenceDetail, "POST", f"/silences/{uid}/consent", body)

    async def extend(self, uid: UUID, body: schemas.SilenceLonger) -> schemas.SilenceDetail:
        return await self._call(schemas.SilenceDetail, "POST", f"/silences/{uid}/extend", body)

    async def end_silence(self, uid: UUID, body: schemas.SilenceSeen) -> schemas.SilenceDetail:
        """End it now, or say that a resident is back."""
        return await self._call(schemas.SilenceDetail, "POST", f"/silences/{uid}/end", body)
