"""What technical services look at, and decode again."""

from __future__ import annotations

from uuid import UUID

from gateway import cursors, decoding, technical
from gateway.access import ANYBODY, OVERSEERS, Who
from gateway.api import schemas
from gateway.front.calls import MOST_IN_LIST, Calls
from gateway.store.quarantine import Wanted


class TechnicalCalls(Calls):
    """The quarantine, and how sites are heard."""

    async def quarantine(
        self, who: Who, query: schemas.QuarantineQuery, cursor: str | None, limit: int
    ) -> schemas.QuarantinePage:
        most, wanted = max(1, min(limit, MOST_IN_LIST)), _wanted(query)
        return await self._database.run(lambda each: technical.quarantine_page(each, who, wanted, cursor, most))

    async def sites(self, who: Who) -> list[schemas.SiteView]:
        who.require(ANYBODY)
        now, it = self._clock.now(), self._services
        return await self._database.run(lambda each: technical.sites(each, it.started_at, now, it.limits, it.pace))

    async def decode_again(self, who: Who, uid: UUID) -> schemas.DecodedAgain:
        """A message in quarantine is given another try. NotFound, or NotAllowed for care staff."""
        who.require(OVERSEERS)
        asker = decoding.Asker(who.person_id, who.zones_as(OVERSEERS))
        again = await decoding.decode_again(self._database, asker, uid, self._clock.now(), self._cache)
        reason, detail = (again.error.reason, again.error.detail) if again.error else (None, None)
        return schemas.DecodedAgain(id=uid, outcome=again.outcome, reason=reason, detail=detail)

    async def decode_all_again(
        self, who: Who, query: schemas.QuarantineQuery, cursor: str | None
    ) -> schemas.DecodedAgainAll:
        """All that wait and match are, the oldest first, so many at once; the cursor says where to go on."""
        who.require(OVERSEERS)
        asker = decoding.Asker(who.person_id, who.zones_as(OVERSEERS))
        count, last = await decoding.decode_all_again(
            self._database, asker, _wanted(query), cursors.uid(cursor), self._clock.now(), self._cache
        )
        return schemas.DecodedAgainAll(
            decoded=count["decoded"],
            seen_before=count["seen_before"],
            already_decoded=count["already_decoded"],
            unreadable=count["unreadable"],
            next_cursor=str(last) if last else None,
        )


def _wanted(query: schemas.QuarantineQuery) -> Wanted:
    """As the store takes it: a text with U+0000 in it is in nothing that is stored."""
    q, site = (text.replace("\x00", "\ufffd") if text else None for text in (query.q, query.site))
    return Wanted(q, query.reason, site, query.state)
