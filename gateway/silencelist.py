"""Silences as people look at them: the ledger, one with what it has held back, and what can be silenced.

Who sees them
    Whoever has a role where it is, also those on the road: they have to know what will not call them. Silences of residents,
    and that one is away, are for care staff; so is what is noted, but for technical services where it is about a device's
    own alerts. That somebody was shown a resident's name is in the audit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from alerts.model import Severity, Subject, Track
from alerts.render import SEVERITIES, condition_text, translations
from alerts.rulebook import Rulebook
from alerts.silence import Kind, Silence, State, state_of
from alerts.silence_ends import Ended
from alerts.silence_words import CHANGES, ENDED, OUTCOMES, REASONS, STATES, condition_words
from alerts.words import said
from gateway import cursors
from gateway.access import OVERSEERS, Who
from gateway.api import schemas
from gateway.errors import NotFound
from gateway.silencing import About, acts, find, longest_for, names_vital, rules_for, scope_of
from gateway.store import audit, held, people, silencelists, silences, zones
from gateway.store.db import Connection
from gateway.store.people import Person
from gateway.store.silencelists import Search

MOST_HELD = 100
MOST_CURRENT = 20
Row = Mapping[str, Any]
Persons = Mapping[int, Person]


async def page(
    connection: Connection, who: Who, query: schemas.SilenceQuery, now: datetime, book: Rulebook
) -> schemas.SilencePage:
    """The reader's silences, the newest first."""
    asked = search(
        who,
        book,
        ended=query.state == "ended",
        zone=query.zone,
        device=query.device,
        resident=query.resident,
        kind=query.kind,
    )
    before = await cursors.row(query.cursor, lambda uid: silencelists.shown(connection, uid, asked))
    rows = await silencelists.listed(connection, asked, before, query.limit + 1)
    following = str(rows[query.limit - 1]["uid"]) if len(rows) > query.limit else None
    shown = await views(connection, who, rows[: query.limit], now)
    return schemas.SilencePage(silences=shown, next_cursor=following)


async def count(connection: Connection, who: Who, now: datetime, book: Rulebook) -> schemas.SilenceCount:
    """How many there are where the reader has a role."""
    return schemas.SilenceCount(**await silencelists.count(connection, search(who, book), now))


async def detail(connection: Connection, who: Who, uid: UUID, now: datetime, book: Rulebook) -> schemas.SilenceDetail:
    """One with what it has held back. NotFound when there is none that the reader may see."""
    row = await silencelists.shown(connection, uid, search(who, book))
    if row is None:
        raise NotFound("silence", "there is no such silence, or it is not yours to see")
    kept = await held.of_silence(connection, row["id"], who.sight, MOST_HELD)
    changed = await silencelists.changes(connection, row["id"])
    (view,) = await views(connection, who, [row], now)
    residents = [each["resident_id"] for each in kept]
    await _note_shown(connection, who, residents, now)
    persons = await people.names(connection, sorted({each["actor_id"] for each in changed} - {None}))
    return schemas.SilenceDetail(
        **view.model_dump(),
        held=[_held(each, who.language) for each in kept],
        changes=[_change(each, persons, who.language) for each in changed if each["action"] in CHANGES],
    )


async def draft(
    connection: Connection, who: Who, asked: schemas.SilenceFor, now: datetime, book: Rulebook
) -> schemas.SilenceDraft:
    """What the reader can silence of something. NotAllowed where they may silence nothing at all."""
    who.require(OVERSEERS)
    about = await find(connection, who, asked, now)
    name, uid = asked.named
    roles = who.roles_in.get(about.zone_id, frozenset())
    tracks = [each for each in Track if longest_for(roles, Kind.SILENCE, name, each) is not None]
    any_track = longest_for(roles, Kind.SILENCE, name, tracks[-1] if tracks else None)
    away = longest_for(roles, Kind.AWAY, name, None) if name == "resident" else None
    ids: dict[str, Any] = {"device": uid} if name == "device" else {"resident": uid} if name == "resident" else {}
    rows = await silencelists.listed(connection, search(who, book, **ids), None, MOST_CURRENT) if ids else []
    await _note_shown(connection, who, [about.scope.id if name == "resident" else None], now)
    (zone,) = await zones.named(connection, [about.zone_id])
    return schemas.SilenceDraft(
        scope=schemas.SilenceScope(name=name, id=uid, text=about.scope.text),
        zone=schemas.Named(id=zone["uid"], name=zone["name"]),
        resident=schemas.Named(id=uid, name=about.scope.text) if name == "resident" else None,
        dwelling=None,
        may_silence=any_track is not None,
        may_away=away is not None,
        tracks=tracks,
        conditions=_choices(about, tracks, book, who.language),
        longest_hours=_hours(any_track),
        longest_away_hours=_hours(away),
        current=await views(connection, who, rows, now),
    )


async def about(
    connection: Connection, who: Who, subject: Subject, now: datetime, book: Rulebook
) -> list[schemas.SilenceView]:
    """Those that may hold back something of a device as it is fitted, and that the reader may see."""
    around = book.ancestry.get(subject.zone_id, ())
    rows = await silencelists.about(
        connection, search(who, book), subject.device_id, subject.installation_id, subject.resident_id, around
    )
    return await views(connection, who, rows, now)


async def of_resident(connection: Connection, who: Who, resident_id: int, now: datetime) -> list[schemas.SilenceView]:
    """Those of a resident, that they are away among them."""
    asked = Search(who.zone_ids, who.sight.care, ())
    return await views(connection, who, await silencelists.about(connection, asked, None, None, resident_id, ()), now)


def search(who: Who, book: Rulebook, *, ended: bool = False, **asked: Any) -> Search:
    """What the reader may see of silences."""
    above = {zone for each in who.zone_ids for zone in book.ancestry.get(each, ())}
    return Search(who.zone_ids, who.sight.care, above, ended, **asked)


async def views(connection: Connection, who: Who, rows: Sequence[Row], now: datetime) -> list[schemas.SilenceView]:
    """Silences as people see them; whose they are is noted."""
    names = ("owner_id", "asked_by", "consented_by", "ended_by")
    persons = await people.names(connection, sorted({row[name] for row in rows for name in names} - {None}))
    await _note_shown(connection, who, [row["shown_resident_id"] for row in rows], now)
    known = {each.id: each for each in silences.readable(rows)}
    return [_view(row, known[row["id"]], persons, who, now) for row in rows if row["id"] in known]


# Parts ----------------------------------------------------------------------------------------------------------------


def _hours(span: Any) -> int:
    return int(span.total_seconds()) // 3600 if span is not None else 0


def _choices(about: About, tracks: Iterable[Track], book: Rulebook, language: str) -> list[schemas.SilenceChoice]:
    """What the rules raise there, for those whom the reader may silence; by name."""
    may = set(tracks)
    found = {rule.spec.condition: rule.kind for rule in rules_for(about, book) if rule.spec.track in may}
    made = [
        schemas.SilenceChoice(
            condition=condition,
            text=condition_words(condition, kind, language),
            vital=names_vital(condition, None, book),
        )
        for condition, kind in found.items()
    ]
    return sorted(made, key=lambda each: (each.text, each.condition))


def _view(row: Row, silence: Silence, persons: Persons, who: Who, now: datetime) -> schemas.SilenceView:
    _ = translations(who.language).gettext
    state = state_of(silence, now)
    name = scope_of(row)
    text = {"device": row["device"], "resident": row["resident"], "zone": row["zone"]}[name]
    scope_uid = {"device": row["device_uid"], "resident": row["resident_uid"], "zone": row["zone_uid"]}[name]
    notes = row["zone_id"] in who.sight.care or silence.track is Track.TECHNICAL
    return schemas.SilenceView(
        id=row["uid"],
        kind=silence.kind,
        state=state,
        state_text=_(_state_words(silence, state)),
        scope=schemas.SilenceScope(name=name, id=scope_uid, text=text),
        zone=schemas.Named(id=row["zone_uid"], name=row["zone"]),
        resident=schemas.Named(id=row["resident_uid"], name=row["resident"]) if row["resident_uid"] else None,
        dwelling=row["dwelling"],
        condition=silence.condition,
        condition_text=condition_words(silence.condition, row["device_kind"], who.language)
        if silence.condition
        else None,
        track=silence.track,
        severity=silence.severity,
        severity_text=_(SEVERITIES[silence.severity]),
        vital=silence.vital,
        needs_consent=silence.needs_consent,
        reason=row["reason"],
        reason_text=_(REASONS.get(row["reason"], row["reason"])),
        note=row["note"] if notes else None,
        owner=_ref(persons[silence.owner_id]),
        since=silence.since,
        until=silence.until,
        asked_by=_ref(persons[row["asked_by"]]),
        asked_at=row["asked_at"],
        asked_until=row["asked_until"] if silence.ended_at is None else None,
        consented_by=_ref(persons[row["consented_by"]]) if row["consented_by"] in persons else None,
        consented_at=silence.consented_at,
        ended_at=silence.ended_at,
        ended_by=_ref(persons[row["ended_by"]]) if row["ended_by"] in persons else None,
        ended_why=Ended(row["ended_why"]) if row["ended_why"] else None,
        ended_text=_(ENDED[Ended(row["ended_why"])]) if row["ended_why"] else None,
        version=row["version"],
        events=row["events"],
        open=row["open"],
        newest_at=row["newest_at"],
        life=_life(row, who.language),
        may=acts(who, row, silence),
    )


def _state_words(silence: Silence, state: State) -> str:
    return STATES[silence.kind if state is State.IN_FORCE and silence.kind is Kind.AWAY else state]


def _life(row: Row, language: str) -> schemas.LifeView | None:
    if row["life_at"] is None:
        return None
    text = said(row["life_type"], row["life_kind"], language)
    return schemas.LifeView(at=row["life_at"], text=text, times=row["life_times"])


def _held(row: Row, language: str) -> schemas.HeldView:
    _ = translations(language).gettext
    severity = Severity(row["severity"])
    evidence = row["evidence"]
    return schemas.HeldView(
        title=condition_text(row["condition"], row["device_kind"], language),
        condition=row["condition"],
        vkp_code=row["vkp_code"],
        severity=severity,
        severity_text=_(SEVERITIES[severity]),
        track=Track(row["track"]),
        zone=row["zone"],
        resident=schemas.Named(id=row["resident_uid"], name=row["resident"]) if row["resident_uid"] else None,
        device=schemas.Named(id=row["device_uid"], name=row["device"]) if row["device_uid"] else None,
        said=said(str(evidence.get("type", "")), evidence.get("kind"), language),
        first_at=row["first_at"],
        newest_at=row["newest_at"],
        times=row["times"],
        outcome=row["outcome"],
        outcome_text=_(OUTCOMES[row["outcome"] or "open"]),
        settled_at=row["settled_at"],
        alert=row["alert_uid"],
    )


def _change(row: Row, persons: Persons, language: str) -> schemas.SilenceChange:
    person = persons.get(row["actor_id"]) if row["actor_id"] is not None else None
    text = translations(language).gettext(CHANGES[row["action"]])
    return schemas.SilenceChange(at=row["at"], code=row["action"], text=text, by=_ref(person) if person else None)


def _ref(person: Person) -> schemas.PersonRef:
    return schemas.PersonRef(id=person.uid, name=person.name)


async def _note_shown(connection: Connection, who: Who, residents: Iterable[int | None], now: datetime) -> None:
    shown = sorted({each for each in residents if each is not None})
    if shown:
        await audit.note_shown(connection, now, who.person_id, shown)
