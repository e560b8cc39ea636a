"""JSON within limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.json import MAX_BYTES, MAX_DEPTH, content_hash, parse_object, read_object
from devices.model import DecodeError, Reason
from tests.devices.golden import assert_storable

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=4), anything, max_size=4)


def nested(depth: int) -> bytes:
    return b'{"x":' + b"[" * depth + b"]" * depth + b"}"


def refusal(payload: bytes) -> Reason:
    with pytest.raises(DecodeError) as refused:
        parse_object(payload)
    return refused.value.reason


@given(objects)
def test_what_is_taken_is_storable(value: dict[str, Any]) -> None:
    try:
        parsed = parse_object(json.dumps(value).encode())
    except DecodeError:
        return
    assert parsed == value
    assert_storable(parsed)
    assert len(content_hash(parsed, sorted(parsed))) == 16


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 1e308, 5e-324, -0.0])
def test_numbers_at_the_edge_are_kept(number: float) -> None:
    assert parse_object(json.dumps({"x": number}).encode()) == {"x": number}


@pytest.mark.parametrize("number", ["9223372036854775808", "-9223372036854775809", "1e309", "-1e309", "1" + "0" * 400])
def test_numbers_beyond_the_edge_are_not(number: str) -> None:
    assert refusal(b'{"x": [{"y": ' + number.encode() + b"}]}") is Reason.NOT_STORABLE


@pytest.mark.parametrize("payload", [b'{"x": NaN}', b'{"x": Infinity}', b'{"x": -Infinity}', b'{"x": "\\ud800"}', b'{"\\udfff": 1}',
                                     b'{"x": "\xed\xa0\x80"}', b"\xff\xfe{\0}\0", b"null", b"[]", b'""', b"", b" ", b"{}{}", b"{'x': 1}"])  # fmt: skip
def test_what_is_not_json(payload: bytes) -> None:
    assert refusal(payload) is Reason.NOT_JSON


@pytest.mark.parametrize("payload", [b'{"x": "a\\u0000"}', b'{"a\\u0000": 1}', b'{"x": [{"\\u0000": []}]}'])
def test_no_nul_anywhere(payload: bytes) -> None:
    assert refusal(payload) is Reason.NOT_STORABLE


def test_depth() -> None:
    assert parse_object(nested(MAX_DEPTH))
    assert refusal(nested(MAX_DEPTH + 1)) is Reason.NOT_STORABLE
    assert refusal(nested(30_000)) is Reason.NOT_JSON


def test_size() -> None:
    assert parse_object(b"{}" + b" " * (MAX_BYTES - 2)) == {}
    assert refusal(b"{}" + b" " * (MAX_BYTES - 1)) is Reason.TOO_LARGE


def test_hash_of_odd_values() -> None:
    values: list[Any] = [0, False, None, "", [], {}, 0.5, "0", "null", "\u2028", "😀", [[]], [{}]]
    odd = [{"x": value} for value in values]
    assert len({content_hash(value, ["x"]) for value in odd}) == len(odd)


def test_hash_knows_neither_order_nor_what_is_left_out() -> None:
    one, two = {"a": 1, "b": {"c": 2, "d": 3}, "t": 4}, {"t": 5, "b": {"d": 3, "c": 2}, "a": 1}
    assert content_hash(one, "ab") == content_hash(two, "ab")
    assert content_hash(one, "abt") != content_hash(two, "abt")


@given(objects)
def test_what_is_plain_has_nothing_in_it_that_needs_a_look(value: dict[str, Any]) -> None:
    payload = json.dumps(value).encode()
    try:
        parsed, plain = read_object(payload)
    except DecodeError:
        return
    if plain:
        assert b"\\" not in payload
        assert payload.count(b"{") == 1
        assert all(type(each) in (str, bool, int) for each in parsed.values())
    assert content_hash(parsed, sorted(parsed), plain=plain) == content_hash(parsed, sorted(parsed))


@pytest.mark.parametrize(
    "payload", [b'{"a": {"b": 1}, "a": 2}', b'{"a": "\\u00e6"}', b'{"a": 0.5}', b'{"a": null}', b'{"a": [1]}']
)
def test_what_is_not_plain(payload: bytes) -> None:
    assert read_object(payload)[1] is False
    assert read_object(b'{"a": "\xc3\xa6", "b": -7, "c": true}')[1] is True
