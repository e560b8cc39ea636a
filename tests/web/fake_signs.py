"""What an alert is made of: entries, evidence, a lock and its commands, positions."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from alerts.command import Reason, State
from alerts.render import translations
from alerts.timeline import COMMAND_REASONS, COMMAND_STATES, LINES
from alerts.words import asked, said
from gateway.api import schemas
from tests.web.fake_people import ME, ago


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
