"""The phones that people are pushed to: a browser's subscription becomes its person's contact, and stays one.

Rules
    A phone belongs to whoever signed in on it last: the one before is not reached there any more.
    A browser that has subscribed anew says what it had before, and that contact goes on with its place in the order.
    A phone says by itself that it has its subscription, whenever the app is opened. That is no sign that it rings: nothing is
    confirmed by it. A contact that was broken is mended where the endpoint is another, or somebody pressed the button; else the
    phone hears that it is broken, and subscribes anew.
    What its own person has removed or turned off comes back by the button alone; what others took over comes back by itself.
    A person has at most :data:`MOST_PHONES`; the one that has been silent for longest makes room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from alerts.channels import Outgoing
from alerts.delivery import SendResult
from alerts.model import Severity
from alerts.render import PUSH_TEST, translations
from alerts.rulebook import Rulebook
from alerts.subscription import Subscription, begins, check
from alerts.vapid import public_key
from gateway import breaking, pagetests
from gateway.access import Who
from gateway.api import schemas
from gateway.errors import Conflict, Invalid, NotFound
from gateway.machines import kind_of
from gateway.store import alerts as alert_store
from gateway.store import audit, outlook
from gateway.store import push as store
from gateway.store.audit import Audited, Changed
from gateway.store.db import Connection
from gateway.store.push import CHANNEL, Phone

MOST_PHONES = 10
NEVER = datetime.min.replace(tzinfo=UTC)


class Tries(Protocol):
    """A channel that can be tried."""

    async def test(self, outgoing: Outgoing) -> SendResult:
        """Say on the phone that it can be reached."""


@dataclass(frozen=True, slots=True)
class Pushing:
    """``private_key``: ours. ``channel``: what pushes. ``private_endpoints``: hosts of this network are taken, too."""

    private_key: str = field(repr=False)
    channel: Tries
    private_endpoints: bool = False

    @property
    def public_key(self) -> str:
        """What browsers subscribe with."""
        return public_key(self.private_key)


@dataclass(frozen=True, slots=True)
class Placed:
    """What becomes of a subscription. ``known``: the contact that it renews, None for a new one; ``dropped``: those that go."""

    known: int | None
    dropped: tuple[int, ...]


def place(phones: Sequence[Phone], endpoint: str, replaces: str | None) -> Placed:
    """Where a subscription of this endpoint goes among somebody's phones."""
    same = _with(phones, endpoint)
    before = _with(phones, replaces) if replaces is not None else None
    known = same or before
    used = [each for each in phones if each.active and each is not known]
    dropped = [each for each in used if each is before]
    others = sorted((each for each in used if each is not before), key=lambda each: (each.renewed_at or NEVER, each.id))
    dropped += others[: max(0, len(others) + 1 - MOST_PHONES)]
    return Placed(known.id if known else None, tuple(each.id for each in dropped))


def _with(phones: Sequence[Phone], endpoint: str) -> Phone | None:
    start = begins(endpoint)
    return next((each for each in phones if each.address.startswith(start)), None)


async def subscribe(
    connection: Connection,
    who: Who,
    request: schemas.PushRequest,
    agent: str,
    pushing: Pushing,
    now: datetime,
    book: Rulebook,
) -> schemas.PushPhone:
    """The phone is their contact from now on. Invalid for a subscription that cannot be pushed to, Conflict ``turned_off`` for
    one that they have turned off and do not ask for. ``agent``: what the browser calls itself."""
    wanted, machine = _readable(request, pushing), kind_of(agent)
    await store.lock_person(connection, who.person_id)
    phones = await store.phones(connection, who.person_id)
    _check_wanted(phones, request)
    others = await store.of_others(connection, who.person_id, wanted.endpoint)
    placed = place(phones, wanted.endpoint, request.replaces)
    dropped = [*placed.dropped, *(each.id for each in others)]
    await _hold(connection, [*dropped, *((placed.known,) if placed.known else ())])

    changed = await _drop(connection, who, dropped, now, book)
    found = next((each for each in phones if each.id == placed.known), None)
    if found is None:
        found = await store.add(connection, who.person_id, wanted.address, machine, now)
        await _note(connection, who, "contact.added", found.id, now)
    else:
        if request.asked or not found.address.startswith(begins(wanted.endpoint)):
            changed |= await breaking.mended(connection, found.id, now, book, by=who.person_id)
        if not found.active:
            await _note(connection, who, "contact.added", found.id, now)
        found = await store.renew(connection, found.id, wanted.address, machine, now)
    changed |= Changed(persons=frozenset({who.person_id, *(each.person_id for each in others)}))
    await audit.announce(connection, changed)
    return schemas.PushPhone(id=found.uid, broken=found.broken)


def _readable(request: schemas.PushRequest, pushing: Pushing) -> Subscription:
    wanted = Subscription(request.endpoint, request.keys.p256dh, request.keys.auth)
    try:
        check(wanted, private=pushing.private_endpoints)
    except ValueError as wrong:
        raise Invalid("subscription", str(wrong), "send what the browser's PushManager gave, as it is") from None
    return wanted


def _check_wanted(phones: Sequence[Phone], request: schemas.PushRequest) -> None:
    """Conflict where the phone comes by itself, and its person has turned it off. It is known by the id that it was given, too, as
    an address is forgotten in time."""
    known = place(phones, request.endpoint, request.replaces).known
    same = [each for each in phones if each.id == known or each.uid == request.id]
    if not request.asked and any(each.turned_off and not each.active for each in same):
        raise Conflict("turned_off", "you have removed this phone from your contacts", "turn it on again, on the phone")


async def unsubscribe(connection: Connection, who: Who, uid: UUID, now: datetime, book: Rulebook) -> None:
    """They are not reached on this phone any more. NotFound for one that is not theirs."""
    await store.lock_person(connection, who.person_id)
    phones = await store.phones(connection, who.person_id)
    found = next((each for each in phones if each.uid == uid), None)
    if found is None:
        raise NotFound("phone", "there is no such phone of yours")
    if found.active:
        await _hold(connection, [found.id])
        changed = await _drop(connection, who, [found.id], now, book, turned_off=True)
        await audit.announce(connection, changed | Changed(persons=frozenset({who.person_id})))


async def own_phone(connection: Connection, who: Who, uid: UUID) -> Phone:
    """A phone that they are reached on, else NotFound."""
    found = next((each for each in await store.phones(connection, who.person_id) if each.uid == uid), None)
    if found is None or not found.active:
        raise NotFound("phone", "there is no such phone of yours", "open the app on it, signed in")
    return found


def trial_of(phone: Phone, language: str) -> Outgoing:
    """What is pushed to a phone to try it."""
    title, text = (translations(language).gettext(each) for each in PUSH_TEST)
    return Outgoing(f"test-{phone.uid}", phone.address, title, text, Severity.MODERATE, language=language)


async def _hold(connection: Connection, ids: Sequence[int]) -> None:
    """What may be said of these contacts, held before the contacts are changed: the order of whoever hears of pages."""
    keys = [key_of(each) for each in ids for key_of in (breaking.key_of, pagetests.key_of)]
    await alert_store.lock_open(connection, keys)


async def _drop(
    connection: Connection, who: Who, ids: Sequence[int], now: datetime, book: Rulebook, *, turned_off: bool = False
) -> Changed:
    """Nobody has to see to them any more, and nobody waits for a test of them."""
    changed = Changed()
    if ids:
        await store.drop(connection, ids, now, turned_off=turned_off)
    for each in ids:
        changed |= await breaking.over(connection, each, now, book)
        changed |= await pagetests.over(connection, each, now, book)
        await _note(connection, who, "contact.removed", each, now)
    return changed


async def _note(connection: Connection, who: Who, action: str, contact_id: int, now: datetime) -> None:
    """Who did it; and whom policies reach is looked at again."""
    line = Audited(action, "contact", contact_id, who.person_id, {"channel": CHANNEL})
    await audit.add(connection, now, (line,))
    await outlook.look_at(connection, now)
