"""How people are reached, as they keep it: contacts, tests, links for phones, sessions."""

from __future__ import annotations

from uuid import UUID

from gateway import contacting, phonelinks
from gateway.access import ANYBODY, Who
from gateway.api import schemas
from gateway.front.calls import Calls
from gateway.store.sessions import NewSession


class ContactCalls(Calls):
    """What people can do about how they are reached."""

    async def contacts(self, who: Who) -> schemas.ContactList:
        who.require(ANYBODY)
        return await self._database.run(lambda each: contacting.mine(each, who, self._reaching))

    async def add_contact(self, who: Who, request: schemas.ContactRequest) -> schemas.ContactView:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._database.run(lambda each: contacting.add(each, who, request, now, self._reaching))

    async def order_contacts(self, who: Who, request: schemas.ContactOrder) -> schemas.ContactList:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._database.run(lambda each: contacting.set_order(each, who, request, self._reaching, now))

    async def set_quiet_hours(self, who: Who, uid: UUID, request: schemas.QuietHours) -> schemas.ContactView:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._database.run(lambda each: contacting.set_quiet(each, who, uid, request, now, self._reaching))

    async def remove_contact(self, who: Who, uid: UUID, *, confirmed: bool = False) -> None:
        who.require(ANYBODY)
        now = self._clock.now()
        await self._ruling(lambda each, book: contacting.remove(each, who, uid, now, book, confirmed=confirmed))

    async def test_contact(self, who: Who, uid: UUID) -> schemas.ContactView:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._ruling(lambda each, book: contacting.test(each, who, uid, now, book, self._reaching))

    async def call_off_test(self, who: Who, uid: UUID) -> schemas.ContactView:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._ruling(lambda each, book: contacting.call_off(each, who, uid, now, book, self._reaching))

    # A phone, and sessions ------------------------------------------------------------------------------------------

    async def make_phone_link(self, who: Who) -> schemas.PhoneLink:
        who.require(ANYBODY)
        now, url = self._clock.now(), self._reaching.public_url
        return await self._database.run(lambda each: phonelinks.make(each, who, url, now))

    async def phone_link(self, token: str, who: Who | None) -> schemas.PersonRef:
        """Whoever opens a link; ``who``: whoever is signed in there, perhaps."""
        return await self._database.run(lambda each: phonelinks.look(each, token, who))

    async def use_phone_link(self, token: str, who: Who | None, user_agent: str) -> NewSession:
        now = self._clock.now()
        begun, _ = await self._database.run(lambda each: phonelinks.use(each, token, who, user_agent, now))
        return begun

    async def signed_in_at(self, who: Who) -> list[schemas.SignedInView]:
        return await self._database.run(lambda each: phonelinks.signed_in(each, who))

    async def end_session(self, who: Who, uid: UUID) -> None:
        now = self._clock.now()
        await self._database.run(lambda each: phonelinks.end(each, who, uid, now))
