"""A desk's list, and how alerts climb here."""

from __future__ import annotations

from gateway import desk
from gateway.access import ANYBODY, Who
from gateway.api import schemas
from gateway.front.calls import Calls


class DeskCalls(Calls):
    """What leads and the response centre look at."""

    async def desk(self, who: Who, query: schemas.DeskQuery) -> schemas.Desk:
        """NotAllowed for care staff, NotFound for a zone that is not theirs."""
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: desk.gather(each, who, query, now, local))

    async def ladders(self, who: Who) -> list[schemas.Ladder]:
        """How alerts climb in this installation: care first, the severest first."""
        who.require(ANYBODY)
        return await self._database.run(lambda each: desk.read_ladders(each, who))
