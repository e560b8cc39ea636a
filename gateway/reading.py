"""Reading: what somebody may see, as the API and the pages show it. Every look at a resident is in the audit."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from alerts.alert import Action, Cause, Contact, DueFor, HandOver, People, Refused, Stage
from alerts.contacts import waits_for_its_phone
from alerts.escalation import step
from alerts.model import Evidence, Severity, Track
from alerts.render import SEVERITIES, condition_text, translations
from alerts.timeline import LINES, STAGES, tell
from devices.vkp import ALERT_CODES, code_list
from gateway import asking, canary, cursors, positions
from gateway.access import OVERSEERS, Who, may_be_handed
from gateway.answering import event_of
from gateway.api import schemas
from gateway.errors import NotFound
from gateway.store import alerts as alert_store
from gateway.store import audit, people, quarantine, receipts, views
from gateway.store.alerts import StoredAlert
from gateway.store.audit import Audited
from gateway.store.db import Connection
from gateway.store.people import Person
from gateway.store.quarantine import Wanted
from gateway.store.views import AlertSearch

ANSWERS: tuple[schemas.AnswerName, ...] = (
    "claim",
    "on_way",
    "arrived",
    "close",
    "undo_close",
    "need_help",
    "hand_over",
    "release",
    "take_over",
)


async def alert_list(
    connection: Connection, who: Who, wanted: AlertSearch, cursor: str | None, limit: int, now: datetime
) -> schemas.AlertPage:
    """A page of alerts, open or closed."""
    if wanted.state == "open":
        rows = await views.open_alerts(connection, who.sight, wanted, cursors.position(cursor), limit + 1)
    else:
        rows = await views.closed_alerts(connection, who.sight, wanted, cursors.number(cursor), limit + 1)
    shown = await summaries(connection, who, rows[:limit], now)
    if len(rows) <= limit:
        return schemas.AlertPage(alerts=shown, next_cursor=None)
    last = rows[limit - 1]
    following = cursors.after(last, who.person_id) if wanted.state == "open" else str(last["id"])
    return schemas.AlertPage(alerts=shown, next_cursor=following)


async def alerts_of_device(
    connection: Connection, who: Who, device_id: int, limit: int, now: datetime
) -> list[schemas.AlertSummary]:
    """The open alerts over a device that the reader may see, the severest first."""
    return await summaries(connection, who, await views.open_of_device(connection, who.sight, device_id, limit), now)


async def summaries(
    connection: Connection, who: Who, rows: Sequence[Mapping[str, Any]], now: datetime
) -> list[schemas.AlertSummary]:
    """Alerts as a list shows them; whose they are is noted, and that the reader's pages in the app are shown."""
    persons = await _persons(connection, rows)
    await receipts.shown_in_app(connection, who.person_id, [row["id"] for row in rows], now)
    await audit.note_listed(connection, now, who.person_id, [row["id"] for row in rows])
    return [_summary(row, persons, who, now) for row in rows]


async def alert_detail(
    connection: Connection, who: Who, uid: UUID, now: datetime, local: tzinfo
) -> schemas.AlertDetail:
    """One alert with all that belongs to it. NotFound when there is none that the reader may see."""
    row = await views.alert(connection, uid, who.sight)
    stored = await alert_store.find(connection, uid) if row else None
    if row is None or stored is None:
        raise NotFound("alert", "there is no such alert, or it is not yours to see")
    entries = await views.timeline(connection, row["id"])
    persons = await _persons(connection, [row, *_mentioning(entries)])
    colleagues = await people.colleagues(connection, row["zone_id"], may_be_handed(row["track"]), now)
    found = await positions.of_alert(connection, row, now)
    await _note_look(connection, who, row, found, now)
    await receipts.shown_in_app(connection, who.person_id, [row["id"]], now)
    summary = _summary(row, persons, who, now)
    return schemas.AlertDetail(
        **summary.model_dump(),
        what_vkp_calls_it=code_list(ALERT_CODES).get(row["vkp_code"] or ""),
        resident_details=await _resident(connection, row, who),
        dwelling=await _dwelling(connection, row["dwelling_id"]),
        device=await _device(connection, row["device_id"], row["installation_id"]),
        locks=await asking.locks(connection, who, row, stored, now, local),
        positions=found,
        evidence=[_evidence(each["params"]["evidence"]) for each in entries if "evidence" in each["params"]],
        timeline=[_entry(each, persons, who.language) for each in entries],
        answers=[] if waits_for_its_phone(row["condition"], stored.alert) else _possible(stored, who, now),
        colleagues=[_ref(each) for each in colleagues if each.id != who.person_id],
    )


async def quarantine_page(
    connection: Connection, who: Who, wanted: Wanted, cursor: str | None, limit: int
) -> schemas.QuarantinePage:
    """Messages of the reader's sites that could not be read, the newest first. NotAllowed for care staff."""
    who.require(OVERSEERS)
    zones = who.zones_as(OVERSEERS)
    rows = await quarantine.newest(connection, zones, wanted, cursors.uid(cursor), limit + 1)
    persons = await people.names(connection, [row["decoded_by_id"] for row in rows if row["decoded_by_id"] is not None])
    following = str(rows[limit - 1]["uid"]) if len(rows) > limit else None
    return schemas.QuarantinePage(items=[_quarantined(row, persons) for row in rows[:limit]], next_cursor=following)


async def sites(
    connection: Connection, started_at: datetime, now: datetime, limits: canary.Limits
) -> list[schemas.SiteView]:
    """Every site, and how far each has been heard: a deaf one concerns everybody."""
    rows = await views.site_names(connection)
    return [
        schemas.SiteView(
            name=row["name"],
            zone=row["zone"],
            heard_until=row["heard_until"],
            deaf=canary.is_deaf(row["heard_until"], started_at, now, limits),
        )
        for row in rows
    ]


# Parts ----------------------------------------------------------------------------------------------------------------

Persons = Mapping[int, Person]
_SOMEBODY = People(persons={-1: (Contact(-1, -1),)})


def _summary(row: Mapping[str, Any], persons: Persons, who: Who, now: datetime) -> schemas.AlertSummary:
    _ = translations(who.language).gettext
    severity, stage = Severity(row["severity"]), Stage(row["stage"])
    return schemas.AlertSummary(
        id=row["uid"],
        title=condition_text(row["condition"], row["device_kind"], who.language),
        condition=row["condition"],
        vkp_code=row["vkp_code"],
        severity=severity,
        severity_text=_(SEVERITIES[severity]),
        track=Track(row["track"]),
        stage=stage,
        stage_text=_(STAGES[stage]),
        zone=row["zone"],
        resident=row["resident"],
        address=row["address"],
        device_kind=row["device_kind"],
        raised_at=row["raised_at"],
        occurred_at=row["occurred_at"],
        late_seconds=row["late_seconds"],
        due_at=row["due_at"],
        closed_at=row["closed_at"],
        unanswered_since=row["exhausted_at"],
        holder=_ref_of(row["holder_id"], persons),
        offered_to=_ref_of(row["offered_to_id"], persons),
        mine=who.person_id in (row["holder_id"], row["offered_to_id"]),
        paged=row["paged"],
        away_until=row["away_until"] if _is_away(row, who, now) else None,
        version=row["version"],
    )


def _is_away(row: Mapping[str, Any], who: Who, now: datetime) -> bool:
    """Whether its resident is said to be away, and the reader may know: that is for care."""
    if row["away_since"] is None or row["away_since"] > now:
        return False
    return row["track"] == Track.CARE or row["zone_id"] in who.sight.care


def _possible(stored: StoredAlert, who: Who, now: datetime) -> list[schemas.AnswerName]:
    """What the reader may answer: whatever the escalation itself would take."""
    return [name for name in ANSWERS if _would_take(stored, name, who.person_id, now)]


def _would_take(stored: StoredAlert, name: schemas.AnswerName, person: int, now: datetime) -> bool:
    if name == "hand_over":
        return not isinstance(step(stored.alert, HandOver(person, -1), now, _SOMEBODY), Refused)
    if name == "take_over" and _would_take(stored, "claim", person, now):
        return False
    if name == "claim" and stored.alert.holder == person and stored.alert.offered_to is None:
        return stored.alert.due_for is DueFor.CONFIRM
    event = event_of(schemas.AnswerRequest(answer=name, cause=Cause.OTHER, action=Action.OTHER), person, None)
    return not isinstance(step(stored.alert, event, now, People()), Refused)


async def _persons(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Persons:
    ids: set[int] = set()
    for row in rows:
        ids |= {row[name] for name in ("holder_id", "offered_to_id", "actor_id") if row.get(name) is not None}
        ids |= {each for each in row.get("persons", ()) if isinstance(each, int)}
    return await people.names(connection, sorted(ids))


def _mentioning(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"actor_id": each["actor_id"], "persons": _mentioned(each["params"])} for each in entries]


def _mentioned(params: Mapping[str, Any]) -> list[int]:
    single = [params[name] for name in ("to", "from", "holder") if isinstance(params.get(name), int)]
    return [*params.get("persons", ()), *single]


def _entry(row: Mapping[str, Any], persons: Persons, language: str) -> schemas.TimelineEntry:
    params = row["params"]
    named = {name: _name(params.get(name), persons) for name in ("to", "from", "holder")}
    names = {
        "actor": _name(row["actor_id"], persons),
        "persons": ", ".join(_name(each, persons) for each in params.get("persons", ())),
        "to": named["to"],
        "from_": named["from"],
        "holder": named["holder"],
    }
    line = LINES.get(row["code"])
    return schemas.TimelineEntry(
        at=row["at"],
        given_at=row["given_at"],
        code=row["code"],
        params={name: value for name, value in params.items() if name not in ("persons", "to", "from", "holder")},
        actor=_ref_of(row["actor_id"], persons),
        text=tell(row["code"], params, names, language),
        vkp_event=line.vkp_event if line else None,
    )


def _evidence(told: Mapping[str, Any]) -> schemas.EvidenceView:
    evidence = Evidence.from_json(told)
    return schemas.EvidenceView(
        type=evidence.type,
        device_kind=evidence.kind,
        occurred_at=evidence.occurred_at,
        received_at=evidence.received_at,
        late_seconds=evidence.late_seconds,
        fields=dict(evidence.fields),
        flags=list(evidence.flags),
    )


async def _resident(connection: Connection, alert: Mapping[str, Any], who: Who) -> schemas.ResidentView | None:
    """What is noted about them is for care: for its staff there, and for whoever was called for care."""
    row = await views.resident(connection, alert["resident_id"]) if alert["resident_id"] is not None else None
    if row is None:
        return None
    cares = alert["track"] == Track.CARE or alert["zone_id"] in who.sight.care
    return schemas.ResidentView(id=row["uid"], **_without(row, "uid", "notes"), notes=row["notes"] if cares else "")


async def _dwelling(connection: Connection, dwelling_id: int | None) -> schemas.DwellingView | None:
    row = await views.dwelling(connection, dwelling_id) if dwelling_id is not None else None
    return schemas.DwellingView(**row) if row else None


async def _device(
    connection: Connection, device_id: int | None, installation_id: int | None
) -> schemas.DeviceView | None:
    row = await views.device(connection, device_id, installation_id) if device_id is not None else None
    return schemas.DeviceView(id=row["uid"], **_without(row, "uid")) if row else None


async def _note_look(
    connection: Connection, who: Who, row: Mapping[str, Any], shown: Sequence[schemas.PositionView], now: datetime
) -> None:
    """Also that it was shown where they are; of a device that is nobody's, only that."""
    told = {"alert": row["id"], **({"position_shown": True} if shown else {})}
    if row["resident_id"] is not None:
        look = Audited("resident.viewed", "resident", row["resident_id"], who.person_id, told)
        await audit.add(connection, now, (look,))
    elif shown:
        await audit.add(connection, now, (Audited("position.viewed", "device", row["device_id"], who.person_id, told),))


def _quarantined(row: Mapping[str, Any], persons: Persons) -> schemas.QuarantineItem:
    raw = bytes(row["raw"])
    return schemas.QuarantineItem(
        id=row["uid"],
        raw=base64.b64encode(raw).decode(),
        text=raw[:2000].decode("utf-8", "backslashreplace").replace("\x00", "\\x00"),
        decoded_by=_ref_of(row["decoded_by_id"], persons),
        **_without(row, "uid", "raw", "decoded_by_id"),
    )


def _without(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _ref(person: Person) -> schemas.PersonRef:
    return schemas.PersonRef(id=person.uid, name=person.name)


def _ref_of(person_id: int | None, persons: Persons) -> schemas.PersonRef | None:
    person = persons.get(person_id) if person_id is not None else None
    return _ref(person) if person else None


def _name(person_id: int | None, persons: Persons) -> str:
    person = persons.get(person_id) if person_id is not None else None
    return person.name if person else ""
