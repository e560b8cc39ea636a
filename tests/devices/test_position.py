"""Positions: read where there is one, and nowhere left in what is kept."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.dialects.native import DIALECT
from devices.model import DecodeError, DeviceAddress, Message, MessageClass, Observation
from devices.position import (
    COORDINATES,
    TELLING_M,
    Position,
    apart,
    distance_from_home_m,
    distance_m,
    masked,
    position_of,
    without_position,
)

NOON = datetime(2026, 3, 3, 11, tzinfo=UTC)
DOMKIRKEN = (58.96992, 5.73318)
LATITUDE, LONGITUDE = 58.123456789, 5.987654321
KEPT = st.text(max_size=6).filter(lambda name: name.lower() not in COORDINATES)
TELLING = st.sampled_from(sorted(COORDINATES)).flatmap(
    lambda name: st.sampled_from([name, name.upper(), name.capitalize()])
)
PLACES = st.sampled_from([LATITUDE, LONGITUDE, f"{LATITUDE}", [LONGITUDE, LATITUDE], [[LONGITUDE, LATITUDE]]])


def messages(inner: Any) -> Any:
    """Objects in which coordinates stand among other fields."""
    fields, places = st.dictionaries(KEPT, inner, max_size=3), st.dictionaries(TELLING, PLACES, max_size=3)
    return st.tuples(fields, places).map(lambda both: both[0] | both[1])


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | messages(inner),
    max_leaves=8,
)
points = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def said(raw: bytes = b"{}", at: datetime = NOON, received: datetime = NOON, **fields: Any) -> Observation:
    return Observation(
        device=DeviceAddress("stavanger", "native", "sa-1"),
        kind="safety_alarm",
        message_class=MessageClass.EVENT,
        type="position",
        message_id="m-1",
        occurred_at=at,
        received_at=received,
        fields=fields,
        raw=raw,
        content_hash=b"",
    )


# Reading --------------------------------------------------------------------------------------------------------------


def test_a_position_is_read_with_all_it_says() -> None:
    earlier = NOON - timedelta(minutes=7)
    found = position_of(
        said(latitude=58.97, longitude=5, accuracy_m=12, source="gps", position_at="2026-03-03T11:53:00+01:00")
    )
    assert found == Position(58.97, 5.0, 12.0, earlier, "gps")
    assert position_of(said(latitude=58.97, longitude=5.73)) == Position(58.97, 5.73, None, NOON, None)


@pytest.mark.parametrize(
    ("position_at", "found_at"),
    [
        ("2026-03-03T10:00:00Z", NOON - timedelta(hours=1)),
        ("2026-03-04T10:00:00Z", NOON),
        ("1980-01-06T00:00:00Z", NOON),
        ("yesterday", NOON - timedelta(minutes=1)),
        (17, NOON - timedelta(minutes=1)),
    ],
)
def test_a_receivers_clock_is_believed_as_far_as_any(position_at: object, found_at: datetime) -> None:
    found = position_of(said(at=NOON - timedelta(minutes=1), latitude=58.9, longitude=5.7, position_at=position_at))
    assert found is not None
    assert found.at == found_at


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"latitude": 58.97},
        {"latitude": 58.97, "longitude": None},
        {"latitude": 0, "longitude": 0.0},
        {"latitude": 91, "longitude": 5.7},
        {"latitude": 58.97, "longitude": -180.1},
        {"latitude": "58.97", "longitude": "5.73"},
        {"latitude": True, "longitude": False},
        {"latitude": [58.97], "longitude": {"east": 5.7}},
    ],
)
def test_what_is_no_position_is_none(fields: dict[str, Any]) -> None:
    assert position_of(said(**fields)) is None


@given(st.dictionaries(st.sampled_from(["latitude", "longitude", "accuracy_m", "source", "position_at"]), anything))
def test_reading_never_fails(fields: dict[str, Any]) -> None:
    found = position_of(said(**fields))
    assert found is None or (abs(found.latitude) <= 90 and abs(found.longitude) <= 180)


def test_an_accuracy_that_cannot_be_is_not_believed() -> None:
    found = position_of(said(latitude=58.97, longitude=5.73, accuracy_m=-1, source="x" * 33))
    assert found == Position(58.97, 5.73, None, NOON, None)


# What is kept ---------------------------------------------------------------------------------------------------------


def tells(value: Any) -> bool:
    """Whether a coordinate stands anywhere in it, as text."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)
    return any(each in text for each in (str(LATITUDE), str(LONGITUDE)))


@given(messages(anything))
def test_coordinates_are_nowhere_in_what_is_kept(fields: dict[str, Any]) -> None:
    for raw in (json.dumps(fields), json.dumps(fields, indent=1), json.dumps(fields, ensure_ascii=False)):
        kept = apart(said(raw.encode("utf-8", "surrogatepass"), **fields))
        assert not tells(kept.fields)
        assert not tells(kept.raw)


BODY = '{"id": "m-1", "time": "2026-03-03T11:00:00Z", "type": "odd"'


def told(*texts: str) -> Observation:
    """As a device says it that has these fields, each as it stands."""
    return DIALECT.decode(
        Message("hv/v1/s/fall_alarm/f/event", ", ".join([BODY, *texts]).encode("utf-8", "surrogatepass") + b"}", NOON)
    )


@given(st.lists(messages(anything), max_size=3), st.booleans())
def test_coordinates_are_nowhere_in_what_is_kept_of_a_message(objects: list[dict[str, Any]], ascii_only: bool) -> None:
    """Names may come twice."""
    fields = [
        json.dumps({name: each}, ensure_ascii=ascii_only)[1:-1] for said in objects for name, each in said.items()
    ]
    try:
        decoded = told(*fields)
    except DecodeError:
        return
    kept = apart(decoded)
    assert not tells(kept.raw)
    assert not tells(kept.fields)


@pytest.mark.parametrize(
    "texts",
    [
        [f'"a": {{"latitude": {LATITUDE}}}', '"a": 1'],
        [f'"lat": {LATITUDE}', '"lat": 1'],
        [f'"l\\u0061t": {LATITUDE}'],
        [f'"a": "{{\\"lat\\": {LATITUDE}}}"'],
        [f'"a": [{{"LON": {LATITUDE}}}]'],
    ],
)
def test_wherever_a_message_hides_them(texts: list[str]) -> None:
    kept = apart(told(*texts))
    assert not tells(kept.raw)
    assert not tells(kept.fields)


def test_a_message_that_tells_at_once_that_it_has_none() -> None:
    assert not told('"battery": 87', '"by": "staff-7"', '"mains": true').may_have_position


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_coordinates_in_a_text_that_is_json_itself_are_not_kept(depth: int) -> None:
    text: Any = {"latitude": LATITUDE, "speed": 3, "Longitude": LONGITUDE}
    for _ in range(depth):
        text = json.dumps(text)
    kept = apart(said(json.dumps({"note": text}).encode(), note=text))
    assert not tells(kept.fields)
    assert not tells(kept.raw)
    assert "speed" in kept.fields["note"]


@given(messages(anything))
def test_all_else_is_kept(fields: dict[str, Any]) -> None:
    raw = json.dumps(fields).encode()
    assert without_position(json.loads(masked(raw))) == without_position(fields)
    assert masked(masked(raw)) == masked(raw)
    assert without_position(without_position(fields)) == without_position(fields)


@given(st.dictionaries(KEPT, st.integers() | st.text(max_size=6), max_size=4))
def test_a_message_without_a_position_is_the_very_same(fields: dict[str, Any]) -> None:
    raw = json.dumps(fields, ensure_ascii=False, indent=2).encode("utf-8", "surrogatepass")
    assert masked(raw) == raw
    one = said(raw, **fields)
    assert apart(one) is one


@pytest.mark.parametrize(
    "raw",
    [
        f'{{"id": "m-1", "latitude": {LATITUDE}, "longitude": {LONGITUDE}',
        f'{{"LATITUDE" : "{LATITUDE}", "lng":"{LONGITUDE}',
        f'{{"l\\u0061titude": {LATITUDE}, "latitude": null, "LON": {LONGITUDE}}}',
        f'{{"gps": {{"coordinates": [{LONGITUDE}, {LATITUDE}]}}}}',
        f'{{"gps": {{"coordinates": [[{LONGITUDE}, {LATITUDE}], [1, 2]]}}}}',
        f'\xff{{"lat":{LATITUDE},"lon":{LONGITUDE}}}',
        f'{{"a": {{"latitude": {LATITUDE}}}, "a": 1}}',
        f'[{{"latitude": {LATITUDE}}}, {{"longitude": -{LONGITUDE}e0}}]',
    ],
)
def test_bytes_that_nobody_can_read_tell_nothing_either(raw: str) -> None:
    assert not tells(masked(raw.encode("latin-1")))


def test_a_masked_message_can_be_decoded_again() -> None:
    body = '{"id": "m-1", "time": "2026-03-03T11:00:00Z", "type": "fall", "latitude": 58.9, "longitude": 5.7, "x": 1}'
    topic = "hv/v1/stavanger/fall_alarm/fa-1/alarm"
    again = DIALECT.decode(Message(topic, masked(body.encode()), NOON))
    assert (again.type, again.fields) == ("fall", {"latitude": None, "longitude": None, "x": 1})


# Distances ------------------------------------------------------------------------------------------------------------


@given(points, points)
def test_a_distance_is_one_there_and_back(one: tuple[float, float], other: tuple[float, float]) -> None:
    there = distance_m(one, other)
    assert 0 <= there <= 20_016_000
    assert there == pytest.approx(distance_m(other, one))
    assert distance_m(one, one) == 0


def test_distances_that_are_known() -> None:
    assert distance_m((0, 0), (1, 0)) == pytest.approx(111_195, abs=10)
    assert distance_m(DOMKIRKEN, (59.9127, 10.7461)) == pytest.approx(302_000, rel=0.01), "to Oslo cathedral"
    assert distance_m((10, 179.5), (10, -179.5)) == pytest.approx(109_505, rel=0.001), "over the date line"


@given(points, points, st.none() | st.floats(0, 100_000))
def test_home_is_at_least_so_far_away(
    place: tuple[float, float], home: tuple[float, float], accuracy: float | None
) -> None:
    found = distance_from_home_m(Position(*place, accuracy, NOON), home)
    exact = max(0.0, distance_m(place, home) - (accuracy or 0))
    if found is None:
        assert accuracy is not None
        assert accuracy > TELLING_M
        assert exact < accuracy
        return
    assert found >= 0
    assert math.isclose(found, exact, abs_tol=5 if exact < 1000 else 50)
    assert found % (10 if found < 1000 else 100) == 0


def test_whoever_may_be_at_home_is_at_home() -> None:
    def away(degrees: float, accuracy: float) -> int | None:
        return distance_from_home_m(Position(DOMKIRKEN[0] + degrees, DOMKIRKEN[1], accuracy, NOON), DOMKIRKEN)

    assert away(0.001, 150) == 0
    assert away(0.01, 12) == 1100
    assert away(0.01, 3000) is None, "at home, or four kilometres away"
    assert away(1, 3000) == 108_200, "surely away, however coarse"
