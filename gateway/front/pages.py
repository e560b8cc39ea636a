"""What phones say of the pages that they have got, and the answer that comes with a page's key."""

from __future__ import annotations

from alerts.delivery import Receipt
from gateway import receipts
from gateway.api import schemas
from gateway.front.calls import Calls
from gateway.store.db import Connection


class PageCalls(Calls):
    """Whoever holds a page's key. NotFound for any other."""

    async def page(self, key: str) -> schemas.PageView:
        """How it stands."""
        now = self._clock.now()
        return await self._database.run(lambda each: receipts.view(each, key, now))

    async def page_heard(self, key: str, receipt: Receipt) -> schemas.PageView:
        """It was received or shown. How it stands then."""
        now = self._clock.now()

        async def hear(connection: Connection) -> schemas.PageView:
            await receipts.heard(connection, key, receipt, now, self._cache)
            return await receipts.view(connection, key, now)

        return await self._database.run(hear)

    async def claim_page(self, key: str, request: schemas.PageClaim) -> schemas.PageClaimed:
        """Its person takes the alert. Gone, Conflict or Invalid, with the reason, when it is not taken."""
        now = self._clock.now()
        return await self._database.run(lambda each: receipts.claim(each, key, request.given_at, now, self._cache))
