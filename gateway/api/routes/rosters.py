"""Rosters: who is on duty when, what is planned and changed, absences, check-in, calendars."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from gateway.api import schemas
from gateway.api.access import Anybody, Planner, Responder, TheFront

router = APIRouter()


@router.get("/rosters/{uid}", tags=["rosters"])
async def roster(uid: UUID, who: Anybody, front: TheFront) -> schemas.RosterView:
    """What is planned for a zone of yours, in local time, and what is changed of it."""
    return await front.roster(who, uid)


@router.get("/rosters/{uid}/duty", tags=["rosters"])
async def duty(
    uid: UUID, who: Anybody, front: TheFront, query: Annotated[schemas.DutyQuery, Query()]
) -> schemas.DutyView:
    """Who is on duty for a zone of yours, from a time until another, as alerts find them, and why."""
    return await front.duty(who, uid, query)


@router.put("/rosters/{uid}/check-in", tags=["rosters"])
async def set_check_in(uid: UUID, body: schemas.CheckInSetting, who: Planner, front: TheFront) -> schemas.RosterView:
    """By when whoever serves in a zone that you lead, or below it, must have checked in."""
    return await front.set_check_in(who, uid, body)


@router.post("/rosters/{uid}/shifts", status_code=201, tags=["rosters"])
async def add_shift(uid: UUID, body: schemas.ShiftRequest, who: Planner, front: TheFront) -> schemas.ShiftView:
    """A shift that recurs: weekly, in a pattern of several weeks, or on holidays."""
    return await front.add_shift(who, uid, body)


@router.post("/shifts/{uid}/end", tags=["rosters"])
async def end_shift(uid: UUID, body: schemas.EndRequest, who: Planner, front: TheFront) -> schemas.ShiftView:
    """Until when a shift recurs."""
    return await front.end_shift(who, uid, body)


@router.post("/rosters/{uid}/rotations", status_code=201, tags=["rosters"])
async def add_rotation(uid: UUID, body: schemas.RotationRequest, who: Planner, front: TheFront) -> schemas.RotationView:
    """Persons who take turns."""
    return await front.add_rotation(who, uid, body)


@router.post("/rosters/{uid}/patterns", status_code=201, tags=["rosters"])
async def add_pattern(
    uid: UUID, body: schemas.PatternRequest, who: Planner, front: TheFront
) -> list[schemas.ShiftView]:
    """All shifts of a person in a pattern of one or several weeks, at once; and instead of others, where it replaces some."""
    return await front.add_pattern(who, uid, body)


@router.post("/rosters/{uid}/patterns/end", tags=["rosters"])
async def end_pattern(uid: UUID, body: schemas.PatternEnd, who: Planner, front: TheFront) -> schemas.RosterView:
    """Until when several shifts recur: all of them, or none."""
    return await front.end_pattern(who, uid, body)


@router.post("/rosters/{uid}/preview", tags=["rosters"])
async def preview_plan(uid: UUID, body: schemas.PlanPreview, who: Planner, front: TheFront) -> schemas.DutyView:
    """Who would be on duty with a pattern or a rotation that is not set yet. It is refused as setting it would be."""
    return await front.preview_plan(who, uid, body)


@router.post("/rotations/{uid}/end", tags=["rosters"])
async def end_rotation(uid: UUID, body: schemas.EndRequest, who: Planner, front: TheFront) -> schemas.RotationView:
    """Until when a rotation goes round."""
    return await front.end_rotation(who, uid, body)


@router.post("/rosters/{uid}/overrides", status_code=201, tags=["rosters"])
async def add_override(uid: UUID, body: schemas.OverrideRequest, who: Planner, front: TheFront) -> schemas.OverrideView:
    """Somebody more on duty for a time, somebody less, or one instead of another."""
    return await front.add_override(who, uid, body)


@router.post("/overrides/{uid}/withdraw", tags=["rosters"])
async def withdraw_override(
    uid: UUID, body: schemas.VersionRequest, who: Planner, front: TheFront
) -> schemas.OverrideView:
    """As if it had never been."""
    return await front.withdraw_override(who, uid, body)


@router.post("/rosters/{uid}/swaps", status_code=201, tags=["rosters"])
async def propose_swap(uid: UUID, body: schemas.SwapRequest, who: Anybody, front: TheFront) -> schemas.SwapView:
    """You give a shift to a colleague and take one of theirs, once they accept."""
    return await front.propose_swap(who, uid, body)


@router.post("/swaps/{uid}/answer", tags=["rosters"])
async def answer_swap(uid: UUID, body: schemas.SwapAnswer, who: Anybody, front: TheFront) -> schemas.SwapView:
    """Accept or decline a swap that you were asked for, or withdraw one."""
    return await front.answer_swap(who, uid, body)


@router.post("/rosters/{uid}/import", tags=["rosters"])
async def import_calendar(uid: UUID, body: schemas.ImportRequest, who: Planner, front: TheFront) -> schemas.ImportView:
    """A planner's calendar (iCalendar): what it would change, or with `apply` has changed."""
    return await front.import_calendar(who, uid, body)


@router.get("/absences", tags=["rosters"])
async def absences(who: Anybody, front: TheFront) -> list[schemas.AbsenceView]:
    """When you are away, now or later; and the staff of zones that you lead."""
    return await front.absences(who)


@router.post("/absences", status_code=201, tags=["rosters"])
async def report_absence(body: schemas.AbsenceRequest, who: Anybody, front: TheFront) -> schemas.AbsenceView:
    """You are away, or somebody of a zone that you lead."""
    return await front.report_absence(who, body)


@router.patch("/absences/{uid}", tags=["rosters"])
async def change_absence(uid: UUID, body: schemas.AbsenceChange, who: Anybody, front: TheFront) -> schemas.AbsenceView:
    """Back at another time, covered by another, or not away at all."""
    return await front.change_absence(who, uid, body)


@router.get("/me/duty", tags=["rosters"])
async def my_duty(who: Anybody, front: TheFront) -> schemas.MyDuty:
    """Your shifts of the next four weeks, your swaps and absences, and whether you have checked in."""
    return await front.my_duty(who)


@router.post("/me/check-in", tags=["rosters"])
async def check_in(who: Responder, front: TheFront) -> schemas.MyDuty:
    """You are on duty."""
    return await front.check_in(who)


@router.post("/me/check-out", tags=["rosters"])
async def check_out(who: Responder, front: TheFront) -> schemas.MyDuty:
    """You are not on duty any more."""
    return await front.check_out(who)


@router.get("/feeds", tags=["rosters"])
async def feeds(who: Anybody, front: TheFront) -> list[schemas.FeedView]:
    """The calendars that phones of yours subscribe to."""
    return await front.feeds(who)


@router.post("/feeds", status_code=201, tags=["rosters"])
async def add_feed(body: schemas.FeedRequest, who: Anybody, front: TheFront) -> schemas.FeedView:
    """A secret address for a phone's calendar; it is shown this once."""
    return await front.add_feed(who, body)


@router.delete("/feeds/{uid}", status_code=204, tags=["rosters"])
async def revoke_feed(uid: UUID, who: Anybody, front: TheFront) -> None:
    """The address shows nothing any more."""
    await front.revoke_feed(who, uid)
