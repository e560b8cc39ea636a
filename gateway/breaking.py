"""Contacts that turn out to be of no use, and that work again: who is told, and when it is over.

Rules
    A contact is broken when its channel or its provider says so for certain. Nobody counts on it from then on, it is in the
    audit, and the reason – a server's own words, which may name the address – stays with the contact, which can be erased.
    Its person is told by whatever else reaches them, and so is who leads where they serve: by a notice, one for each contact
    however often it fails, which names persons by id. It is over when the contact works again or is removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alerts.model import Clear, Entry, Evidence
from alerts.rulebook import Rulebook
from gateway import noticing
from gateway.engine import act
from gateway.store import audit, outlook, receipts
from gateway.store.audit import Audited, Changed
from gateway.store.db import Connection

CONTACT_BROKEN = "contact_broken"


@dataclass(frozen=True, slots=True)
class OfPerson:
    """A contact by id, whose it is, and its channel."""

    id: int
    person_id: int
    channel: str


def key_of(contact_id: int) -> str:
    """The key of the notice about a contact; whoever breaks one holds that alert, with others in the order of their keys."""
    return f"{CONTACT_BROKEN}:contact:{contact_id}"


async def broke(
    connection: Connection, contact: OfPerson, reason: str, zone_id: int, now: datetime, book: Rulebook
) -> Changed:
    """A contact is of no use. ``zone_id``: where that is told, if its person has no zone of their own."""
    if not await receipts.break_contact(connection, contact.id, reason, now):
        return Changed()
    line = Audited("contact.broken", "contact", contact.id, params={"channel": contact.channel})
    await audit.add(connection, now, (line,))
    await outlook.look_at(connection, now)
    zone = await receipts.zone_of(connection, contact.person_id, now) or zone_id
    subject = await noticing.subject_in(connection, zone)
    if subject is None:
        return Changed()
    notice = noticing.word(key_of(contact.id), CONTACT_BROKEN, subject, now, notice=(contact.person_id,))
    told = Entry("contact_broken", {"persons": [contact.person_id], "channel": contact.channel})
    return await noticing.tell(connection, notice, told, now, book)


async def mended(
    connection: Connection, contact_id: int, now: datetime, book: Rulebook, *, by: int | None = None
) -> Changed:
    """It works again: its person has confirmed it, or word came from it. Whoever calls announces what changed."""
    if not await receipts.mend_contact(connection, contact_id):
        return Changed()
    await audit.add(connection, now, (Audited("contact.mended", "contact", contact_id, by),))
    await outlook.look_at(connection, now)
    return await over(connection, contact_id, now, book)


async def over(connection: Connection, contact_id: int, now: datetime, book: Rulebook) -> Changed:
    """Nobody has to see to a contact any more: it works, or there is no such contact."""
    clear = Clear(key_of(contact_id), Evidence("contact_works", now, now))
    return await act(connection, [clear], now, book)
