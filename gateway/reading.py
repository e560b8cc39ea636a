"""Reading: what somebody may see, as the API and the pages show it. Every look at a resident is in the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from alerts.alert import Action, Cause, Contact, DueFor, HandOver, PauseReason, People, Refused, Stage
from alerts.closing import action_text, cause_text
from alerts.contacts import waits_for_its_phone
from alerts.delivery import PageState
from alerts.escalation import step
from alerts.model import Evidence, Severity, Track
from alerts.render import SEVERITIES, condition_text, translations
from alerts.timeline import ACTIONS, CAUSES, LINES, STAGES, tell
from devices.vkp import ALERT_CODES, code_list
from gateway import asking, cursors, positions
from gateway.access import OVERSEERS, Who, may_be_handed
from gateway.answering import event_of
from gateway.api import schemas
from gateway.errors import NotFound
from gateway.metrics import METRICS
from gateway.store import alerts as alert_store
from gateway.store import audit, people, receipts, views
from gateway.store import path as paths
from gateway.store.alerts import StoredAlert
from gateway.store.audit import Audited
from gateway.store.db import Connection
from gateway.store.path import Paged
from gateway.store.people import Person
from gateway.store.views import AlertSearch

ANSWERS: tuple[schemas.AnswerName, ...] = (
    "claim",
    "on_way",
    "arrived",
    "close",
    "undo_close",
    "need_help",
    "hand_over",
    "decline",
    "pause",
    "resume",
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
    await _shown(connection, who, [row["id"] for row in rows], now)
    await audit.note_listed(connection, now, who.person_id, [row["id"] for row in rows])
    return [_summary(row, persons, who, now) for row in rows]


async def _shown(connection: Connection, who: Who, alerts: Sequence[int], now: datetime) -> None:
    for each in await receipts.shown_in_app(connection, who.person_id, alerts, now):
        METRICS.leg("shown", each.severity, each.channel, each.seconds)


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
    before, after = await views.linked(connection, row["id"], row["follows_id"], who.sight)
    await _note_look(connection, who, row, found, now)
    await _shown(connection, who, [row["id"]], now)
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
        outcome=_outcome(row, who.language),
        follows=_link(before, who.language),
        followed_by=_link(after, who.language),
    )


async def alert_path(connection: Connection, who: Who, uid: UUID, now: datetime) -> schemas.AlertPath:
    """The way of an alert that the reader may see, without what people and devices said. NotFound, or NotAllowed for care staff."""
    who.require(OVERSEERS)
    row = await views.alert(connection, uid, who.sight)
    if row is None:
        raise NotFound("alert", "there is no such alert, or it is not yours to see")
    await _note_look(connection, who, row, (), now)
    entries = await views.timeline(connection, row["id"])
    pages = await paths.pages_of(connection, row["id"])
    mentioned = [*_mentioning(entries), *({"holder_id": each.person_id} for each in pages)]
    persons = await _persons(connection, [row, *mentioned])
    summary = _summary(row, persons, who, now)
    told = row["device_id"] is not None
    said = await paths.message_of(connection, row["device_id"], row["occurred_at"], row["raised_at"]) if told else None
    return schemas.AlertPath(
        **summary.model_dump(include={"id", "title", "severity", "severity_text", "stage", "stage_text", "zone"}),
        occurred_at=row["occurred_at"],
        stored_at=said.received_at if said else None,
        raised_at=row["raised_at"],
        until=row["closed_at"] or now,
        pages=[_page_path(each, persons) for each in pages],
        timeline=[_bare(_entry(each, persons, who.language)) for each in entries],
    )


# Parts ----------------------------------------------------------------------------------------------------------------

Persons = Mapping[int, Person]
_ANYTHING = schemas.AnswerRequest(
    answer="claim", cause=Cause.OTHER, action=Action.OTHER, reason=PauseReason.OTHER, minutes=1
)
"""All that any answer needs, to see whether it would be taken."""
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
        paused_until=row["paused_until"],
        version=row["version"],
    )


def _outcome(row: Mapping[str, Any], language: str) -> schemas.AlertOutcome | None:
    if row["cause"] is None or row["action"] is None:
        return None
    _ = translations(language).gettext
    return schemas.AlertOutcome(
        cause=Cause(row["cause"]),
        cause_text=_(CAUSES[row["cause"]]),
        cause_code=row["cause_code"],
        what_vkp_calls_the_cause=cause_text(row["cause_code"]),
        action=Action(row["action"]),
        action_text=_(ACTIONS[row["action"]]),
        action_code=row["action_code"],
        what_vkp_calls_the_action=action_text(row["action_code"]),
    )


def outcome_text(row: Mapping[str, Any], language: str) -> str | None:
    """What an alert was and what was done, in short; None where nobody closed it."""
    _ = translations(language).gettext
    told = [_(texts[row[name]]) for name, texts in (("cause", CAUSES), ("action", ACTIONS)) if row[name]]
    return ", ".join(told) or None


def _link(row: Mapping[str, Any] | None, language: str) -> schemas.AlertLink | None:
    if row is None:
        return None
    return schemas.AlertLink(
        id=row["uid"],
        raised_at=row["raised_at"],
        closed_at=row["closed_at"],
        outcome_text=outcome_text(row, language),
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
        return stored.alert.due_for in (DueFor.CONFIRM, DueFor.KEEP)
    event = event_of(_ANYTHING.model_copy(update={"answer": name}), person, None)
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


def _page_path(page: Paged, persons: Persons) -> schemas.PagePath:
    return schemas.PagePath(
        attempt=page.attempt,
        person=_ref_of(page.person_id, persons),
        channel=page.channel,
        state=PageState(page.state),
        queued_at=page.created_at,
        leased_at=page.leased_at,
        handed_over_at=page.handed_over_at,
        received_at=page.received_at,
        shown_at=page.shown_at,
        answered_at=page.answered_at,
        ended_at=page.ended_at,
    )


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
        note=row["note"],
    )


def _bare(entry: schemas.TimelineEntry) -> schemas.TimelineEntry:
    """Without the note and the evidence that go with it."""
    return entry.model_copy(update={"note": None, "params": _without(entry.params, "evidence")})


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
