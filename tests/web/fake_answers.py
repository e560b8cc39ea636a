"""What becomes of an alert that is answered, and how it is told."""

from __future__ import annotations

from datetime import timedelta

from alerts.alert import Stage
from alerts.render import SEVERITIES, condition_text, translations
from alerts.timeline import STAGES, tell
from gateway.api import schemas
from tests.web.fake_people import ME, NOW
from tests.web.fake_signs import entry

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


def after(alert: schemas.AlertDetail, request: schemas.AnswerRequest) -> schemas.AlertDetail:
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


def at_desk(alert: schemas.AlertDetail) -> schemas.DeskAlert:
    held = alert.raised_at + timedelta(minutes=2) if alert.holder else None
    told = {
        "held_since": held,
        "next_text": "alle på vakt varsles",
        "outcome_text": "Reelt behov" if alert.closed_at else None,
    }
    return schemas.DeskAlert.model_validate({**alert.model_dump(), **told})


def in_language(alert: schemas.AlertDetail, language: str) -> schemas.AlertDetail:
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
