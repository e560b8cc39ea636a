"""What is read about alerts: who looked at whom, the way of an alert, and the test alarm's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from alerts.delivery import PageState
from alerts.looks import look_text
from alerts.model import Track
from alerts.render import condition_text
from gateway.api import schemas
from tests.web.fake_people import KARI, NOW, OLE, ago

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
