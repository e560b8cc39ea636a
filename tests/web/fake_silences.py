"""Silences for the pages: one in force, one that waits for consent, a resident who is away and should be back, one that is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from alerts.model import Severity, Track
from alerts.render import SEVERITIES, condition_text, translations
from alerts.silence import Kind, Reason
from alerts.silence_words import CHANGES, ENDED, OUTCOMES, REASONS, STATES, condition_words
from alerts.words import said
from gateway.api import schemas
from gateway.errors import Conflict, NotFound

DOOR, FIRE, AWAY, OVER = (UUID(int=each) for each in (700, 701, 702, 703))
ZONE = schemas.Named(id=UUID(int=501), name="Eiganes og Tasta")
SOLVEIG = schemas.Named(id=UUID(int=100), name="Solveig Haugland")
SIRI = schemas.PersonRef(id=UUID(int=4), name="Siri Hodne")
LEIF = schemas.PersonRef(id=UUID(int=5), name="Leif Bore")
SCOPES = {
    "zone": (ZONE.id, ZONE.name),
    "resident": (SOLVEIG.id, SOLVEIG.name),
    "device": (UUID(int=200), "fa-0017"),
}


@dataclass
class FakeSilences:
    """``done``: what was done to which, in order; ``asked``: what was set; ``refuse``: why to refuse."""

    done: list[tuple[str, UUID]] = field(default_factory=list)
    asked: list[schemas.SilenceRequest] = field(default_factory=list)
    longer: list[schemas.SilenceLonger] = field(default_factory=list)
    refuse: str | None = None

    def every(self, now: datetime, language: str) -> list[schemas.SilenceDetail]:
        door = {
            "scope": scope("device"),
            "resident": SOLVEIG,
            "dwelling": "Tastarustå 14, H0203",
            "condition": "door_at_night",
            "severity": Severity.MODERATE,
            "until": now + timedelta(hours=3),
            "events": 4,
            "open": 1,
            "newest_at": now - timedelta(minutes=12),
            "note": "Døra settes opp når renholdet går.",
            "may": ["extend", "end"],
            "held": [_held(now, language, None), _held(now - timedelta(hours=2), language, "over")],
        }
        fire = {
            "id": FIRE,
            "state": "asked",
            "condition": "fire",
            "severity": Severity.CRITICAL,
            "vital": True,
            "needs_consent": True,
            "reason": Reason.EXERCISE,
            "until": now + timedelta(days=4),
            "may": ["consent", "end"],
        }
        away = {
            "id": AWAY,
            "kind": Kind.AWAY,
            "state": "overdue",
            "scope": scope("resident"),
            "resident": SOLVEIG,
            "reason": Reason.HOSPITAL,
            "since": now - timedelta(days=3),
            "until": now - timedelta(hours=5),
            "life": {"at": now - timedelta(hours=1), "text": said("opened", "door_sensor", language), "times": 2},
            "may": ["extend", "end"],
        }
        over = {
            "id": OVER,
            "state": "ended",
            "reason": Reason.FALSE_ALARMS,
            "track": Track.TECHNICAL,
            "ended_at": now - timedelta(days=1),
            "ended_by": LEIF,
            "ended_why": "by_hand",
        }
        return [_silence(now, language, **each) for each in (door, fire, away, over)]

    def one(self, uid: UUID, now: datetime, language: str) -> schemas.SilenceDetail:
        found = next((each for each in self.every(now, language) if each.id == uid), None)
        if found is None:
            raise NotFound("silence", "no such silence")
        return found

    def do(self, what: str, uid: UUID, now: datetime, language: str) -> schemas.SilenceDetail:
        if self.refuse is not None:
            raise Conflict(self.refuse, "refused")
        self.done.append((what, uid))
        return self.one(uid, now, language)

    def draft(self, asked: schemas.SilenceFor, now: datetime, language: str) -> schemas.SilenceDraft:
        name, uid = asked.named
        return schemas.SilenceDraft(
            scope=schemas.SilenceScope(name=name, id=uid, text=SCOPES[name][1]),
            zone=ZONE,
            resident=SOLVEIG if name == "resident" else None,
            dwelling=None,
            may_silence=True,
            may_away=name == "resident",
            tracks=[Track.CARE, Track.TECHNICAL],
            conditions=[
                schemas.SilenceChoice(
                    condition=each, text=condition_words(each, None, language), vital=each in ("fire", "fall")
                )
                for each in ("button_pressed", "door_at_night", "fall", "fire")
            ],
            longest_hours=720,
            longest_away_hours=2208,
            current=list(self.every(now, language)[:1]) if name == "device" else [],
        )


def scope(name: str) -> dict[str, Any]:
    uid, text = SCOPES[name]
    return {"name": name, "id": uid, "text": text}


def _silence(now: datetime, language: str, **own: Any) -> schemas.SilenceDetail:
    _ = translations(language).gettext
    base: dict[str, Any] = {
        "id": DOOR,
        "kind": Kind.SILENCE,
        "state": "in_force",
        "scope": scope("zone"),
        "zone": ZONE,
        "resident": None,
        "dwelling": None,
        "condition": None,
        "track": None,
        "severity": Severity.SERIOUS,
        "vital": False,
        "needs_consent": False,
        "reason": Reason.VISIT,
        "note": None,
        "owner": SIRI,
        "since": now - timedelta(hours=5),
        "until": now + timedelta(hours=3),
        "asked_by": SIRI,
        "asked_at": now - timedelta(hours=5),
        "asked_until": None,
        "consented_by": None,
        "consented_at": None,
        "ended_at": None,
        "ended_by": None,
        "ended_why": None,
        "version": 2,
        "events": 0,
        "open": 0,
        "newest_at": None,
        "life": None,
        "may": [],
        "held": [],
        **own,
    }
    ended = base["ended_why"]
    state = STATES[Kind.AWAY if base["kind"] is Kind.AWAY and base["state"] == "in_force" else base["state"]]
    told = {
        "state_text": _(state),
        "condition_text": condition_words(base["condition"], None, language) if base["condition"] else None,
        "severity_text": _(SEVERITIES[base["severity"]]),
        "reason_text": _(REASONS[base["reason"]]),
        "ended_text": _(ENDED[ended]) if ended else None,
        "changes": [
            {"at": base["asked_at"], "code": "silence.set", "text": _(CHANGES["silence.set"]), "by": SIRI},
        ],
    }
    return schemas.SilenceDetail.model_validate({**base, **told})


def _held(at: datetime, language: str, outcome: str | None) -> schemas.HeldView:
    _ = translations(language).gettext
    return schemas.HeldView.model_validate(
        {
            "title": condition_text("door_at_night", "door_sensor", language),
            "condition": "door_at_night",
            "vkp_code": "4.15",
            "severity": Severity.MODERATE,
            "severity_text": _(SEVERITIES[Severity.MODERATE]),
            "track": Track.CARE,
            "zone": ZONE.name,
            "resident": SOLVEIG,
            "device": schemas.Named(id=UUID(int=205), name="ds-0005"),
            "said": said("opened", "door_sensor", language),
            "first_at": at - timedelta(minutes=40),
            "newest_at": at - timedelta(minutes=12),
            "times": 2,
            "outcome": outcome,
            "outcome_text": _(OUTCOMES[outcome or "open"]),
            "settled_at": at if outcome else None,
            "alert": None,
        }
    )
