"""Rules, and what they would have raised."""

from __future__ import annotations

import asyncio
from uuid import UUID

from gateway import previewing, ruling
from gateway.access import ANYBODY, Who
from gateway.api import schemas
from gateway.errors import Invalid
from gateway.front.calls import Calls, Services
from gateway.store.db import TooMuch


class RuleCalls(Calls):
    """What people can do with rules."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._one_preview = asyncio.Semaphore(1)
        """A replay of a month takes a processor for seconds: one at a time."""

    async def rules(self, who: Who, kind: str | None) -> schemas.RuleList:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._ruling(lambda each, book: ruling.rule_list(each, who, kind, now, book))

    async def rule(self, who: Who, uid: UUID) -> schemas.RuleDetail:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._ruling(lambda each, book: ruling.rule_detail(each, who, uid, now, book))

    async def rule_draft(self, who: Who, kind: str, name: str, scope: schemas.ScopeRequest) -> schemas.RuleDraft:
        """What the form to set a rule begins with."""
        now = self._clock.now()
        return await self._ruling(lambda each, book: ruling.draft(each, who, kind, name, scope, book, now))

    async def set_rule(self, who: Who, request: schemas.RuleRequest) -> schemas.RuleView:
        """NotFound, NotAllowed, InvalidFields or Conflict, with the reason, when it cannot be set."""
        now = self._clock.now()
        return await self._ruling(lambda each, _: ruling.save(each, who, request, now))

    async def withdraw_rule(self, who: Who, uid: UUID, version: int) -> schemas.RuleView:
        """NotFound, NotAllowed or Conflict, with the reason, when it cannot be withdrawn."""
        now = self._clock.now()
        return await self._ruling(lambda each, book: ruling.withdraw(each, who, uid, version, now, book))

    async def preview_rule(self, who: Who, request: schemas.RuleRequest) -> schemas.Preview:
        """What a rule would have raised. Invalid where there is too much to look at."""
        now = self._clock.now()
        async with self._one_preview:
            try:
                gathered = await self._ruling(lambda each, book: previewing.gather(each, who, request, now, book))
            except TooMuch as error:
                raise Invalid(
                    "too_much", "there is too much to look at", "choose a smaller zone, or a device"
                ) from error
            compared = await asyncio.to_thread(previewing.replayed, gathered)
        return await self._database.run(lambda each: previewing.tell(each, who, gathered, compared, now))
