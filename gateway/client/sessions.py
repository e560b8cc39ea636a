"""Signing in, and how people are reached."""

from __future__ import annotations

from uuid import UUID

from gateway.api import schemas
from gateway.client.calls import Calls


class SessionCalls(Calls):
    async def sign_in(self, body: schemas.SignIn) -> schemas.SessionView:
        """Begin a session; every other call is made in it."""
        begun = await self._call(schemas.SessionView, "POST", "/sessions", body)
        self._carry(begun.token)
        return begun

    async def sign_out(self) -> None:
        await self._send("DELETE", "/sessions/current")
        del self._http.headers["Authorization"]

    async def me(self) -> schemas.Me:
        return await self._call(schemas.Me, "GET", "/me")

    async def set_language(self, body: schemas.Language) -> None:
        await self._send("PUT", "/me/language", body)

    async def signed_in_at(self) -> list[schemas.SignedInView]:
        return await self._call(list[schemas.SignedInView], "GET", "/me/sessions")

    async def end_session(self, uid: UUID) -> None:
        await self._send("DELETE", f"/me/sessions/{uid}")

    # Contacts ---------------------------------------------------------------------------------------------------------

    async def contacts(self) -> schemas.ContactList:
        return await self._call(schemas.ContactList, "GET", "/me/contacts")

    async def add_contact(self, body: schemas.ContactRequest) -> schemas.ContactView:
        return await self._call(schemas.ContactView, "POST", "/me/contacts", body)

    async def order_contacts(self, body: schemas.ContactOrder) -> schemas.ContactList:
        return await self._call(schemas.ContactList, "PUT", "/me/contacts/order", body)

    async def set_quiet_hours(self, uid: UUID, body: schemas.QuietHours) -> schemas.ContactView:
        return await self._call(schemas.ContactView, "PATCH", f"/me/contacts/{uid}", body)

    async def remove_contact(self, uid: UUID, *, confirmed: bool = False) -> None:
        """``confirmed``: also if nothing else reaches you while you serve."""
        await self._send("DELETE", f"/me/contacts/{uid}", query=schemas.RemovalQuery(confirmed=confirmed))

    async def test_contact(self, uid: UUID) -> schemas.ContactView:
        return await self._call(schemas.ContactView, "POST", f"/me/contacts/{uid}/test")

    async def call_off_test(self, uid: UUID) -> schemas.ContactView:
        return await self._call(schemas.ContactView, "DELETE", f"/me/contacts/{uid}/test")

    # Phones -----------------------------------------------------------------------------------------------------------

    async def push_key(self) -> schemas.PushKey:
        return await self._call(schemas.PushKey, "GET", "/push/key")

    async def push_subscribe(self, body: schemas.PushRequest) -> schemas.PushPhone:
        return await self._call(schemas.PushPhone, "PUT", "/push/subscription", body)

    async def push_unsubscribe(self, uid: UUID) -> None:
        await self._send("DELETE", f"/push/subscription/{uid}")

    async def push_test(self, uid: UUID) -> None:
        await self._send("POST", f"/push/subscription/{uid}/test")
