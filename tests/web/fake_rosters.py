"""A zone's roster for the pages to stand on: a week with a gap, somebody alone, a cover, a swap and a holiday. Held in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.checkin import Presence
from alerts.duty import spans
from alerts.roster import Absence, Change, Layer, Part, Plan, Shift
from gateway.api import schemas
from gateway.errors import Conflict, NotFound

OSLO = ZoneInfo("Europe/Oslo")
ZONE = schemas.Named(id=UUID(int=501), name="Eiganes og Tasta")
STAFF = [
    schemas.PersonRef(id=UUID(int=number), name=name)
    for number, name in ((1, "Ingrid Aase"), (2, "Kari Nordbø"), (3, "Ole-Jakob Tjensvoll"))
]
NIGHT = datetime(2026, 11, 21, 21, tzinfo=UTC)
"""22:00 in Oslo, four hours before the pages' now."""
DAY = timedelta(days=1)
ABSENCE, OVERRIDE, SWAP, FEED, ROTATION, SHIFT = (UUID(int=number) for number in (601, 602, 603, 604, 605, 610))
PLAN = Plan(
    shifts=[
        *(Shift(1, day, time(22), time(7)) for day in range(7)),
        *(Shift(2, day, time(7), time(15)) for day in range(7)),
        *(Shift(3, day, time(15), time(22)) for day in range(6)),
        *(Shift(2, day, time(22), time(7), position=1) for day in (4, 5, 6)),
    ],
    changes=[Change(Layer.SWAP, (Part(2, 3, NIGHT + DAY / 2, NIGHT + DAY), Part(3, 2, NIGHT + DAY, NIGHT + 2 * DAY)))],
    absences=[Absence(2, NIGHT, NIGHT + DAY / 3, 3)],
)


@dataclass
class FakeRosters:
    """The part of the gateway in memory that rosters are. ``rostered``: what was asked to be changed, in order.
    ``roster_refusal``: why to refuse; ``checks_in``: whether check-in is used."""

    rostered: list[tuple[str, Any]] = field(default_factory=list, kw_only=True)
    roster_refusal: str | None = field(default=None, kw_only=True)
    checks_in: bool = field(default=False, kw_only=True)

    async def zones(self, who: Any) -> list[schemas.ZoneView]:
        return [schemas.ZoneView(id=ZONE.id, kind="zone", name=ZONE.name, roles=sorted(who.roles), below=[])]

    async def roster(self, who: Any, zone: UUID) -> schemas.RosterView:
        if zone != ZONE.id:
            raise NotFound("zone", "no such zone")
        plans = bool(who.roles & {"lead", "admin"})
        return schemas.RosterView(
            zone=ZONE,
            time_zone=OSLO.key,
            shifts=_shifts(),
            rotations=[_rotation()],
            overrides=[
                schemas.OverrideView(
                    id=OVERRIDE, version=1, zone=ZONE, role="responder", leaves=STAFF[0], comes=STAFF[1],
                    begins=NIGHT + 3 * DAY, ends=NIGHT + 4 * DAY,
                )
            ],
            swaps=[_swap(["withdraw"] if plans else [])],
            absences=[_absence(STAFF[1], plans, None if plans else STAFF[2])],
            staff=[schemas.Colleague(**each.model_dump(), roles=["responder"]) for each in STAFF],
            check_in_minutes=10 if self.checks_in else 0,
            own_check_in_minutes=None,
            check_in_tests=True,
            own_check_in_tests=None,
            may_plan=plans,
        )  # fmt: skip

    async def duty(self, who: Any, zone: UUID, query: schemas.DutyQuery) -> schemas.DutyView:
        since = query.since or NIGHT
        found = spans(PLAN, since, query.until or since + 7 * DAY, OSLO)
        return schemas.DutyView(
            zone=ZONE,
            role=query.role,
            time_zone=OSLO.key,
            spans=[
                schemas.DutySpan(
                    since=each.begins.astimezone(OSLO),
                    until=each.ends.astimezone(OSLO),
                    on_duty=[
                        schemas.Serves(
                            **STAFF[duty.person_id - 1].model_dump(),
                            why=duty.why,
                            instead_of=STAFF[duty.instead_of - 1] if duty.instead_of else None,
                        )
                        for duty in each.duties
                    ],
                )
                for each in found
            ],
        )

    async def my_duty(self, who: Any) -> schemas.MyDuty:
        shifts = [
            schemas.OwnShift(
                begins=NIGHT + number * DAY, ends=NIGHT + number * DAY + timedelta(hours=9), zone=ZONE, role="responder",
                why=Layer.PATTERN, instead_of=None,
            )
            for number in range(4)
        ]  # fmt: skip
        return schemas.MyDuty(
            time_zone=OSLO.key,
            check_in=await self.check_in_due(who),
            shifts=shifts,
            swaps=[_swap(["accept", "decline"])],
            absences=[_absence(STAFF[0], True, None)],
        )

    async def check_in_due(self, who: Any) -> list[schemas.CheckInView]:
        there = Presence.CHECKED_IN if ("check_in", None) in self.rostered else Presence.NOT_CHECKED_IN
        due = schemas.CheckInView(zone=ZONE, presence=there, since=NIGHT, due_at=NIGHT + timedelta(minutes=10))
        return [due] if self.checks_in else []

    # Plans ------------------------------------------------------------------------------------------------------------

    async def add_pattern(self, who: Any, zone: UUID, request: schemas.PatternRequest) -> list[schemas.ShiftView]:
        self._asked("pattern", request)
        return _shifts()

    async def end_pattern(self, who: Any, zone: UUID, request: schemas.PatternEnd) -> schemas.RosterView:
        self._asked("end_pattern", request)
        return await self.roster(who, zone)

    async def add_rotation(self, who: Any, zone: UUID, request: schemas.RotationRequest) -> schemas.RotationView:
        self._asked("rotation", request)
        return _rotation()

    async def end_rotation(self, who: Any, uid: UUID, request: schemas.EndRequest) -> schemas.RotationView:
        self._asked("end_rotation", request)
        return _rotation()

    async def preview_plan(self, who: Any, zone: UUID, request: schemas.PlanPreview) -> schemas.DutyView:
        self._asked("preview", request)
        return await self.duty(who, zone, schemas.DutyQuery(since=request.since, until=request.until))

    # Changing ---------------------------------------------------------------------------------------------------------

    async def add_override(self, who: Any, zone: UUID, request: schemas.OverrideRequest) -> schemas.OverrideView:
        self._asked("override", request)
        return (await self.roster(who, zone)).overrides[0]

    async def withdraw_override(self, who: Any, uid: UUID, request: schemas.VersionRequest) -> schemas.OverrideView:
        self._asked("withdraw", request)
        return (await self.roster(who, ZONE.id)).overrides[0]

    async def propose_swap(self, who: Any, zone: UUID, request: schemas.SwapRequest) -> schemas.SwapView:
        self._asked("swap", request)
        return _swap([])

    async def answer_swap(self, who: Any, uid: UUID, request: schemas.SwapAnswer) -> schemas.SwapView:
        self._asked("answer", request)
        return _swap([])

    async def report_absence(self, who: Any, request: schemas.AbsenceRequest) -> schemas.AbsenceView:
        self._asked("absence", request)
        return _absence(STAFF[0], True, None)

    async def change_absence(self, who: Any, uid: UUID, request: schemas.AbsenceChange) -> schemas.AbsenceView:
        self._asked("change_absence", request)
        return _absence(STAFF[0], True, None)

    async def set_check_in(self, who: Any, zone: UUID, request: schemas.CheckInSetting) -> schemas.RosterView:
        self._asked("grace", request)
        return await self.roster(who, zone)

    async def import_calendar(self, who: Any, zone: UUID, request: schemas.ImportRequest) -> schemas.ImportView:
        self._asked("import", request)
        shift = schemas.ImportedShift(begins=NIGHT, ends=NIGHT + DAY / 3, person=STAFF[0])
        return schemas.ImportView(
            applied=request.apply, added=[shift], moved=[], removed=[], kept=2, unknown=["ukjent@example.org"],
            unreadable=["Ferie: it lasts whole days"],
        )  # fmt: skip

    async def check_in(self, who: Any) -> schemas.MyDuty:
        self._asked("check_in", None)
        return await self.my_duty(who)

    async def check_out(self, who: Any) -> schemas.MyDuty:
        self._asked("check_out", None)
        return await self.my_duty(who)

    # Calendars --------------------------------------------------------------------------------------------------------

    async def feeds(self, who: Any) -> list[schemas.FeedView]:
        return [schemas.FeedView(id=FEED, zone=None, role="responder", since=NIGHT)]

    async def add_feed(self, who: Any, request: schemas.FeedRequest) -> schemas.FeedView:
        self._asked("feed", request)
        return schemas.FeedView(id=FEED, zone=None, role="responder", since=NIGHT, address="/calendar/secret.ics")

    async def revoke_feed(self, who: Any, uid: UUID) -> None:
        self._asked("revoke", uid)

    async def calendar(self, token: str) -> str:
        if token != "secret":
            raise NotFound("feed", "no such calendar")
        return "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"

    def _asked(self, what: str, request: Any) -> None:
        if self.roster_refusal is not None:
            raise Conflict(self.roster_refusal, "refused")
        self.rostered.append((what, request))


def _absence(person: schemas.PersonRef, knows: bool, cover: schemas.PersonRef | None) -> schemas.AbsenceView:
    return schemas.AbsenceView(
        id=ABSENCE, version=1, person=person, begins=NIGHT, ends=None, cover=cover, kind="sick" if knows else None, may_change=knows
    )  # fmt: skip


def _swap(answers: list[Any]) -> schemas.SwapView:
    return schemas.SwapView(
        id=SWAP, version=1, zone=ZONE, role="responder", asks=STAFF[1], other=STAFF[0], state="proposed", answers=answers,
        mine=schemas.StretchView(begins=NIGHT + 5 * DAY, ends=NIGHT + 5 * DAY + DAY / 3),
        theirs=schemas.StretchView(begins=NIGHT + 6 * DAY, ends=NIGHT + 6 * DAY + DAY / 3),
    )  # fmt: skip


A_WEEK_WITH_A_HOLIDAY = date(2026, 12, 24)


def _shifts() -> list[schemas.ShiftView]:
    """Ingrid's two weeks, an evening of the municipality's, and Christmas."""
    same: dict[str, Any] = {
        "version": 3,
        "role": "responder",
        "position": 0,
        "from_date": date(2026, 3, 2),
        "to_date": None,
    }

    def shift(
        number: int, who: int, week: int, weekday: int | None, times: tuple[int, int], **more: Any
    ) -> schemas.ShiftView:
        given = {"zone": ZONE, "weeks": 2, "anchor": date(2026, 3, 2), "on_days": [], **same, **more}
        return schemas.ShiftView(
            id=UUID(int=610 + number),
            person=STAFF[who],
            week=week,
            weekday=weekday,
            start=time(times[0]),
            end=time(times[1]),
            **given,
        )

    return [
        shift(0, 0, 0, 0, (22, 7)),
        shift(1, 0, 1, 4, (7, 15)),
        shift(2, 1, 0, 6, (15, 22), zone=schemas.Named(id=UUID(int=500), name="Stavanger"), weeks=1),
        shift(3, 2, 0, None, (8, 16), weeks=1, on_days=["christmas_eve", "holiday"], to_date=date(2027, 1, 1)),
        shift(4, 2, 0, 2, (8, 16), weeks=1, to_date=date(2026, 11, 20)),
    ]


def _rotation() -> schemas.RotationView:
    return schemas.RotationView(
        id=ROTATION,
        version=2,
        name="Bakvakt",
        zone=ZONE,
        role="responder",
        persons=[STAFF[1], STAFF[2]],
        first_day=date(2026, 11, 2),
        hand_over=time(8),
        turn_days=7,
        start=None,
        end=None,
        weekdays=list(range(7)),
        position=5,
        to_date=None,
    )
