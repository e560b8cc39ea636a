"""The form of a team: its members as controls, what came back as a request, and what is wrong with it, field by field. Pure.

Rules
    Members are called in their order. Times are local; an empty beginning is now, an empty end is none. A time that nobody has
    touched stays as it was, to the microsecond.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from uuid import UUID
from zoneinfo import ZoneInfo

from devices.words import N_
from gateway.api import schemas
from gateway.errors import Invalid
from gateway.web import formlist, rosterview
from gateway.web.ruleform import Answers

MOST_MEMBERS = 100
LONGEST_NAME = 64

NO_NAME = N_("The team needs a name.")
NO_PERSON = N_("Choose somebody, or remove the line.")
TWICE = N_("This person is in the team already. Keep one of the lines.")
NO_TIME = N_("This is no time. Give a day and a time.")
ENDS_FIRST = N_("The end is not later than the beginning.")


@dataclass(frozen=True, slots=True)
class Member:
    """A line of the form, as it is written."""

    person: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A team as the form has it. ``uid``, ``version``: of the one that is changed; None and 0 for a new one."""

    zone: UUID
    name: str = ""
    members: tuple[Member, ...] = ()
    uid: UUID | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """What a form asks for, and what is wrong with it: by the name of a field, in English for gettext."""

    name: str
    members: tuple[schemas.MemberRequest, ...]
    wrong: Mapping[str, str]


def of(team: schemas.TeamView, zone: tzinfo) -> Draft:
    """A team as it stands."""
    return Draft(team.zone.id, team.name, tuple(_member(each, zone) for each in team.members), team.id, team.version)


def read(answers: Answers, draft: Draft) -> Draft:
    """What came back."""
    numbers = [number for number in range(MOST_MEMBERS) if f"members.{number}.person" in answers]
    members = tuple(
        Member(*(_one(answers, f"members.{number}.{name}") for name in ("person", "since", "until")))
        for number in numbers
    )
    version = _one(answers, "version")
    return replace(
        draft,
        name=_one(answers, "name"),
        members=members,
        version=int(version) if version.isdecimal() and len(version) < 10 else 0,
    )


def done(draft: Draft, what: str) -> Draft:
    """The form after a button."""
    return replace(draft, members=tuple(formlist.done(draft.members, what, Member(), MOST_MEMBERS)))


def request(draft: Draft, before: Sequence[schemas.MemberView], zone: ZoneInfo) -> Read:
    """What is to be saved. ``before``: the members as they were when the form was made."""
    wrong: dict[str, str] = {} if draft.name else {"name": NO_NAME}
    known = {_member(each, zone): each for each in before}
    made: list[schemas.MemberRequest] = []
    seen: set[UUID] = set()
    for number, each in enumerate(draft.members):
        problems, member = _read(each, known.get(each), zone)
        if member is not None and member.person in seen:
            problems = {"person": TWICE}
        wrong |= {f"members.{number}.{name}": text for name, text in problems.items()}
        if member is not None:
            seen.add(member.person)
            made.append(member)
    return Read(draft.name[:LONGEST_NAME], tuple(made), wrong)


def _read(
    each: Member, was: schemas.MemberView | None, zone: ZoneInfo
) -> tuple[dict[str, str], schemas.MemberRequest | None]:
    if was is not None:
        return {}, schemas.MemberRequest(person=was.person.id, since=was.since, until=was.until)
    wrong: dict[str, str] = {}
    times: dict[str, datetime | None] = {}
    for name, text in (("since", each.since), ("until", each.until)):
        try:
            times[name] = rosterview.moment(text, zone, name)
        except Invalid:
            wrong[name] = NO_TIME
    person = _uuid(each.person)
    if person is None:
        wrong["person"] = NO_PERSON
    since, until = times.get("since"), times.get("until")
    if since is not None and until is not None and until <= since:
        wrong["until"] = ENDS_FIRST
    return wrong, None if wrong or person is None else schemas.MemberRequest(person=person, since=since, until=until)


def _member(each: schemas.MemberView, zone: tzinfo) -> Member:
    return Member(str(each.person.id), *(_field(at, zone) for at in (each.since, each.until)))


def _field(at: datetime | None, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%dT%H:%M}" if at is not None else ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _one(answers: Answers, name: str) -> str:
    given = answers.get(name, ())
    return given[-1].strip() if given else ""
