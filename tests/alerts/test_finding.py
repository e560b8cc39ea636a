"""Whom a step reaches: by duty, role, name and team; by which contacts; and whom it misses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts.finding import Member, Missed, find, targets
from alerts.model import Track
from alerts.policy import PolicyStep, Target
from tests.alerts.staffing import BERIT, KARI, NOON, OLA, OSLO, PHONES, ROLES, SIRI, TEAM, TEK, UIDS, VAKT, Held, staff

DAY = timedelta(days=1)


def step(target: Target, **more: Any) -> PolicyStep:
    return PolicyStep(target=target, wait_seconds=60, **more)


@pytest.mark.parametrize(
    ("target", "contacts"),
    [
        (Target.FIRST_ON_DUTY, [10, 11]),
        (Target.NEXT_ON_DUTY, [20, 21]),
        (Target.ALL_ON_DUTY, [10, 11, 20, 21]),
        (Target.ZONE_LEAD, [30]),
        (Target.RESPONSE_CENTRE, [40]),
        (Target.TECHNICAL_ON_DUTY, []),
        (Target.TECHNICAL_ALL, []),
    ],
)
def test_who_is_called_by_duty_and_role(target: Target, contacts: list[int]) -> None:
    found = find(step(target), Track.CARE, staff(), NOON)
    assert [each.id for each in found.contacts] == contacts
    assert found.missed == ()
    assert set(targets(staff().duty, NOON, OSLO)) == set(Target) - {Target.PERSON, Target.TEAM}


def test_the_nearest_leads_lead_also_when_a_role_has_ended() -> None:
    over = Held(SIRI, "lead", until=NOON)
    above = Held(BERIT, "lead", nearness=1)
    there = staff(roles=[over, above])
    assert [each.person_id for each in find(step(Target.ZONE_LEAD), Track.CARE, there, NOON).contacts] == [BERIT]
    earlier = NOON - timedelta(seconds=1)
    assert [each.person_id for each in find(step(Target.ZONE_LEAD), Track.CARE, there, earlier).contacts] == [SIRI]


@pytest.mark.parametrize(
    ("more", "contacts"),
    [
        ({"contacts": ("sms",)}, [11, 20]),
        ({"contacts": ("in_app",)}, [10]),
        ({"contacts": ("in_app", "sms"), "first_contact": True}, [10, 20]),
        ({"contacts": ("email", "sms"), "first_contact": True}, [11, 21]),
        ({"first_contact": True}, [10, 20]),
    ],
)
def test_by_which_contacts(more: dict[str, Any], contacts: list[int]) -> None:
    found = find(step(Target.ALL_ON_DUTY, **more), Track.CARE, staff(), NOON)
    assert [each.id for each in found.contacts] == contacts
    without = {each.person_id for each in found.contacts} ^ {KARI, OLA}
    assert dict(found.missed) == dict.fromkeys(without, Missed.NO_SUCH_CONTACT)


def test_a_named_person_is_called_while_they_work_here_and_on_duty_only_where_that_is_asked() -> None:
    ola, night = step(Target.PERSON, id=UIDS[OLA]), staff([])
    assert [each.id for each in find(ola, Track.CARE, night, NOON).contacts] == [20, 21]
    on_duty = ola.model_copy(update={"only_on_duty": True})
    assert find(on_duty, Track.CARE, night, NOON).missed == ((OLA, Missed.OFF_DUTY),)
    assert find(on_duty, Track.CARE, staff(), NOON).contacts
    siri = step(Target.PERSON, id=UIDS[SIRI], only_on_duty=True)
    assert find(siri, Track.CARE, night, NOON).contacts, "leads have no shifts"


@pytest.mark.parametrize(
    ("roles", "track", "missed"),
    [
        ([], Track.CARE, Missed.NO_ROLE),
        ([Held(TEK, "technical")], Track.CARE, Missed.NO_ROLE),
        ([Held(TEK, "responder", until=NOON)], Track.CARE, Missed.NO_ROLE),
        ([Held(TEK, "technical")], Track.TECHNICAL, Missed.NO_CONTACT),
    ],
    ids=["none", "of technical services", "ended", "without a phone"],
)
def test_whom_a_named_step_misses(roles: list[Held], track: Track, missed: Missed) -> None:
    there = staff(besides={TEK: roles})
    assert find(step(Target.PERSON, id=UIDS[TEK]), track, there, NOON).missed == ((TEK, missed),)


def test_a_team_is_its_members_at_the_time_in_order() -> None:
    members = [
        Member(BERIT, NOON - DAY, NOON + DAY),
        Member(VAKT, NOON + DAY),
        Member(KARI, NOON - DAY, NOON),
        Member(OLA),
    ]
    there = staff(members=members, besides={BERIT: [Held(BERIT, "responder")]})

    def called(after: timedelta) -> list[int]:
        found = find(step(Target.TEAM, id=TEAM), Track.CARE, there, NOON + after)
        return list(dict.fromkeys(each.person_id for each in found.contacts))

    assert [called(each) for each in (-timedelta(seconds=1), timedelta(0), DAY)] == [
        [BERIT, KARI, OLA],
        [BERIT, OLA],
        [VAKT, OLA],
    ]


def test_somebody_or_a_team_that_is_gone_reaches_nobody() -> None:
    nobody = staff(roles=ROLES, contacts=PHONES)
    gone = step(Target.PERSON, id=UIDS[9])
    assert find(gone, Track.CARE, nobody, NOON).contacts == ()
    assert find(step(Target.TEAM, id=UIDS[1]), Track.CARE, nobody, NOON).contacts == ()
