"""The front: all that the API and the pages call. Each call is one transaction; what cannot be done is a Problem."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from gateway import answering, asking, canary, cursors, decoding, reading, technical
from gateway.access import ANYBODY, OVERSEERS, Who
from gateway.api import schemas
from gateway.callbacks import Callers
from gateway.clock import Clock
from gateway.contacting import Reaching
from gateway.errors import Invalid, NotSignedIn, TooMany
from gateway.front.callbacks import CallbackCalls
from gateway.front.calls import MOST_IN_LIST
from gateway.front.contacts import ContactCalls
from gateway.front.desk import DeskCalls
from gateway.front.fitting import FittingCalls
from gateway.front.homes import HomeCalls
from gateway.front.observations import ObservationCalls
from gateway.front.pages import PageCalls
from gateway.front.policies import PolicyCalls
from gateway.front.push import PushCalls
from gateway.front.rosters import RosterCalls
from gateway.front.rules import RuleCalls
from gateway.front.silences import SilenceCalls
from gateway.front.staffing import StaffingCalls
from gateway.front.statistics import StatisticsCalls
from gateway.live import Live
from gateway.passages import Pace
from gateway.rulebook import RulebookCache
from gateway.store import audit, people, sessions, views
from gateway.store.audit import Changed
from gateway.store.db import Connection, Database
from gateway.store.quarantine import Wanted
from gateway.store.views import AlertSearch

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


class Front(
    RuleCalls,
    PolicyCalls,
    DeskCalls,
    ObservationCalls,
    HomeCalls,
    FittingCalls,
    StaffingCalls,
    RosterCalls,
    SilenceCalls,
    StatisticsCalls,
    PushCalls,
    PageCalls,
    CallbackCalls,
    ContactCalls,
):
    """What people can do with the gateway."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        cache: RulebookCache,
        reaching: Reaching,
        live: Live,
        limits: canary.Limits,
        started_at: datetime,
        callers: Callers,
        pace: Pace | None = None,
    ) -> None:
        """``pace``: of the canary resident, where there is one."""
        super().__init__(database, clock, cache, reaching)
        self._callers = callers
        self._live = live
        self._limits = limits
        self._started_at = started_at
        self._pace = pace
        self._hasher = PasswordHasher()
        self._decoy = self._hasher.hash("nobody has this password")

    # Signing in -----------------------------------------------------------------------------------------------------

    async def sign_in(self, username: str, password: str, user_agent: str) -> SignedIn:
        """NotSignedIn for a wrong name or password, TooMany after too many wrong ones. Both take equally long."""
        username = username.replace("\x00", "\ufffd")  # which no name of ours has, and the database takes
        username = username[:LONGEST_NAME]
        failures = await self._database.run(lambda each: sessions.recent_failures(each, username))
        if failures >= MOST_FAILURES:
            raise TooMany("sign_in", "too many wrong passwords for this user name", "wait a quarter of an hour")
        account = await self._database.run(lambda each: sessions.account(each, username))
        stored = account.password_hash if account and account.password_hash else None
        fits = await asyncio.to_thread(self._fits, stored or self._decoy, password)
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

    # Reading --------------------------------------------------------------------------------------------------------

    async def alert_list(
        self, who: Who, state: Literal["open", "closed"], cursor: str | None, limit: int
    ) -> schemas.AlertPage:
        """Those that are open or closed, whatever they are about."""
        who.require(ANYBODY)
        most, now, wanted = max(1, min(limit, MOST_IN_LIST)), self._clock.now(), AlertSearch(state)
        return await self._database.run(lambda each: reading.alert_list(each, who, wanted, cursor, most, now))

    async def alerts(self, who: Who, query: schemas.AlertQuery) -> schemas.AlertPage:
        """Those that are asked for."""
        who.require(ANYBODY)
        now, wanted = self._clock.now(), AlertSearch(**query.model_dump(exclude={"cursor", "limit"}))
        return await self._database.run(
            lambda each: reading.alert_list(each, who, wanted, query.cursor, query.limit, now)
        )

    async def alert_detail(self, who: Who, uid: UUID) -> schemas.AlertDetail:
        who.require(ANYBODY)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: reading.alert_detail(each, who, uid, now, local))

    async def alert_path(self, who: Who, uid: UUID) -> schemas.AlertPath:
        """The way of an alert, leg by leg. NotAllowed for care staff."""
        now = self._clock.now()
        return await self._database.run(lambda each: reading.alert_path(each, who, uid, now))

    async def quarantine(
        self, who: Who, query: schemas.QuarantineQuery, cursor: str | None, limit: int
    ) -> schemas.QuarantinePage:
        most, wanted = max(1, min(limit, MOST_IN_LIST)), _wanted(query)
        return await self._database.run(lambda each: technical.quarantine_page(each, who, wanted, cursor, most))

    async def sites(self, who: Who) -> list[schemas.SiteView]:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._database.run(
            lambda each: technical.sites(each, self._started_at, now, self._limits, self._pace)
        )

    async def changes(self, who: Who) -> AsyncIterator[None]:
        """Something has changed in what they may see. Ends with their session."""
        with self._live.subscribe() as subscription:
            async for changed in subscription.changes():
                if not await self._database.run(lambda each: self._in_force(each, who)):
                    return
                if changed is None or await self._concerns(who, changed):
                    yield

    # Answering ------------------------------------------------------------------------------------------------------

    async def answer(self, who: Who, uid: UUID, request: schemas.AnswerRequest, key: str) -> schemas.AnswerReply:
        """NotFound, Conflict or Invalid, with the reason, when it is not taken."""
        who.require(ANYBODY)
        _check_key(key)
        now = self._clock.now()
        return await self._database.run(lambda each: answering.answer(each, who, uid, request, key, now, self._cache))

    async def command(self, who: Who, uid: UUID, request: schemas.CommandRequest, key: str) -> schemas.CommandView:
        """Ask a device in the home of an alert for something. NotFound, NotAllowed, Conflict or Invalid, with the reason."""
        who.require(ANYBODY)
        _check_key(key)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: asking.ask(each, who, uid, request, key, now, local))

    # Decoding again -------------------------------------------------------------------------------------------------

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


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= 128 or "\x00" in key:
        raise Invalid("key", "an Idempotency-Key has 1 to 128 characters", "make a random one for each answer")


def _wanted(query: schemas.QuarantineQuery) -> Wanted:
    """As the store takes it: a text with U+0000 in it is in nothing that is stored."""
    q, site = (text.replace("\x00", "\ufffd") if text else None for text in (query.q, query.site))
    return Wanted(q, query.reason, site, query.state)
