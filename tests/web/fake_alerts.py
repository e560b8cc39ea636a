"""Alerts of an ordinary bad night, in every stage."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from alerts.alert import Action, Cause, Stage
from alerts.command import State
from alerts.model import Severity, Track
from alerts.words import said
from gateway.api import schemas
from tests.web.fake_people import KARI, ME, OLE, ago
from tests.web.fake_signs import command, entry, evidence, lock, position


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
