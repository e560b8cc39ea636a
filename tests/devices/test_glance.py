"""A glance may be wrong in one way only: it may take for possible what is not there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.glance import LONGEST_REMEMBERED, Glance
from devices.remembered import MOST

WORDS = ("pin", "code", "lat")
pieces = st.one_of(st.sampled_from([b"pin", b"PIN", b"cO", b"de", b"la", b"t"]), st.binary(max_size=4))
GLANCE = Glance(WORDS)


@given(st.lists(pieces, max_size=8).map(b"".join))
def test_no_word_is_overlooked(raw: bytes) -> None:
    there = any(word.encode() in raw.lower() for word in WORDS)
    assert GLANCE.may_have_one(raw) or not there
    assert GLANCE.may_have_one(raw) is GLANCE.may_have_one(raw)


def test_letters_alone_count_and_what_joins_over_a_gap_is_worth_a_look() -> None:
    assert Glance(WORDS).may_have_one(b'{"shi":1,"p":2,"i":3,"n":4}')
    assert not Glance(WORDS).may_have_one(b'{"battery":87}')


@given(st.lists(pieces, max_size=8).map(b"".join), st.sampled_from([b"\\u0070in", b"p\0i\0n\0", b"\\"]))
def test_what_may_hide_a_letter_is_worth_a_look(raw: bytes, hiding: bytes) -> None:
    assert GLANCE.may_have_one(raw + hiding)
    assert GLANCE.may_have_one(hiding + raw)


def test_a_device_that_says_something_new_each_time_takes_no_room() -> None:
    glance = Glance(WORDS)
    for number in range(MOST + 500):
        glance.may_have_one(bytes(0x61 + int(digit) for digit in str(number)) + b"x" * (number % LONGEST_REMEMBERED))
    assert len(glance._known) <= MOST
    assert max(map(len, glance._known)) <= LONGEST_REMEMBERED
