"""What everybody outside of the gateway knows of a run, and what a verdict says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.support.processes import Word
from tests.torture.memory import Memory
from tests.torture.plan import Blow


@dataclass(frozen=True, slots=True)
class Finding:
    """An invariant that broke: which, and what about."""

    invariant: str
    told: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.told}"


@dataclass(frozen=True)
class Told:
    """``kept``: messages that devices still keep in the end; ``mails``: what the mail server has seen, by the id of each mail;
    ``planned``: how many blows were to fall; ``struck``: those that did; ``ended``: gateways that have ended by themselves,
    each with its last words."""

    memory: Memory
    kept: frozenset[Word]
    mails: frozenset[str]
    planned: int = 0
    struck: Sequence[Blow] = ()
    ended: Sequence[str] = ()


def named(told: Told, word: Word) -> str:
    """A message, by its device, its id and its type."""
    said = told.memory.said.get(word)
    return f"{word.address} message {word.message_id}" + (f" ({said.type})" if said else "")


def alarms_first(told: Told, words: Iterable[Word]) -> list[Word]:
    return sorted(words, key=lambda word: (not told.memory.said[word].alarm, word))
