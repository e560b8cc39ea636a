"""Signing in, who somebody is, and what has changed for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from gateway.access import Who
from gateway.api import schemas
from gateway.errors import Invalid, NotSignedIn, TooMany
from gateway.front.calls import Calls, Services
from gateway.store import audit, people, sessions, views
from gateway.store.audit import Changed
from gateway.store.db import Connection

MOST_FAILURES = 10
"""Failed sign-ins of a user name within a quarter of an hour, before it has to wait."""
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has just begun; the token is shown this once."""

    session_id: UUID
    token: str
    csrf_token: str
    expires_at: datetime
    person: schemas.PersonRef


@cache
def _decoy() -> str:
    """What the password of nobody is compared with. Made at the first sign-in, whoever it is of: it takes as long for all."""
    return PasswordHasher().hash("nobody has this password")


class SigningCalls(Calls):
    """Everybody begins here."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._hasher = PasswordHasher()

    async def sign_in(self, username: str, password: str, user_agent: str) -> SignedIn:
        """NotSignedIn for a wrong name or password, TooMany after too many wrong ones. Both take equally long."""
        username = username.replace("\x00", "\ufffd")  # which no name of ours has, and the database takes
        username = username[:LONGEST_NAME]
        failures = await self._database.run(lambda each: sessions.recent_failures(each, username))
        if failures >= MOST_FAILURES:
            raise TooMany("sign_in", "too many wrong passwords for this user name", "wait a quarter of an hour")
        account = await self._database.run(lambda each: sessions.account(each, username))
        stored = account.password_hash if account and account.password_hash else None
        decoy = await asyncio.to_thread(_decoy)
        fits = await asyncio.to_thread(self._fits, stored or decoy, password)
        if account is None or stored is None or not fits:
            await self._database.run(lambda each: sessions.note_failure(each, username))
            raise NotSignedIn("credentials", "the user name or the password is wrong", "try again")
        begun = await self._database.run(lambda each: sessions.begin(each, account.person_id, user_agent))
        person = schemas.PersonRef(id=account.uid, name=account.name)
        return SignedIn(begun.uid, begun.token, begun.csrf_token, begun.expires_at, person)

    async def who(self, token: str | None) -> Who | None:
        """Whose session this is, with what they may see now; None for a session that is not in force."""
        if not token:
            return None
        return await self._database.run(lambda each: self._who(each, token))

    async def sign_out(self, who: Who) -> None:
        """Their open streams end, too."""

        async def end(connection: Connection) -> None:
            await sessions.end(connection, who.session_id)
            await audit.announce(connection, Changed(persons=frozenset({who.person_id})))

        await self._database.run(end)

    async def set_language(self, who: Who, language: str) -> None:
        """Invalid for a language we do not have."""
        if language not in ("nb", "nn", "en"):
            raise Invalid("language", f"{language!r:.20} is not a language we have", "choose nb, nn or en")
        await self._database.run(lambda each: people.set_language(each, who.person_id, language))

    async def me(self, who: Who) -> schemas.Me:
        return schemas.Me.model_validate(
            {
                "id": who.uid,
                "name": who.name,
                "language": who.language,
                "roles": sorted(who.roles),
                "zones": list(who.zone_names),
            }
        )

    async def changes(self, who: Who) -> AsyncIterator[None]:
        """Something has changed in what they may see. Ends with their session."""
        with self._services.live.subscribe() as subscription:
            async for changed in subscription.changes():
                if not await self._database.run(lambda each: self._in_force(each, who)):
                    return
                if changed is None or await self._concerns(who, changed):
                    yield

    # Parts ----------------------------------------------------------------------------------------------------------

    def _fits(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _who(self, connection: Connection, token: str) -> Who | None:
        session = await sessions.find(connection, token)
        if session is None:
            return None
        reach = await people.reach(connection, session.person_id, self._clock.now())
        return Who(
            person_id=session.person_id,
            uid=session.uid,
            name=session.name,
            language=session.language,
            roles=reach.roles,
            roles_in=reach.roles_in,
            zone_names=tuple(reach.zones.values()),
            csrf_token=session.csrf_token,
            session_id=session.id,
            by_link=session.by_link,
        )

    async def _in_force(self, connection: Connection, who: Who) -> bool:
        return await sessions.in_force(connection, who.session_id)

    async def _concerns(self, who: Who, changed: Changed) -> bool:
        if who.person_id in changed.persons:
            return True
        return await self._database.run(
            lambda each: views.visible_change(each, sorted(changed.zones), who.person_id, sorted(who.zone_ids))
        )
