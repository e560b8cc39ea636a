"""A gateway for the pages to stand on: people, alerts and answers held in memory, at the seam of `gateway.web.seam`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from alerts.command import State
from gateway.api import schemas
from gateway.errors import Conflict, Gone, NotAllowed, NotFound, NotSignedIn, TooMany
from tests.web import fake_contacts, fake_policies
from tests.web.fake_alerts import alert, battery, closed, late_button, missed_dose, offered, out_of_doors, paused
from tests.web.fake_answers import after, at_desk, in_language
from tests.web.fake_contacts import FakeContacts
from tests.web.fake_figures import FakeFigures
from tests.web.fake_people import KARI, ME, NOW, OLE, PASSWORD, ZONES, SignedIn, Who, ago, oversees
from tests.web.fake_rosters import FakeRosters
from tests.web.fake_set import FakeSet
from tests.web.fake_signs import command, lock
from tests.web.fake_teams import FakeTeams
from tests.web.fake_ways import RESIDENT, looks, passing, way_of


@dataclass
class FakeFront(FakeSet, FakeRosters, FakeFigures, FakeTeams, FakeContacts):
    """The gateway in memory. ``taken``: answers in the order in which they were given; ``refuse``: why to refuse."""

    alerts: list[schemas.AlertDetail] = field(default_factory=list)
    closed: list[schemas.AlertDetail] = field(default_factory=list)
    site_views: list[schemas.SiteView] = field(default_factory=list)
    items: list[schemas.QuarantineItem] = field(default_factory=list)
    unreadable: set[UUID] = field(default_factory=set)
    sessions: dict[str, Who] = field(default_factory=lambda: {"token": Who()})
    taken: list[tuple[UUID, schemas.AnswerRequest, str]] = field(default_factory=list)
    asked: list[tuple[UUID, schemas.CommandRequest, str]] = field(default_factory=list)
    desk_asked: list[schemas.DeskQuery] = field(default_factory=list)
    refuse: str | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    watching: int = 0

    async def sign_in(self, username: str, password: str, user_agent: str) -> SignedIn:
        if username == "many":
            raise TooMany("sign_in", "too many")
        if password != PASSWORD:
            raise NotSignedIn("credentials", "wrong")
        self.sessions["token"] = Who()
        return SignedIn("token", NOW + timedelta(hours=12))

    async def who(self, token: str | None) -> Who | None:
        return self.sessions.get(token or "")

    async def sign_out(self, who: Who) -> None:
        self.sessions.clear()

    async def use_phone_link(self, token: str, who: Who | None, user_agent: str) -> SignedIn:
        await self.phone_link(token, who)
        if token == fake_contacts.ANOTHERS:
            raise Gone("phone_link", "used meanwhile")
        self.sessions["of-the-phone"] = Who()
        return SignedIn("of-the-phone", NOW + timedelta(hours=12))

    async def set_language(self, who: Who, language: str) -> None:
        self.sessions["token"] = replace(who, language=language)

    async def alert_list(
        self, who: Who, state: Literal["open", "closed"], cursor: str | None, limit: int
    ) -> schemas.AlertPage:
        found = [in_language(each, who.language) for each in (self.alerts if state == "open" else self.closed)]
        return schemas.AlertPage(alerts=list(found), next_cursor=None)

    async def desk(self, who: Who, query: schemas.DeskQuery) -> schemas.Desk:
        oversees(who)
        if query.zone not in (None, *(each.id for each in ZONES)):
            raise NotFound("zone", "no such zone")
        self.desk_asked.append(query)
        shown = [in_language(each, who.language) for each in (self.alerts if query.state == "open" else self.closed)]
        return schemas.Desk(
            zones=ZONES,
            alerts=[at_desk(each) for each in shown if each.severity >= query.severity],
            more=False,
            on_duty=[
                schemas.OnDuty(
                    zone=schemas.Named(id=ZONES[1].id, name=ZONES[1].name),
                    responders=[ME, KARI],
                    leads=[OLE],
                    technical=[],
                ),
                schemas.OnDuty(
                    zone=schemas.Named(id=ZONES[2].id, name=ZONES[2].name), responders=[], leads=[OLE], technical=[KARI]
                ),
            ],
        )

    async def zones(self, who: Who) -> list[schemas.ZoneView]:
        roles = sorted(each for each in who.roles if each in ("lead", "technical", "responder"))
        below = [
            schemas.ZoneView.model_validate(
                {"id": each.id, "kind": "zone", "name": each.name, "roles": roles, "below": []}
            )
            for each in ZONES[1:]
        ]
        top = {"id": ZONES[0].id, "kind": "municipality", "name": ZONES[0].name, "roles": roles, "below": below}
        return [schemas.ZoneView.model_validate(top)]

    async def residents(self, who: Who, query: schemas.ResidentQuery) -> schemas.ResidentPage:
        found = schemas.ResidentItem(
            id=fake_policies.RESIDENT.id,
            name=fake_policies.RESIDENT.name,
            phone="",
            home=None,
            zone=fake_policies.ZONE,
            away_until=None,
        )
        return schemas.ResidentPage(
            residents=[found] if query.q.lower() in found.name.lower() else [], next_cursor=None
        )

    async def alert_detail(self, who: Who, uid: UUID) -> schemas.AlertDetail:
        for each in (*self.alerts, *self.closed):
            if each.id == uid:
                return in_language(each, who.language)
        raise NotFound("alert", "no such alert")

    async def answer(self, who: Who, uid: UUID, request: schemas.AnswerRequest, key: str) -> schemas.AnswerReply:
        alert = await self.alert_detail(who, uid)
        if self.refuse is not None:
            raise Conflict(self.refuse, "refused")
        self.taken.append((uid, request, key))
        self.alerts = [after(each, request) if each.id == uid else each for each in self.alerts]
        self.tell()
        return schemas.AnswerReply(id=uid, stage=alert.stage, version=alert.version, holder=ME, due_at=alert.due_at)

    async def command(self, who: Who, uid: UUID, request: schemas.CommandRequest, key: str) -> schemas.CommandView:
        if self.refuse is not None:
            raise Conflict(self.refuse, "refused")
        self.asked.append((uid, request, key))
        given = command(request.command, State.REQUESTED, reason=request.reason)
        self.change(uid, locks=[lock(given=[given], commands=[])])
        return given

    async def quarantine(
        self, who: Who, query: schemas.QuarantineQuery, cursor: str | None, limit: int
    ) -> schemas.QuarantinePage:
        oversees(who)
        found = [each for each in self.items if each.state == query.state]
        wanted = [
            each
            for each in found
            if (query.q or "").lower() in each.text.lower() and query.reason in (None, each.reason)
        ]
        return schemas.QuarantinePage(items=wanted, next_cursor=None)

    async def decode_again(self, who: Who, uid: UUID) -> schemas.DecodedAgain:
        oversees(who)
        if not any(each.id == uid for each in self.items):
            raise NotFound("quarantine", "no such message")
        outcome = "unreadable" if uid in self.unreadable else "decoded"
        done = {"state": "decoded", "decoded_at": NOW, "decoded_by": ME} if outcome == "decoded" else {}
        self.items = [each.model_copy(update=done) if each.id == uid else each for each in self.items]
        return schemas.DecodedAgain.model_validate({"id": uid, "outcome": outcome})

    async def decode_all_again(
        self, who: Who, query: schemas.QuarantineQuery, cursor: str | None
    ) -> schemas.DecodedAgainAll:
        """Two at a time."""
        waiting = [
            each.id for each in (await self.quarantine(who, query, None, 50)).items if str(each.id) > (cursor or "")
        ]
        outcomes = [(await self.decode_again(who, uid)).outcome for uid in waiting[:2]]
        return schemas.DecodedAgainAll(
            decoded=outcomes.count("decoded"),
            seen_before=0,
            already_decoded=0,
            unreadable=outcomes.count("unreadable"),
            next_cursor=str(waiting[1]) if len(waiting) > 2 else None,
        )

    async def alert_path(self, who: Who, uid: UUID) -> schemas.AlertPath:
        found = await self.alert_detail(who, uid)
        return way_of(found)

    async def sites(self, who: Who) -> list[schemas.SiteView]:
        return self.site_views

    async def access_log(self, who: Who, uid: UUID, query: schemas.AccessLogQuery) -> schemas.AccessLog:
        if not who.roles & {"lead", "admin"}:
            raise NotAllowed("role", "for leads")
        if uid != RESIDENT:
            raise NotFound("resident", "there is no such resident")
        return looks(who.language)

    async def changes(self, who: Who) -> AsyncIterator[None]:
        self.watching += 1
        try:
            while True:
                await self.changed.wait()
                self.changed.clear()
                yield
        finally:
            self.watching -= 1

    def tell(self) -> None:
        """Something has changed."""
        self.changed.set()

    def change(self, uid: UUID, **now: Any) -> None:
        """What a device or a colleague made of an alert."""
        self.alerts = [
            type(each).model_validate({**each.model_dump(), **now}) if each.id == uid else each for each in self.alerts
        ]
        self.tell()


def night() -> FakeFront:
    """An ordinary bad night."""
    return FakeFront(
        alerts=[alert(), offered(), late_button(), missed_dose(), out_of_doors(), battery(), paused()],
        closed=[closed()],
        site_views=[
            schemas.SiteView(
                name="stavanger-nord", zone="Eiganes og Tasta", heard_until=ago(0.1), deaf=False, canary=passing()
            ),
            schemas.SiteView(
                name="stavanger-vest",
                zone="Madla og Tjensvoll",
                heard_until=ago(42),
                deaf=True,
                canary=schemas.CanaryView(passed_at=ago(43), missing="stored", legs=[]),
            ),
        ],
        items=[
            schemas.QuarantineItem(
                id=UUID(int=300),
                site="stavanger-nord",
                topic="hv/v1/stavanger-nord/fall_alarm/fa-0017/alarm",
                reason="fields",
                detail="impact_g: Input should be a valid number",
                message_class="alarm",
                retained=True,
                raw="eyJpZCI6ICIxIn0=",
                text='{"id": "1", "type": "fall", "impact_g": "<b>sterk</b>"}',
                received_at=ago(200),
                device="fa-0017",
                device_kind="fall_alarm",
            ),
            schemas.QuarantineItem(
                id=UUID(int=299),
                site="stavanger-vest",
                topic="hv/v1/stavanger-vest/medicine_dispenser/md-0093/event",
                reason="kind_mismatch",
                detail="device stavanger-vest/native/md-0093 speaks as 'medicine_dispenser' but is registered as 'door_sensor'",
                message_class="event",
                retained=False,
                raw="eyJpZCI6ICIyIn0=",
                text='{"id": "2", "type": "dose_taken"}',
                received_at=ago(900),
                device="md-0093",
                device_kind="medicine_dispenser",
                state="decoded",
                decoded_at=ago(30),
                decoded_by=KARI,
            ),
        ],
    )
