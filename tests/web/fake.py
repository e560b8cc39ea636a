"""A gateway for the pages to stand on: people, alerts and answers held in memory, at the seam of `gateway.web.seam`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from alerts.alert import Action, Cause, Stage
from alerts.command import Reason, State
from alerts.delivery import PageState
from alerts.looks import look_text
from alerts.model import Severity, Track
from alerts.policy import DEFAULT_POLICIES, Policy
from alerts.render import SEVERITIES, condition_text, translations
from alerts.timeline import COMMAND_REASONS, COMMAND_STATES, LINES, STAGES, tell
from alerts.words import asked, said
from gateway.api import schemas
from gateway.desk import ladders
from gateway.errors import Conflict, Gone, NotAllowed, NotFound, NotSignedIn, TooMany
from tests.web import fake_contacts, fake_policies, fake_said
from tests.web.fake_contacts import FakeContacts
from tests.web.fake_figures import FakeFigures
from tests.web.fake_policies import FakePolicies
from tests.web.fake_rosters import FakeRosters
from tests.web.fake_rules import FakeRules
from tests.web.fake_silences import DOOR, FakeSilences
from tests.web.fake_teams import FakeTeams

NOW = datetime(2026, 11, 22, 2, 14, tzinfo=UTC)  # 03:14 in Oslo
ME = schemas.PersonRef(id=UUID(int=1), name="Ingrid Aase")
KARI = schemas.PersonRef(id=UUID(int=2), name="Kari Nordbø")
OLE = schemas.PersonRef(id=UUID(int=3), name="Ole-Jakob Tjensvoll")
ZONES = [
    schemas.DeskZone(id=UUID(int=500), name="Stavanger", depth=0),
    schemas.DeskZone(id=UUID(int=501), name="Eiganes og Tasta", depth=1),
    schemas.DeskZone(id=UUID(int=502), name="Madla og Tjensvoll", depth=1),
]
PASSWORD = "riktig hest batteri stift"


@dataclass(frozen=True)
class Who:
    """Somebody signed in."""

    uid: UUID = ME.id
    name: str = ME.name
    language: str = "nb"
    roles: frozenset[str] = frozenset({"responder"})
    zone_ids: frozenset[int] = frozenset({1})
    csrf_token: str = "csrf-of-this-session"

    def require(self, allowed: frozenset[str]) -> None:
        """Whoever is signed in here may."""


@dataclass(frozen=True)
class SignedIn:
    token: str
    expires_at: datetime


@dataclass
class FakeFront(FakeRosters, FakeFigures, FakeTeams, FakeContacts):
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
    ladder_policies: Sequence[Policy] = DEFAULT_POLICIES
    policed: FakePolicies = field(default_factory=FakePolicies)
    refuse: str | None = None
    ruled: FakeRules = field(default_factory=FakeRules)
    silenced: FakeSilences = field(default_factory=FakeSilences)
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
        found = [_in_language(each, who.language) for each in (self.alerts if state == "open" else self.closed)]
        return schemas.AlertPage(alerts=list(found), next_cursor=None)

    async def desk(self, who: Who, query: schemas.DeskQuery) -> schemas.Desk:
        _oversees(who)
        if query.zone not in (None, *(each.id for each in ZONES)):
            raise NotFound("zone", "no such zone")
        self.desk_asked.append(query)
        shown = [_in_language(each, who.language) for each in (self.alerts if query.state == "open" else self.closed)]
        return schemas.Desk(
            zones=ZONES,
            alerts=[_at_desk(each) for each in shown if each.severity >= query.severity],
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

    async def ladders(self, who: Who) -> list[schemas.Ladder]:
        return ladders([(each, "") for each in self.ladder_policies], language=who.language)

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

    async def policies(self, who: Who) -> list[schemas.PolicyView]:
        return self.policed.listed(who.language)

    async def policy(self, who: Who, uid: UUID) -> schemas.PolicyDetail:
        return self.policed.detail(uid, who.language)

    async def policy_options(self, who: Who, scope: schemas.PolicyScopeRequest) -> schemas.PolicyOptions:
        return self.policed.options(scope, who.language)

    async def add_policy(self, who: Who, request: schemas.PolicyRequest) -> schemas.PolicyView:
        return self.policed.add(request, who.language)

    async def change_policy(self, who: Who, uid: UUID, request: schemas.PolicyChange) -> schemas.PolicyView:
        return self.policed.change(request, who.language)

    async def withdraw_policy(self, who: Who, uid: UUID, version: int) -> schemas.PolicyView:
        return self.policed.withdraw(uid, version, who.language)

    async def rehearsal(self, who: Who, query: schemas.RehearsalQuery) -> schemas.Rehearsal:
        self.policed.asked.append(query)
        return fake_policies.rehearsal(query, who.language)

    async def reach(self, who: Who) -> schemas.ReachView:
        _oversees(who)
        return fake_policies.reach(who.language)

    async def alert_detail(self, who: Who, uid: UUID) -> schemas.AlertDetail:
        for each in (*self.alerts, *self.closed):
            if each.id == uid:
                return _in_language(each, who.language)
        raise NotFound("alert", "no such alert")

    async def answer(self, who: Who, uid: UUID, request: schemas.AnswerRequest, key: str) -> schemas.AnswerReply:
        alert = await self.alert_detail(who, uid)
        if self.refuse is not None:
            raise Conflict(self.refuse, "refused")
        self.taken.append((uid, request, key))
        self.alerts = [_after(each, request) if each.id == uid else each for each in self.alerts]
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
        _oversees(who)
        found = [each for each in self.items if each.state == query.state]
        wanted = [
            each
            for each in found
            if (query.q or "").lower() in each.text.lower() and query.reason in (None, each.reason)
        ]
        return schemas.QuarantinePage(items=wanted, next_cursor=None)

    async def decode_again(self, who: Who, uid: UUID) -> schemas.DecodedAgain:
        _oversees(who)
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

    # Rules and devices ------------------------------------------------------------------------------------------------

    async def rules(self, who: Who, kind: str | None) -> schemas.RuleList:
        return schemas.RuleList(rules=self.ruled.of_kind(kind or "fall_alarm", who.language))

    async def rule(self, who: Who, uid: UUID) -> schemas.RuleDetail:
        return self.ruled.detail(who.language)

    async def rule_draft(self, who: Who, kind: str, name: str, scope: schemas.ScopeRequest) -> schemas.RuleDraft:
        return self.ruled.draft(kind, name, scope)

    async def set_rule(self, who: Who, request: schemas.RuleRequest) -> schemas.RuleView:
        return self.ruled.save(request, who.language)

    async def withdraw_rule(self, who: Who, uid: UUID, version: int) -> schemas.RuleView:
        if self.ruled.stale:
            raise Conflict("stale", "changed")
        self.ruled.withdrawn.append((uid, version))
        return self.ruled.detail(who.language)

    async def preview_rule(self, who: Who, request: schemas.RuleRequest) -> schemas.Preview:
        return self.ruled.preview(request, NOW)

    async def devices(self, who: Who, query: schemas.DeviceQuery) -> schemas.DevicePage:
        if not who.roles & {"technical", "lead", "admin"}:
            raise NotAllowed("role", "for technical services")
        shown = [each for each in self.ruled.devices(NOW, who.language) if query.q in each.address]
        return schemas.DevicePage(devices=list(shown), next_cursor=None)

    async def device_count(self, who: Who, query: schemas.DeviceQuery) -> schemas.DeviceCount:
        return schemas.DeviceCount(silent=1, attention=2)

    async def device_zones(self, who: Who) -> list[schemas.Named]:
        return [schemas.Named(id=UUID(int=400), name="Eiganes og Tasta")]

    async def observations(self, who: Who, query: schemas.ObservationQuery) -> schemas.ObservationPage:
        return fake_said.page(query, NOW, who.language)

    async def buckets(self, who: Who, query: schemas.BucketQuery) -> schemas.BucketList:
        return fake_said.counted(query, NOW, who.language)

    async def device(self, who: Who, uid: UUID) -> schemas.DeviceDetail:
        if not who.roles & {"technical", "lead", "admin"}:
            raise NotAllowed("role", "for technical services")
        return self.ruled.device(NOW, who.language).model_copy(
            update={
                "alerts": [_in_language(battery(), who.language)],
                "silences": self.silenced.every(NOW, who.language)[:1],
            }
        )

    # Silences ---------------------------------------------------------------------------------------------------------

    async def silences(self, who: Who, query: schemas.SilenceQuery) -> schemas.SilencePage:
        ended = query.state == "ended"
        found = [each for each in self.silenced.every(NOW, who.language) if (each.state == "ended") is ended]
        return schemas.SilencePage(silences=list(found), next_cursor=None)

    async def silence_count(self, who: Who) -> schemas.SilenceCount:
        return schemas.SilenceCount(silences=3, waiting=2, events=4)

    async def silence(self, who: Who, uid: UUID) -> schemas.SilenceDetail:
        return self.silenced.one(uid, NOW, who.language)

    async def silence_draft(self, who: Who, asked: schemas.SilenceFor) -> schemas.SilenceDraft:
        _oversees(who)
        return self.silenced.draft(asked, NOW, who.language)

    async def set_silence(self, who: Who, request: schemas.SilenceRequest) -> schemas.SilenceDetail:
        if self.silenced.refuse is not None:
            raise Conflict(self.silenced.refuse, "refused")
        self.silenced.asked.append(request)
        return self.silenced.one(DOOR, NOW, who.language)

    async def consent(self, who: Who, uid: UUID, seen: schemas.SilenceSeen) -> schemas.SilenceDetail:
        return self.silenced.do("consent", uid, NOW, who.language)

    async def extend(self, who: Who, uid: UUID, request: schemas.SilenceLonger) -> schemas.SilenceDetail:
        self.silenced.longer.append(request)
        return self.silenced.do("extend", uid, NOW, who.language)

    async def end_silence(self, who: Who, uid: UUID, seen: schemas.SilenceSeen) -> schemas.SilenceDetail:
        return self.silenced.do("end", uid, NOW, who.language)

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


def _at_desk(alert: schemas.AlertDetail) -> schemas.DeskAlert:
    held = alert.raised_at + timedelta(minutes=2) if alert.holder else None
    told = {
        "held_since": held,
        "next_text": "alle på vakt varsles",
        "outcome_text": "Reelt behov" if alert.closed_at else None,
    }
    return schemas.DeskAlert.model_validate({**alert.model_dump(), **told})


def _oversees(who: Who) -> None:
    if not who.roles & {"technical", "lead", "admin"}:
        raise NotAllowed("role", "for technical services")


def _in_language(alert: schemas.AlertDetail, language: str) -> schemas.AlertDetail:
    _ = translations(language).gettext
    timeline = [
        each.model_copy(update={"text": tell(each.code, each.params, each.params.get("names", {}), language)})
        for each in alert.timeline
    ]
    texts = {
        "title": condition_text(alert.condition, alert.device_kind, language),
        "severity_text": _(SEVERITIES[alert.severity]),
        "stage_text": _(STAGES[alert.stage]),
        "timeline": timeline,
    }
    return alert.model_copy(update=texts)


AT_ANY_TIME: tuple[schemas.AnswerName, ...] = ("close", "need_help", "hand_over", "pause", "release")
NEXT: dict[str, tuple[Stage, tuple[schemas.AnswerName, ...]]] = {
    "claim": (Stage.CLAIMED, ("on_way", "arrived", *AT_ANY_TIME)),
    "take_over": (Stage.CLAIMED, ("on_way", "arrived", *AT_ANY_TIME)),
    "on_way": (Stage.ON_WAY, ("arrived", *AT_ANY_TIME)),
    "arrived": (Stage.ARRIVED, AT_ANY_TIME),
    "resume": (Stage.CLAIMED, ("on_way", "arrived", *AT_ANY_TIME)),
    "pause": (Stage.CLAIMED, ("resume", "on_way", "arrived", "close", "need_help", "hand_over", "release")),
    "close": (Stage.CLOSING, ("undo_close",)),
}


def _after(alert: schemas.AlertDetail, request: schemas.AnswerRequest) -> schemas.AlertDetail:
    if request.answer not in NEXT:
        return alert
    stage, answers = NEXT[request.answer]
    codes = {"claim": "claimed", "take_over": "claimed", "close": "closing", "pause": "paused", "resume": "resumed"}
    due_at = NOW + timedelta(minutes=request.minutes or 15)
    said = entry(NOW, codes.get(request.answer, request.answer), actor=ME, cause=request.cause, action=request.action)
    now = {
        "stage": stage,
        "answers": list(answers),
        "holder": ME,
        "mine": True,
        "offered_to": None,
        "unanswered_since": None,
        "version": alert.version + 1,
        "due_at": due_at,
        "paused_until": due_at if request.answer == "pause" else None,
        "timeline": [*alert.timeline, said],
    }
    return alert.model_copy(update=now)


# Samples --------------------------------------------------------------------------------------------------------------


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def entry(at: datetime, code: str, actor: schemas.PersonRef | None = None, **params: Any) -> schemas.TimelineEntry:
    named = {"actor": actor.name} if actor else {}
    params["names"] = {**named, **params.get("names", {})}
    return schemas.TimelineEntry(
        at=at,
        given_at=None,
        code=code,
        params=params,
        actor=actor,
        text=code,
        vkp_event=LINES[code].vkp_event if code in LINES else None,
    )


def evidence(
    said: str, minutes: float, late_minutes: float = 0, flags: tuple[str, ...] = (), **fields: Any
) -> schemas.EvidenceView:
    return schemas.EvidenceView(
        type=said,
        device_kind="fall_alarm",
        occurred_at=ago(minutes),
        received_at=ago(minutes - late_minutes),
        late_seconds=int(late_minutes * 60),
        fields=fields,
        flags=list(flags),
    )


RESIDENT = UUID(int=100)


def looks(language: str) -> schemas.AccessLog:
    """Who looked at Solveig."""
    told = [
        (3, KARI, "resident.log_viewed", {}, None),
        (5, KARI, "resident.viewed", {"alert": 1, "position_shown": True}, 10),
        (70, None, "resident.exported", {}, None),
        (3000, KARI, "resident.named", {}, None),
    ]
    title = condition_text("fall", "fall_alarm", language)
    made = [
        schemas.Look(
            at=ago(minutes),
            person=person,
            what=action,
            text=look_text(action, params, language),
            alert=schemas.Named(id=UUID(int=number), name=title) if number else None,
        )
        for minutes, person, action, params, number in told
    ]
    resident = schemas.Named(id=RESIDENT, name="Solveig Haugland")
    return schemas.AccessLog(resident=resident, looks=made, next_cursor="17")


def alert(number: int = 10, **changed: Any) -> schemas.AlertDetail:
    """A fall that nobody has taken."""
    base: dict[str, Any] = {
        "id": UUID(int=number),
        "title": "",
        "condition": "fall",
        "vkp_code": "4.1",
        "severity": Severity.CRITICAL,
        "severity_text": "",
        "track": Track.CARE,
        "stage": Stage.OPEN,
        "stage_text": "",
        "zone": "Eiganes og Tasta",
        "resident": "Solveig Haugland",
        "address": "Tastarustå 14, H0203",
        "device_kind": "fall_alarm",
        "raised_at": ago(4),
        "occurred_at": ago(4),
        "late_seconds": 1,
        "due_at": ago(-1),
        "closed_at": None,
        "unanswered_since": None,
        "holder": None,
        "offered_to": None,
        "mine": False,
        "paged": True,
        "version": 3,
        "what_vkp_calls_it": "Fallalarm",
        "resident_details": schemas.ResidentView(
            id=UUID(int=100),
            name="Solveig Haugland",
            phone="51 55 01 42",
            notes="Hører dårlig på høyre øre. Bruker rullator.",
        ),
        "dwelling": schemas.DwellingView(
            address="Tastarustå 14, H0203",
            postal_code="4027",
            city="Stavanger",
            access="Nøkkelboks til venstre for inngangen, 2. etasje.\nElektronisk lås: åpne i låsappen.",
            latitude=58.9901,
            longitude=5.6789,
        ),
        "device": schemas.DeviceView(
            id=UUID(int=200),
            kind="fall_alarm",
            address="fa-0017",
            model="Sensorarmbånd 2",
            placed="håndledd",
            registered=True,
            last_seen=ago(4),
            online=True,
            state={},
        ),
        "locks": [],
        "positions": [],
        "evidence": [evidence("fall", 4, impact_g=4.2, confidence=0.93)],
        "timeline": [
            entry(ago(4), "raised"),
            entry(ago(4), "step_reached", step=0, target="first_on_duty", names={"persons": "Ingrid Aase"}),
            entry(
                ago(2),
                "step_reached",
                step=1,
                target="all_on_duty",
                names={"persons": "Ingrid Aase, Kari Nordbø, Ole-Jakob Tjensvoll"},
            ),
        ],
        "answers": ["claim", "on_way", "arrived", "close"],
        "colleagues": [KARI, OLE],
    }
    return schemas.AlertDetail.model_validate({**base, **changed})


def command(name: str, state: State, **changed: Any) -> schemas.CommandView:
    """What Ingrid has just asked the lock for."""
    reason = changed.get("reason", Reason.GET_IN)
    base: dict[str, Any] = {
        "id": UUID(int=400),
        "command": name,
        "label": asked(name, "e_lock", "nb"),
        "reason": reason,
        "reason_text": COMMAND_REASONS[reason],
        "state": state,
        "state_text": translations("nb").gettext(COMMAND_STATES[state]),
        "outcome": None,
        "outcome_text": None,
        "requested_by": ME,
        "requested_at": ago(0.2),
        "valid_until": ago(-0.8),
        "sent_at": ago(0.2) if state in (State.SENT, State.DONE) else None,
        "settled_at": None,
    }
    return schemas.CommandView.model_validate({**base, **changed})


def lock(**changed: Any) -> schemas.LockView:
    """The front door, locked since yesterday."""
    base: dict[str, Any] = {
        "device": UUID(int=201),
        "kind": "e_lock",
        "placed": "inngangsdør",
        "online": True,
        "parts": [part("bolt", "locked", 412), part("door", "door_closed", 413)],
        "commands": [
            schemas.CommandOffer(command=name, label=asked(name, "e_lock", "nb"))
            for name in ("unlock", "unlatch", "lock")
        ],
        "given": [],
    }
    return schemas.LockView.model_validate({**base, **changed})


def part(name: str, type_: str, minutes: float) -> schemas.PartView:
    text = said(type_, "e_lock", "nb")
    return schemas.PartView(part=name, type=type_, text=text, occurred_at=ago(minutes), received_at=ago(minutes))


def missed_dose() -> schemas.AlertDetail:
    return alert(
        11,
        condition="dose_missed",
        vkp_code="1.3",
        what_vkp_calls_it="Mangler utleveringsbekreftelse",
        severity=Severity.SERIOUS,
        resident="Torleif Østrem",
        address="Madlaveien 88",
        zone="Madla og Tjensvoll",
        stage=Stage.ON_WAY,
        holder=KARI,
        paged=False,
        raised_at=ago(34),
        occurred_at=ago(94),
        evidence=[evidence("nothing_said", 94, 0, dose_at=ago(94).isoformat())],
        answers=["take_over"],
    )


def late_button() -> schemas.AlertDetail:
    return alert(
        12,
        condition="button_pressed",
        severity=Severity.SERIOUS,
        resident="Bjørg Mæland",
        address="Kvernevikveien 3",
        raised_at=ago(11),
        occurred_at=ago(31),
        late_seconds=20 * 60,
        unanswered_since=ago(6),
        locks=[
            lock(
                given=[command("unlatch", State.FAILED, outcome="jammed", outcome_text=said("jammed", "e_lock", "nb"))]
            )
        ],
        evidence=[evidence("button_pressed", 31, 20, flags=("clock_ahead", "retained"))],
    )


def position(minutes: float, **changed: Any) -> schemas.PositionView:
    """Beside the cathedral, by satellite."""
    base = {
        "when": "latest",
        "latitude": 58.969923,
        "longitude": 5.733187,
        "accuracy_m": 12.0,
        "source": "gps",
        "at": ago(minutes),
        "age_seconds": int(minutes * 60),
        "device": UUID(int=201),
        "device_kind": "safety_alarm",
        "own": True,
        "distance_from_home_m": 1200,
    }
    return schemas.PositionView.model_validate({**base, **changed})


def out_of_doors() -> schemas.AlertDetail:
    """Pressed in the town, and since then walked on to where only masts are seen."""
    at_alert = position(6, when="at_alert", accuracy_m=8.0)
    now_at = position(3, latitude=58.9741, longitude=5.7402, accuracy_m=850.0, source="cell", distance_from_home_m=2400)
    return alert(
        15,
        condition="button_pressed",
        vkp_code="3",
        what_vkp_calls_it="Trygghetsalarm",
        severity=Severity.SERIOUS,
        resident="Magnhild Sæbø",
        resident_details=schemas.ResidentView(
            id=UUID(int=101), name="Magnhild Sæbø", phone="51 55 07 31", notes="Glemmer veien hjem når det er mørkt."
        ),
        raised_at=ago(6),
        occurred_at=ago(6),
        address="Lervigbrygga 12, H0401",
        device_kind="safety_alarm",
        device=schemas.DeviceView(
            id=UUID(int=201),
            kind="safety_alarm",
            address="sa-0011",
            model="Følge 4",
            placed="rundt halsen",
            registered=True,
            last_seen=ago(3),
            online=True,
            state={},
        ),
        positions=[now_at, at_alert],
        evidence=[
            evidence(
                "button_pressed",
                6,
                accuracy_m=8.0,
                source="gps",
                position_at=ago(6).isoformat(),
                distance_from_home_m=1200,
            ).model_copy(update={"device_kind": "safety_alarm"})
        ],
    )


def battery() -> schemas.AlertDetail:
    return alert(
        13,
        condition="battery_low",
        severity=Severity.MODERATE,
        track=Track.TECHNICAL,
        vkp_code="1.17",
        resident=None,
        address=None,
        resident_details=None,
        dwelling=None,
        paged=False,
        raised_at=ago(60 * 7),
        evidence=[evidence("battery_low", 60 * 7, battery=11)],
    )


def offered() -> schemas.AlertDetail:
    return alert(
        14,
        condition="jam",
        severity=Severity.SERIOUS,
        resident="Aud Rosseland",
        address="Hillevågsveien 21",
        zone="Hillevåg og Hinna",
        stage=Stage.CLAIMED,
        holder=OLE,
        offered_to=ME,
        mine=True,
        raised_at=ago(19),
        answers=["claim", "decline", "on_way", "arrived"],
    )


def paused() -> schemas.AlertDetail:
    """The dispenser that the reader has put off: a visit comes soon. It was the same an hour ago."""
    return missed_dose().model_copy(
        update={
            "id": UUID(int=17),
            "resident": "Gudrun Ree",
            "stage": Stage.CLAIMED,
            "holder": ME,
            "mine": True,
            "due_at": ago(-12),
            "paused_until": ago(-12),
            "answers": ["resume", "on_way", "arrived", "close", "hand_over", "need_help", "release"],
            "timeline": [
                entry(ago(9), "claimed", actor=ME),
                entry(ago(8), "paused", actor=ME, why="visit_soon", minutes=20).model_copy(
                    update={"note": "Kari er der uansett klokken elleve"}
                ),
            ],
            "follows": schemas.AlertLink(
                id=UUID(int=20), raised_at=ago(80), closed_at=ago(55), outcome_text="Reelt behov, Snakket med"
            ),
        }
    )


def closed() -> schemas.AlertDetail:
    outcome = schemas.AlertOutcome(
        cause=Cause.REAL,
        cause_text="Reelt behov",
        cause_code="4.1",
        what_vkp_calls_the_cause="Fall",
        action=Action.TALKED,
        action_text="Snakket med",
        action_code="8",
        what_vkp_calls_the_action="samtale",
    )
    again = schemas.AlertLink(id=UUID(int=17), raised_at=ago(25), closed_at=None, outcome_text=None)
    return alert(
        20,
        stage=Stage.CLOSED,
        holder=KARI,
        closed_at=ago(55),
        raised_at=ago(80),
        answers=[],
        due_at=None,
        outcome=outcome,
        followed_by=again,
    )


def passing() -> schemas.CanaryView:
    """A test alarm that gets through."""
    took = {"stored": 0.012, "receipted": 0.009, "raised": 0, "queued": 0, "leased": 0.02, "handed_over": 0.004}
    legs = [
        schemas.LegView(leg=leg, p50=each, p99=each * 3)
        for leg, each in {**took, "answered": 0.2, "whole": 1.3}.items()
    ]
    return schemas.CanaryView(passed_at=ago(0.4), missing=None, legs=legs)


def way_of(alert: schemas.AlertDetail) -> schemas.AlertPath:
    """Its way: the app at once, then a mail that came late, then one that was not needed any more."""
    begin = alert.occurred_at

    def after(seconds: float) -> datetime:
        return begin + timedelta(seconds=seconds)

    shared: dict[str, Any] = {"attempt": 1, "queued_at": after(0.2), "leased_at": after(0.25)}
    pages = [
        schemas.PagePath(
            **shared,
            person=KARI,
            channel="in_app",
            state=PageState.ANSWERED,
            handed_over_at=after(0.26),
            received_at=None,
            shown_at=after(41),
            answered_at=after(70),
            ended_at=None,
        ),
        schemas.PagePath(
            **shared,
            person=OLE,
            channel="email",
            state=PageState.WITHDRAWN,
            handed_over_at=after(2.6),
            received_at=after(30),
            shown_at=None,
            answered_at=None,
            ended_at=after(70),
        ),
    ]
    return schemas.AlertPath(
        **alert.model_dump(
            include={"id", "title", "severity", "severity_text", "stage", "stage_text", "zone", "occurred_at"}
        ),
        raised_at=after(0.2),
        stored_at=after(0.2),
        until=NOW,
        pages=pages if alert.track is Track.CARE else [],
        timeline=alert.timeline,
    )


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
