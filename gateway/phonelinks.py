"""A phone is signed in by a link that is opened on it, once; and where somebody is signed in.

Rules
    Whoever is signed in with a password makes a link; a session that began by one makes no other, or one password would do for
    ever. Opened on a phone within minutes, it asks; said yes to, it signs that phone in as them,
    with a session of its own, and is used up. To look at it uses nothing up: what previews links does no harm.
    A phone on which somebody else is signed in is not taken over: they sign out first.
    A session is ended by its person from anywhere. Making a link, using it and ending a session are in the audit.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from gateway.access import Who
from gateway.api import schemas
from gateway.errors import Conflict, Gone, NotAllowed, NotFound
from gateway.store import audit, phonelinks, sessions
from gateway.store.audit import Audited, Changed
from gateway.store.db import Connection
from gateway.store.phonelinks import PhoneLink
from gateway.store.sessions import NewSession

MEND = "make a new one under My contacts, where you are signed in already"
LONGEST_TOKEN = 128


async def make(connection: Connection, who: Who, public_url: str, now: datetime) -> schemas.PhoneLink:
    """A link for a phone of theirs. NotAllowed where a link signed them in."""
    if who.by_link:
        raise NotAllowed(
            "by_link", "you were signed in here by a link, which makes no other", "sign in with your password first"
        )
    token, until = await phonelinks.make(connection, who.person_id)
    await audit.add(connection, now, (Audited("phone_link.made", "person", who.person_id, who.person_id),))
    return schemas.PhoneLink(url=f"{public_url}/add-phone/{token}", until=until)


async def look(connection: Connection, token: str, who: Who | None) -> schemas.PersonRef:
    """Whose phone it would be. Gone for a link that does not hold, Conflict where somebody else is signed in."""
    found = await phonelinks.find(connection, token[:LONGEST_TOKEN])
    return _ref(_theirs(found, who))


async def use(
    connection: Connection, token: str, who: Who | None, user_agent: str, now: datetime
) -> tuple[NewSession, schemas.PersonRef]:
    """Sign this phone in. Gone and Conflict as before; the link is not used up then."""
    _theirs(await phonelinks.find(connection, token[:LONGEST_TOKEN]), who)
    used = _theirs(await phonelinks.use(connection, token[:LONGEST_TOKEN]), who)
    if who is not None:
        await sessions.end(connection, who.session_id)
    begun = await sessions.begin(connection, used.person_id, user_agent, by_link=True)
    await audit.add(connection, now, (Audited("phone_link.used", "person", used.person_id, used.person_id),))
    await audit.announce(connection, Changed(persons=frozenset({used.person_id})))
    return begun, _ref(used)


def _theirs(found: PhoneLink | None, who: Who | None) -> PhoneLink:
    if found is None:
        raise Gone("phone_link", "this link has been used, or is more than ten minutes old", MEND)
    if who is not None and who.person_id != found.person_id:
        raise Conflict(
            "somebody_else", "somebody else is signed in on this phone", "sign out, then open the link again"
        )
    return found


def _ref(found: PhoneLink) -> schemas.PersonRef:
    return schemas.PersonRef(id=found.uid, name=found.name)


# Sessions -------------------------------------------------------------------------------------------------------------


async def signed_in(connection: Connection, who: Who) -> list[schemas.SignedInView]:
    """Where they are signed in, the newest first."""
    return [
        schemas.SignedInView(
            id=each.uid,
            agent=each.user_agent,
            since=each.created_at,
            until=each.expires_at,
            this=each.id == who.session_id,
        )
        for each in await sessions.of(connection, who.person_id)
    ]


async def end(connection: Connection, who: Who, uid: UUID, now: datetime) -> None:
    """One of their sessions ends. NotFound for one that has ended, or is somebody else's."""
    for each in await sessions.of(connection, who.person_id):
        if each.uid == uid:
            await sessions.end(connection, each.id)
            await audit.add(connection, now, (Audited("session.ended", "person", who.person_id, who.person_id),))
            await audit.announce(connection, Changed(persons=frozenset({who.person_id})))
            return
    raise NotFound("session", "there is no such session of yours, or it has ended")
