"""Answers that are remembered: of what nearly every message asks again, and few messages ask anew.

Theory
    A device may say what it likes. So only what is worth it is remembered, and where it would be too much, all is forgotten:
    what is asked often is soon there again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")

MOST = 2_000


class Remembered(dict[Question, Answer]):
    """What a pure function answers: ``remembered[question]``. Up to ``most`` answers, to questions that are ``worth`` it.

    A dictionary that answers what is not in it, since nothing is faster.
    """

    def __init__(self, work: Callable[[Question], Answer], worth: Callable[[Question], bool], most: int = MOST) -> None:
        super().__init__()
        self._work, self._worth, self._most = work, worth, most

    def __missing__(self, question: Question) -> Answer:
        answer = self._work(question)
        if self._worth(question):
            if len(self) >= self._most:
                self.clear()
            self[question] = answer
        return answer
