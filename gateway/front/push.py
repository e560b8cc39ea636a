"""The phones that people are pushed to."""

from __future__ import annotations

from uuid import UUID

from alerts.delivery import Failed
from gateway import push
from gateway.access import ANYBODY, Who
from gateway.api import schemas
from gateway.errors import Conflict, NotFound
from gateway.front.calls import Calls
from gateway.push import Pushing


class PushCalls(Calls):
    """What a phone asks for, to be reached."""

    pushing: Pushing | None = None
    """Set when the gateway has started: the key is in the database."""

    async def push_key(self, who: Who) -> schemas.PushKey:
        who.require(ANYBODY)
        return schemas.PushKey(key=self._pushes().public_key)

    async def push_subscribe(self, who: Who, request: schemas.PushRequest, agent: str = "") -> schemas.PushPhone:
        """``agent``: what the browser calls itself."""
        who.require(ANYBODY)
        now, pushing = self._clock.now(), self._pushes()
        return await self._ruling(lambda each, book: push.subscribe(each, who, request, agent, pushing, now, book))

    async def push_unsubscribe(self, who: Who, uid: UUID) -> None:
        who.require(ANYBODY)
        now = self._clock.now()
        await self._ruling(lambda each, book: push.unsubscribe(each, who, uid, now, book))

    async def push_test(self, who: Who, uid: UUID) -> None:
        """Conflict where the push service does not take it. Not within a transaction: it can take seconds."""
        who.require(ANYBODY)
        phone = await self._database.run(lambda each: push.own_phone(each, who, uid))
        result = await self._pushes().channel.test(push.trial_of(phone, who.language))
        if isinstance(result, Failed):
            raise Conflict("push", result.reason, "open the app on this phone again, and look whether it has a network")

    def _pushes(self) -> Pushing:
        if self.pushing is None:
            raise NotFound("push", "this gateway does not push", "start it with the role engine or web")
        return self.pushing
