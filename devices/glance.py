"""A glance at a message's bytes: may one of these words be in them, in any case of letters?

Theory
    Nearly every message has none, and all messages of a sort look alike but for their numbers. So all that is no ASCII letter
    is left out – what remains has every word that was there, and perhaps some more, across what was left out – and the answer
    is remembered by that. A backslash or a zero byte may hide a letter (``\\u0070in``, UTF-16): what has one is worth a look.
    It errs to one side only: "no" is true.
"""

from __future__ import annotations

from collections.abc import Iterable

from devices.remembered import Remembered

LONGEST_REMEMBERED = 300
"""Letters of a message that are worth an answer."""

_SMALL = bytes(each | 0x20 if 0x41 <= each <= 0x5A else each for each in range(256))
_HIDING = (b"\\", b"\0")
_LEFT_OUT = bytes(each for each in range(256) if not (bytes([each]).isalpha() or bytes([each]) in _HIDING))


class Glance:
    """``words``: of small ASCII letters."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = (*_HIDING, *(word.encode() for word in words))
        self._known = Remembered(self._look, lambda letters: len(letters) <= LONGEST_REMEMBERED)

    def may_have_one(self, raw: bytes) -> bool:
        """Whether a look at the message is worth it."""
        return self._known[raw.translate(_SMALL, _LEFT_OUT)]

    def _look(self, letters: bytes) -> bool:
        return any(word in letters for word in self._words)
