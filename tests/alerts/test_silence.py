"""What a silence holds back, and what it never does; and what it leads to as time passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.model import Severity, Subject, Track
from alerts.render import CONDITIONS
from alerts.rules import Rule, parse_rule
from alerts.silence import (
    REASONS,
    Kind,
    Silence,
    State,
    Why,
    decide,
    is_vital,
    longest,
    needs_consent,
    rests_while_away,
    severity_of,
    state_of,
)
from alerts.silence_ends import (
    BACK_ASKED,
    CONSENT_ASKED,
    ENDS_SOON,
    IN_FORCE,
    SOMEBODY_THERE,
    WITHOUT_OWNER,
    Due,
    Ended,
    Fate,
    Held,
    fate,
    look,
    next_look,
    next_morning,
    warns_at,
)
from alerts.silence_words import REASONS as REASON_WORDS
from alerts.silence_words import STATES
from devices.kinds import kinds
from tests.support.rules import own

OSLO = ZoneInfo("Europe/Oslo")
NOW = datetime(2026, 3, 3, 21, 0, tzinfo=UTC)
HOME = Subject(site_id=1, zone_id=10, device_id=100, installation_id=1000, dwelling_id=5, resident_id=7)
ZONES = (10, 2, 1)
HOUR = timedelta(hours=1)
BUTTON = ("button_pressed", Severity.SERIOUS)


def silence(**own: Any) -> Silence:
    """Of the home's device, for eight hours, two of which are over."""
    base = {
        "id": 1,
        "owner_id": 4,
        "zone_id": 10,
        "since": NOW - 2 * HOUR,
        "until": NOW + 6 * HOUR,
        "agreed_at": NOW - 2 * HOUR,
    }
    where = {} if {"resident_id", "device_id", "zone_id"} & own.keys() else {"device_id": 100, "installation_id": 1000}
    return Silence(**{**base, **where, **own})


ZONE_WIDE = silence(zone_id=2)
AWAY = silence(kind=Kind.AWAY, resident_id=7)


@pytest.mark.parametrize(
    ("known", "about", "why"),
    [
        ([], {}, Why.NO_SILENCE),
        ([silence()], {}, Why.SILENCED),
        ([silence(resident_id=7)], {}, Why.SILENCED),
        (
            [silence(resident_id=7)],
            {"subject": replace(HOME, installation_id=9, dwelling_id=6, zone_id=77)},
            Why.SILENCED,
        ),
        ([silence(resident_id=8)], {}, Why.NO_SILENCE),
        ([ZONE_WIDE], {}, Why.SILENCED),
        ([silence(zone_id=3)], {}, Why.NO_SILENCE),
        ([silence()], {"subject": replace(HOME, installation_id=1001, dwelling_id=6)}, Why.NO_SILENCE),
        ([silence(device_id=100)], {"subject": replace(HOME, installation_id=None)}, Why.SILENCED),
        ([silence(condition="button_pressed")], {}, Why.SILENCED),
        ([silence(condition="door_at_night")], {}, Why.NO_SILENCE),
        ([silence(track=Track.TECHNICAL)], {}, Why.NO_SILENCE),
        ([silence(severity=Severity.MODERATE)], {}, Why.MORE_SEVERE),
        ([silence()], {"severity": Severity.CRITICAL}, Why.VITAL),
        ([silence()], {"condition": "fall", "severity": Severity.NORMAL}, Why.VITAL),
        ([silence()], {"condition": "ours", "vkp_code": "4.11", "severity": Severity.NORMAL}, Why.VITAL),
        ([silence(vital=True, severity=Severity.CRITICAL, needs_consent=True)], {"condition": "fall"}, Why.NOT_AGREED),
        (
            [silence(vital=True, severity=Severity.CRITICAL, needs_consent=True, consented_at=NOW)],
            {"condition": "fall", "severity": Severity.CRITICAL},
            Why.SILENCED,
        ),
        ([silence()], {"at": NOW + 6 * HOUR}, Why.NOT_IN_FORCE),
        ([silence()], {"at": NOW - 3 * HOUR}, Why.NOT_IN_FORCE),
        ([silence(ended_at=NOW - HOUR)], {}, Why.NOT_IN_FORCE),
        ([AWAY], {}, Why.NO_SILENCE),
        ([AWAY], {"rests": True}, Why.AWAY),
        ([AWAY], {"rests": True, "severity": Severity.CRITICAL}, Why.NO_SILENCE),
        ([AWAY], {"rests": True, "at": NOW + 6 * HOUR}, Why.NOT_IN_FORCE),
        ([silence(severity=Severity.NORMAL), silence(id=2), AWAY], {"rests": True}, Why.SILENCED),
    ],
)
def test_what_is_held_back_and_why(known: list[Silence], about: dict[str, Any], why: Why) -> None:
    told = {"subject": HOME, "condition": BUTTON[0], "severity": BUTTON[1], "at": NOW, "zones": ZONES, **about}
    found = decide(known, **told)
    assert (found.why, found.held) == (why, why in (Why.SILENCED, Why.AWAY))


def test_of_several_the_one_that_lasts_longest() -> None:
    short, long = silence(), silence(id=2, until=NOW + 9 * HOUR)
    found = decide([short, long], HOME, *BUTTON, NOW).silence
    assert found is not None
    assert found.id == 2


TIMES = st.integers(-50, 50).map(lambda hours: NOW + hours * HOUR)
ANY = st.builds(
    Silence,
    id=st.integers(1, 9),
    owner_id=st.just(4),
    zone_id=st.sampled_from([1, 2, 10, 11]),
    since=TIMES,
    until=TIMES,
    agreed_at=st.just(NOW),
    kind=st.sampled_from(Kind),
    device_id=st.sampled_from([None, 100]),
    installation_id=st.sampled_from([None, 1000, 1001]),
    resident_id=st.sampled_from([None, 7, 8]),
    condition=st.sampled_from([None, "fire", "button_pressed"]),
    track=st.sampled_from([None, *Track]),
    severity=st.sampled_from(Severity),
    vital=st.booleans(),
    needs_consent=st.booleans(),
    consented_at=st.sampled_from([None, NOW]),
    ended_at=st.sampled_from([None, NOW]),
)


@given(
    st.lists(ANY, max_size=5),
    st.sampled_from(["fire", "button_pressed", "dose_missed"]),
    st.sampled_from(Severity),
    st.sampled_from(Track),
    TIMES,
    st.booleans(),
)
def test_whatever_holds_something_back_may_do_so(
    known: list[Silence], condition: str, severity: Severity, track: Track, at: datetime, rests: bool
) -> None:
    """In force, agreed to where it takes two, for this and not for less; life and death by two people only."""
    found = decide(known, HOME, condition, severity, at, zones=ZONES, track=track, rests=rests)
    if not found.held:
        return
    by = found.silence
    assert by is not None
    assert state_of(by, at) is State.IN_FORCE
    assert by.since <= at < by.until
    assert by.condition in (None, condition)
    assert by.track in (None, track)
    if by.kind is Kind.AWAY:
        assert rests
        assert not is_vital(condition, severity, track)
    else:
        assert severity <= by.severity
        assert by.vital or not is_vital(condition, severity, track)


@given(st.lists(ANY, max_size=4), ANY, st.sampled_from(Severity), TIMES)
def test_another_silence_never_makes_louder(
    known: list[Silence], more: Silence, severity: Severity, at: datetime
) -> None:
    before = decide(known, HOME, "button_pressed", severity, at, zones=ZONES)
    after = decide([*known, more], HOME, "button_pressed", severity, at, zones=ZONES)
    assert after.held or not before.held


def test_what_is_about_life_and_death_comes_from_the_rules() -> None:
    critical = {"fall", "fire", "forced"}
    conditions = {rule["condition"] for kind in kinds().values() for rule in kind.default_rules}
    assert {each for each in conditions if is_vital(each, Severity.NORMAL)} == critical
    for kind in kinds().values():
        for data in kind.default_rules:
            rule = Rule(1, 1, kind.name, parse_rule(data))
            vital = is_vital(rule.spec.condition, rule.spec.severity, rule.spec.track, rule.spec.vkp_code)
            assert not (vital and rests_while_away(rule)), data["name"]
            assert not (rule.spec.track is Track.TECHNICAL and rests_while_away(rule)), data["name"]
        assert kind.entry <= kind.life <= set(kind.events)


def test_a_rule_that_does_not_say_rests_as_its_kinds_own_does() -> None:
    dose = own("medicine_dispenser", "dose_unconfirmed")
    older = {name: value for name, value in dose.items() if name != "while_away"}
    assert rests_while_away(Rule(1, 1, "medicine_dispenser", parse_rule(older)))
    assert not rests_while_away(Rule(1, 1, "medicine_dispenser", parse_rule({**dose, "while_away": "raise"})))
    assert not rests_while_away(Rule(1, 1, "no_such_kind", parse_rule(older)))
    assert not rests_while_away(Rule(1, 1, "fire_sensor", parse_rule(own("fire_sensor", "fire"))))


def test_how_much_is_silenced_and_by_how_many() -> None:
    rules = [Rule(1, 1, "fall_alarm", parse_rule(each)) for each in kinds()["fall_alarm"].default_rules]
    assert severity_of(rules, "button_pressed", vital=False) is Severity.SERIOUS
    assert severity_of(rules, "not_worn", vital=False) is Severity.NORMAL
    assert severity_of(rules, None, vital=False) is Severity.SERIOUS
    assert severity_of(rules, None, vital=True) is Severity.CRITICAL
    assert needs_consent("device", "fall", None, vital=True)
    assert needs_consent("zone", None, None, vital=False)
    assert not needs_consent("zone", None, Track.TECHNICAL, vital=False)
    assert not needs_consent("zone", "door_at_night", None, vital=False)


# What becomes of it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "held", "becomes"),
    [
        (Kind.SILENCE, Held(Track.CARE, NOW - 20 * 24 * HOUR, lasting=True, fitted=True), Fate.RAISED),
        (Kind.SILENCE, Held(Track.CARE, NOW - 23 * HOUR, lasting=False, fitted=True), Fate.RAISED),
        (Kind.SILENCE, Held(Track.CARE, NOW - 25 * HOUR, lasting=False, fitted=True), Fate.PASSED),
        (Kind.SILENCE, Held(Track.CARE, NOW, lasting=True, fitted=False), Fate.RAISED),
        (Kind.SILENCE, Held(Track.TECHNICAL, NOW, lasting=True, fitted=False), Fate.PASSED),
        (Kind.AWAY, Held(Track.CARE, NOW - 20 * 24 * HOUR, lasting=True, fitted=True), Fate.RAISED),
        (Kind.AWAY, Held(Track.CARE, NOW, lasting=True, fitted=False), Fate.PASSED),
        (Kind.AWAY, Held(Track.CARE, NOW, lasting=False, fitted=True), Fate.PASSED),
    ],
)
def test_what_becomes_of_what_was_held_back(kind: Kind, held: Held, becomes: Fate) -> None:
    assert fate(kind, held, NOW) is becomes


@given(st.integers(1, 24 * 30), st.integers(0, 30), st.booleans())
def test_looked_at_again_and_again_until_its_end(hours: int, starts_in: int, agreed: bool) -> None:
    """Every look plans a later one, none beyond the next morning; it is warned of once, before the end, if at all."""
    since = NOW + starts_in * HOUR
    one = silence(since=since, until=since + hours * HOUR, agreed_at=NOW, needs_consent=not agreed)
    now, warned = NOW, 0
    while True:
        found = look(one, now, OSLO, owned=True, there=True)
        if found.ended is not None:
            break
        assert found.again_at is not None
        assert now < found.again_at <= next_morning(now, OSLO)
        if Due.WARN in found.due:
            warned += 1
            one = replace(one, warned_at=now)
        now = found.again_at
    assert now == one.until
    assert found.ended is (Ended.TIME_UP if agreed else Ended.NOT_AGREED)
    assert warned == (agreed and hours > 2)


def test_what_a_look_finds() -> None:
    away = replace(AWAY, until=NOW - HOUR)
    assert state_of(away, NOW) is State.OVERDUE
    asked = look(away, NOW, OSLO, owned=True, there=True)
    assert (asked.due, asked.ended) == ((Due.ASK_BACK,), None)
    assert asked.again_at == datetime(2026, 3, 4, 7, 0, tzinfo=UTC)  # eight in the morning, and every morning after it
    assert look(silence(), NOW, OSLO, owned=False, there=True).due == (Due.TELL_WITHOUT_OWNER,)
    assert look(silence(), NOW, OSLO, owned=True, there=False).ended is Ended.MOVED
    short = silence(since=NOW, until=NOW + 8 * HOUR, agreed_at=NOW)
    assert warns_at(short) == NOW + 7 * HOUR
    assert warns_at(replace(short, until=NOW + 72 * HOUR)) == NOW + 48 * HOUR
    assert next_look(replace(short, warned_at=NOW), NOW, OSLO) == short.until


def test_mornings_when_the_clocks_change() -> None:
    before_spring = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert next_morning(before_spring, OSLO) == datetime(2026, 3, 29, 6, 0, tzinfo=UTC)
    before_autumn = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
    assert next_morning(before_autumn, OSLO) == datetime(2026, 10, 25, 7, 0, tzinfo=UTC)


def test_everything_has_its_words() -> None:
    assert {each for kind in Kind for each in REASONS[kind]} == set(REASON_WORDS)
    assert set(State) <= set(STATES)
    assert {IN_FORCE, CONSENT_ASKED, ENDS_SOON, WITHOUT_OWNER, BACK_ASKED, SOMEBODY_THERE} <= set(CONDITIONS)
    assert longest(Kind.SILENCE) < longest(Kind.AWAY)
