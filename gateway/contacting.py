"""My contacts: how somebody can be reached, as they keep it themselves; and what their lead sees of it.

Rules
    Everybody keeps their own. Their lead sees which kinds there are and how each stands, never where it leads to.
    An address is kept in the form that its channel gives it, and refused with the channel's words. What a phone registers by
    itself (Web Push) is not typed here; it can be ordered, tested and taken away like any other.
    All contacts stand in one order, in which they are tried. Quiet hours hold for what is neither serious nor critical.
    The last one that reaches somebody who serves goes only when they say so again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from uuid import UUID

from alerts.chain import OUTSIDE
from alerts.channels import Channel
from alerts.contacts import MOST_CONTACTS, Removal, ordered, removal, state
from alerts.rulebook import Rulebook
from gateway import breaking, pagetests
from gateway.access import Role, Who
from gateway.api import schemas
from gateway.errors import Conflict, Invalid, NotFound
from gateway.pagetests import PageTestTimes
from gateway.store import alerts as alert_store
from gateway.store import audit, checkins, contacts, outlook, people, rosters
from gateway.store.audit import Audited, Changed
from gateway.store.contacts import Kept
from gateway.store.db import Connection

BY_THE_PHONE = "web_push"
"""The channel whose contacts a phone registers by itself."""
NOT_SHOWN = frozenset({OUTSIDE, BY_THE_PHONE, "canary"})
"""Channels whose addresses tell nobody anything."""
LONGEST = 2000
ALWAYS = frozenset({Role.LEAD, Role.CENTRE})
"""Roles whose people are called at any time."""


@dataclass(frozen=True, slots=True)
class Reaching:
    """How people are reached here: the channels that are set up, the address that they open, and the times of tests."""

    channels: Mapping[str, Channel]
    public_url: str = ""
    testing: PageTestTimes = field(default_factory=PageTestTimes)

    @property
    def typed(self) -> list[str]:
        """The channels that people type an address for."""
        return sorted(set(self.channels) - NOT_SHOWN)


# Reading --------------------------------------------------------------------------------------------------------------


async def mine(connection: Connection, who: Who, reaching: Reaching) -> schemas.ContactList:
    """Their contacts in the order in which they are tried, and what can be added."""
    kept = await contacts.of(connection, who.person_id)
    may_add = [*reaching.typed]
    if not any(each.channel == OUTSIDE for each in kept):
        may_add.append(OUTSIDE)
    return schemas.ContactList(
        contacts=[_view(each, reaching.channels) for each in kept],
        may_add=may_add if len(kept) < MOST_CONTACTS else [],
        by_phone=BY_THE_PHONE in reaching.channels,
        told_after=int(reaching.testing.within.total_seconds()),
    )


async def states(
    connection: Connection, persons: Collection[int], channels: Collection[str]
) -> dict[int, list[schemas.ContactState]]:
    """Of colleagues which kinds of contact they have and how each stands, in their order; of channels that are set up."""
    found: dict[int, list[schemas.ContactState]] = {}
    for each in await contacts.of_all(connection, persons):
        if each.channel in channels:
            shown = schemas.ContactState(channel=each.channel, state=state(each.way))
            found.setdefault(each.person_id, []).append(shown)
    return found


# Changing -------------------------------------------------------------------------------------------------------------


async def add(
    connection: Connection, who: Who, request: schemas.ContactRequest, now: datetime, reaching: Reaching
) -> schemas.ContactView:
    """Invalid for an address that its channel cannot reach, Conflict for one that is there already or one too many."""
    address = _address(request, reaching)
    await rosters.lock_person(connection, who.person_id)
    kept = await contacts.of(connection, who.person_id)
    if any((each.channel, each.address) == (request.channel, address) or _twice(each, request) for each in kept):
        raise Conflict("there_already", "you have this contact already")
    if len(kept) >= MOST_CONTACTS:
        raise Conflict("too_many", f"nobody has more than {MOST_CONTACTS} contacts", "remove one first")
    added = await contacts.add(connection, who.person_id, request.channel, address, now)
    await _note(connection, who, "contact.added", added, request.channel, now)
    return await _one(connection, who, added, reaching)


def _twice(kept: Kept, request: schemas.ContactRequest) -> bool:
    return kept.channel == request.channel == OUTSIDE


def _address(request: schemas.ContactRequest, reaching: Reaching) -> str:
    channel = reaching.channels.get(request.channel)
    if channel is None or request.channel not in {*reaching.typed, OUTSIDE}:
        there = ", ".join([*reaching.typed, OUTSIDE])
        raise Invalid("channel", f"{request.channel!r} is not set up here, or not added so", f"choose one of: {there}")
    try:
        address = channel.check_address(request.address)
    except ValueError as wrong:
        raise Invalid("address", f"the address {wrong}", "correct it") from None
    if len(address) > LONGEST or "\x00" in address:
        raise Invalid("address", f"the address must have at most {LONGEST} letters", "correct it")
    return address


async def set_order(
    connection: Connection, who: Who, request: schemas.ContactOrder, reaching: Reaching, now: datetime
) -> schemas.ContactList:
    """Conflict where these are not all of their contacts, each once: they have changed meanwhile."""
    await rosters.lock_person(connection, who.person_id)
    kept = {each.uid: each.id for each in await contacts.of(connection, who.person_id)}
    wanted = ordered(list(kept.values()), [kept.get(uid, 0) for uid in request.ids])
    if wanted is None:
        raise Conflict("stale", "these are not all of your contacts, each once", "look at them again")
    await contacts.order(connection, wanted)
    line = Audited("contact.ordered", "person", who.person_id, who.person_id)
    await audit.add(connection, now, (line,))
    await _tell(connection, who.person_id, now)
    return await mine(connection, who, reaching)


async def set_quiet(
    connection: Connection, who: Who, uid: UUID, request: schemas.QuietHours, now: datetime, reaching: Reaching
) -> schemas.ContactView:
    """Local times, also over midnight; none where both are None. What is serious or critical comes all the same."""
    kept, _ = await _own(connection, who, uid)
    await contacts.set_quiet(connection, kept.id, request.quiet_from, request.quiet_to)
    await _note(connection, who, "contact.quiet_set", kept.id, kept.channel, now)
    return await _one(connection, who, kept.id, reaching)


async def remove(
    connection: Connection, who: Who, uid: UUID, now: datetime, book: Rulebook, *, confirmed: bool
) -> None:
    """Conflict ``last_contact`` for the last one that reaches them while they serve, unless ``confirmed``."""
    kept, every = await _own(connection, who, uid)
    serves = await _serves(connection, who, now, book.local)
    if removal([each.way for each in every], kept.id, serves=serves) is Removal.ASK_FIRST and not confirmed:
        raise Conflict(
            "last_contact",
            "you are called now, and nothing else reaches you: alerts would go past you",
            "add another contact first, or say that you want it all the same",
        )
    keys = [breaking.key_of(kept.id), pagetests.key_of(kept.id)]
    await alert_store.lock_open(connection, keys)
    await contacts.remove(connection, kept.id, now)
    changed = await breaking.over(connection, kept.id, now, book)
    changed |= await pagetests.over(connection, kept.id, now, book)
    await _note(connection, who, "contact.removed", kept.id, kept.channel, now)
    await audit.announce(connection, changed)


async def test(
    connection: Connection, who: Who, uid: UUID, now: datetime, book: Rulebook, reaching: Reaching
) -> schemas.ContactView:
    """A test page to this one contact. Conflict where there cannot be one now."""
    kept, _ = await _own(connection, who, uid)
    await audit.announce(connection, await pagetests.send(connection, kept, who.person_id, now, book, reaching.testing))
    return await _one(connection, who, kept.id, reaching)


async def call_off(
    connection: Connection, who: Who, uid: UUID, now: datetime, book: Rulebook, reaching: Reaching
) -> schemas.ContactView:
    """A test that waits is of no interest any more. Conflict where the lead has been told."""
    kept, _ = await _own(connection, who, uid)
    await audit.announce(connection, await pagetests.call_off(connection, kept, who.person_id, now, book))
    return await _one(connection, who, kept.id, reaching)


# Parts ----------------------------------------------------------------------------------------------------------------


async def _own(connection: Connection, who: Who, uid: UUID) -> tuple[Kept, list[Kept]]:
    """One of their contacts, and all of them; theirs to change until the transaction ends. NotFound for anybody else's."""
    await rosters.lock_person(connection, who.person_id)
    every = await contacts.of(connection, who.person_id)
    for each in every:
        if each.uid == uid:
            return each, every
    raise NotFound("contact", "there is no such contact of yours", "look at your contacts again")


async def _serves(connection: Connection, who: Who, now: datetime, local: tzinfo) -> bool:
    """Whether pages may come to them now: they lead, are at the response centre, or are on duty somewhere."""
    if who.roles & ALWAYS:
        return True
    for row in await checkins.zones_served(connection, who.person_id, now):
        roster = await people.roster(connection, row["id"], now, now)
        if any(each.person_id == who.person_id for each in roster.duties(row["role"], now, local)):
            return True
    return False


async def _one(connection: Connection, who: Who, contact_id: int, reaching: Reaching) -> schemas.ContactView:
    every: Sequence[Kept] = await contacts.of(connection, who.person_id)
    return next(_view(each, reaching.channels) for each in every if each.id == contact_id)


def _view(kept: Kept, channels: Collection[str]) -> schemas.ContactView:
    return schemas.ContactView(
        id=kept.uid,
        channel=kept.channel,
        address="" if kept.channel in NOT_SHOWN else kept.address,
        state=state(kept.way),
        set_up=kept.channel in channels,
        reason=kept.broken_reason,
        broken_at=kept.broken_at,
        confirmed_at=kept.confirmed_at,
        tested_at=kept.tested_at,
        test_until=kept.test_until,
        added_at=kept.created_at,
        opened_at=kept.renewed_at,
        machine=kept.machine,
        quiet_from=kept.quiet_from,
        quiet_to=kept.quiet_to,
    )


async def _note(connection: Connection, who: Who, action: str, contact_id: int, channel: str, now: datetime) -> None:
    """Who did it, without where it leads to."""
    await audit.add(connection, now, (Audited(action, "contact", contact_id, who.person_id, {"channel": channel}),))
    await _tell(connection, who.person_id, now)


async def _tell(connection: Connection, person_id: int, now: datetime) -> None:
    """Whom policies will reach is looked at again; their open pages are told."""
    await outlook.look_at(connection, now)
    await audit.announce(connection, Changed(persons=frozenset({person_id})))
