"""What is remembered is what would be answered, and takes no more room than it may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.remembered import Remembered


@given(st.lists(st.integers(0, 12), max_size=60))
def test_it_answers_as_if_it_remembered_nothing_and_keeps_few(questions: list[int]) -> None:
    asked: list[int] = []

    def double(number: int) -> int:
        asked.append(number)
        return 2 * number

    remembered = Remembered(double, lambda number: number % 3 > 0, most=4)
    for each in questions:
        assert remembered[each] == 2 * each
        assert len(remembered) <= 4
        assert all(number % 3 for number in remembered)


def test_what_is_asked_again_is_not_worked_at_again() -> None:
    asked: list[str] = []

    def length(word: str) -> int:
        asked.append(word)
        return len(word)

    remembered = Remembered(length, bool)
    assert [remembered[word] for word in ("a", "bb", "a", "bb")] == [1, 2, 1, 2]
    assert asked == ["a", "bb"]
