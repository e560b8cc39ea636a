"""Answering: what a person says about an alert – taken once, refused with a reason, in one transaction.

``Idempotency-Key`` makes a repeated request the same answer. ``given_at`` is kept on the timeline. ``version`` refuses
to close, take over or hand over an alert that people or devices have changed since it was looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from alerts.alert import (
    Answer,
    Arrived,
    Claim,
    Close,
    Decline,
    HandOver,
    NeedHelp,
    OnWay,
    Pause,
    Refusal,
    Refused,
    Release,
    Resume,
    UndoClose,
)
from alerts.closing import cause_text
from gateway import once, pagetests
from gateway.access import may_be_handed
from gateway.api import schemas
from gateway.engine import advance
from gateway.errors import Conflict, Invalid, NotFound
from gateway.metrics import METRICS
from gateway.rulebook import RulebookCache
from gateway.store import alerts as alert_store
from gateway.store import audit, people, receipts, views
from gateway.store.alerts import StoredAlert
from gateway.store.db import Connection
from gateway.store.views import Sight

OLDEST_ANSWER = timedelta(days=1)
NEEDS_THE_LATEST = frozenset({"close", "take_over", "hand_over", "pause"})
"""Answers that somebody who knew of the latest might not give. Coming, arriving and calling for help are always right."""

_SIMPLE: dict[str, Callable[[int], Answer]] = {
    "claim": Claim,
    "on_way": OnWay,
    "arrived": Arrived,
    "undo_close": UndoClose,
    "decline": Decline,
    "resume": Resume,
    "release": Release,
    "need_help": NeedHelp,
}

REFUSALS = {
    Refusal.CLOSED: "the alert is closed; if something new happens it is a new alert",
    Refusal.HELD_BY_OTHER: "somebody else has it",
    Refusal.NOT_HELD: "only who has taken the alert can do this; take it first",
    Refusal.NOT_CLOSING: "the alert is not being closed",
    Refusal.UNREACHABLE: "that person has no way to be reached; choose somebody else",
    Refusal.SAME_PERSON: "you have it already; choose somebody else",
    Refusal.NOT_OFFERED: "the alert is not on offer to you",
    Refusal.CRITICAL: "what is critical is never paused: go, hand it over, or close it",
    Refusal.TOO_LONG: f"a pause is of {schemas.LONGEST_PAUSE} minutes at most",
    Refusal.HELP_WANTED: "you have called for help, which goes on until somebody comes",
    Refusal.PAUSED: "the alert is paused already, and a pause is not made longer; resume it first",
    Refusal.NOT_PAUSED: "the alert is not paused",
}
NOTED = {"pause": "paused", "decline": "declined"}
"""Answers that something can be written beside, and the codes of their entries."""


class Answerer(Protocol):
    """Whoever answers, and what they may see."""

    @property
    def person_id(self) -> int: ...
    @property
    def sight(self) -> Sight: ...


async def answer(
    connection: Connection,
    who: Answerer,
    uid: UUID,
    request: schemas.AnswerRequest,
    key: str,
    now: datetime,
    cache: RulebookCache,
) -> schemas.AnswerReply:
    """Take an answer. NotFound, Conflict (with the refusal's reason) or Invalid when it cannot be."""
    asked = _fingerprint(uid, request)
    before = await once.before(connection, who.person_id, key, asked)
    if before is not None:
        return schemas.AnswerReply.model_validate(before)
    stored = await _locked(connection, who, uid)
    before = await once.before(connection, who.person_id, key, asked)
    if before is not None:
        return schemas.AnswerReply.model_validate(before)
    reply = await _take(connection, who, stored, request, now, cache)
    await once.keep(connection, who.person_id, key, stored.id, asked, reply.model_dump(mode="json"), now)
    return reply


async def answer_unkept(
    connection: Connection,
    who: Answerer,
    uid: UUID,
    request: schemas.AnswerRequest,
    now: datetime,
    cache: RulebookCache,
) -> schemas.AnswerReply:
    """The same, for who keeps what is replied, and so asks once."""
    return await _take(connection, who, await _locked(connection, who, uid), request, now, cache)


async def _take(
    connection: Connection,
    who: Answerer,
    stored: StoredAlert,
    request: schemas.AnswerRequest,
    now: datetime,
    cache: RulebookCache,
) -> schemas.AnswerReply:
    stale = request.version is not None and request.version != stored.alert.version
    if stale and request.answer in NEEDS_THE_LATEST:
        raise Conflict("stale", "the alert has changed since you looked at it", "look again, then answer")
    event = event_of(request, who.person_id, await _receiver(connection, stored, request, now))
    also = (event.to,) if isinstance(event, HandOver) else ()
    book = await cache.read(connection)
    given_at = _given_at(request, now)
    outcome, after, changed = await advance(connection, stored, event, now, book, given_at=given_at, also=also)
    if isinstance(outcome, Refused):
        raise Conflict(outcome.reason, REFUSALS[outcome.reason])
    if request.note is not None:
        await alert_store.add_note(connection, stored.id, NOTED[request.answer], who.person_id, request.note)
    await audit.announce(connection, changed)
    for each in await receipts.just_answered(connection, stored.id, who.person_id, now):
        METRICS.leg("answered", each.severity, each.channel, each.seconds)
    return await _reply(connection, after)


def event_of(request: schemas.AnswerRequest, by: int, to: int | None) -> Answer:
    """The escalation's event for a request. Invalid when something that goes with it is missing, or something does not."""
    if request.note is not None and request.answer not in NOTED:
        raise Invalid("note", "nothing can be written beside this answer", f"leave it out, or: {', '.join(NOTED)}")
    simple = _SIMPLE.get(request.answer)
    if simple is not None:
        return simple(by)
    if request.answer == "take_over":
        return Claim(by, take_over=True)
    if request.answer == "close":
        if request.cause is None or request.action is None:
            raise Invalid("cause", "closing needs what it was (cause) and what was done (action)", "give both")
        return Close(by, request.cause, request.action, _cause_code(request.cause_code))
    if request.answer == "pause":
        if request.reason is None or request.minutes is None:
            raise Invalid("reason", "a pause needs its reason and how many minutes it lasts", "give both")
        return Pause(by, request.reason, timedelta(minutes=request.minutes))
    if to is None:
        raise Invalid("to", "handing over needs somebody to hand over to", "choose a colleague")
    return HandOver(by, to)


def _cause_code(code: str | None) -> str | None:
    if code is not None and cause_text(code) is None:
        raise Invalid(
            "cause_code", f"{code!r} is no VKP alert code", "choose one from the national list, or leave it out"
        )
    return code


async def _locked(connection: Connection, who: Answerer, uid: UUID) -> StoredAlert:
    visible = await views.alert(connection, uid, who.sight)
    stored = await alert_store.lock(connection, uid) if visible else None
    if stored is None:
        raise NotFound("alert", "there is no such alert, or it is not yours to answer")
    await pagetests.check_answer(connection, stored)
    return stored


async def _receiver(
    connection: Connection, stored: StoredAlert, request: schemas.AnswerRequest, now: datetime
) -> int | None:
    """Whom it is handed to. Invalid for anybody but a colleague: the alert shows them who lives where, and how to get in."""
    if request.to is None:
        return None
    roles = may_be_handed(stored.track)
    colleagues = await people.colleagues(connection, stored.zone_id, roles, now, reachable=False)
    found = next((each.id for each in colleagues if each.uid == request.to), None)
    if found is None:
        raise Invalid("to", "there is no such colleague", "choose one from the alert's list of colleagues")
    return found


def _given_at(request: schemas.AnswerRequest, now: datetime) -> datetime | None:
    if request.given_at is None or request.given_at > now:
        return None
    if now - request.given_at > OLDEST_ANSWER:
        raise Invalid("given_at", "the answer was given more than a day ago", "look at the alert, then answer again")
    return request.given_at


def _fingerprint(uid: UUID, request: schemas.AnswerRequest) -> bytes:
    """When it was given is not part of it: an answer of which the reply was lost is kept, and told with its time later."""
    unsaid = {name for name in schemas.AnswerRequest.NEWER if getattr(request, name) is None}
    asked = request.model_copy(update={"given_at": None})
    return hashlib.sha256(f"{uid} {asked.model_dump_json(exclude=unsaid)}".encode()).digest()


async def _reply(connection: Connection, stored: StoredAlert) -> schemas.AnswerReply:
    holder = stored.alert.holder
    person = (await people.names(connection, [holder])).get(holder) if holder is not None else None
    return schemas.AnswerReply(
        id=stored.uid,
        stage=stored.alert.stage,
        version=stored.alert.version,
        holder=schemas.PersonRef(id=person.uid, name=person.name) if person else None,
        due_at=stored.alert.due_at,
    )
