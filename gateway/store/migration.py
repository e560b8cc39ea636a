"""Migrations as files: the numbered SQL files in ``migrations/``, and what the head of each says. Pure.

A file begins with its directives, a comment line each, in any order:

``-- requires: EXTENSION``  it waits until the database has that extension
``-- no transaction``       its statements run one by one, outside a transaction, and bear being run again from the first
``-- batches``              each statement is run again and again, every time in a transaction of its own, until it touches
                            no row: for rows by the million. It takes a part (``LIMIT``), bears being cut short anywhere,
                            and locks no row with SKIP LOCKED (a row that somebody has would be taken for done)
``-- contracts: RELEASE``   it takes away what releases before this one use: they refuse a database that has it

Everything else is in one transaction. A release *expands*: what it adds, the one before does not see. What is no longer
used goes in a later one, which *contracts*. So the previous release runs on the next schema, while processes are replaced
one by one; a file without ``contracts`` promises that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from importlib.resources import files

_DIRECTIVE = re.compile(r"-- (?:(?P<word>no transaction|batches)|(?P<key>requires|contracts): (?P<value>[\w.]+))\n")
_PIECES = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/) | '(?:[^']|'')*' | "[^"]*" | (?P<tag>\$\w*\$).*?(?P=tag) | (?P<end>;) | .""",
    re.VERBOSE | re.DOTALL,
)
_CONVERTS = re.compile(r"create_hypertable\(\s*'(\w+)'")


class Way(StrEnum):
    """How a file is run."""

    WHOLE = "in one transaction"
    ONE_BY_ONE = "statement by statement"
    BATCHES = "in batches"


@dataclass(frozen=True)
class Migration:
    """One file: its name, its SQL, and what its head says."""

    name: str
    statements: str

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.statements.encode()).hexdigest()

    @property
    def requires(self) -> str | None:
        return self._head.get("requires")

    @property
    def contracts(self) -> str | None:
        return self._head.get("contracts")

    @property
    def way(self) -> Way:
        if "batches" in self._head:
            return Way.BATCHES
        return Way.ONE_BY_ONE if "no transaction" in self._head else Way.WHOLE

    @property
    def converts(self) -> tuple[str, ...]:
        """The tables that it makes hypertables of."""
        return tuple(_CONVERTS.findall(self.statements))

    @property
    def parts(self) -> list[str]:
        """Its statements, without comments: all in one where they belong together."""
        return [self.statements] if self.way is Way.WHOLE else list(split(self.statements))

    @cached_property
    def _head(self) -> dict[str, str]:
        found: dict[str, str] = {}
        at = 0
        while line := _DIRECTIVE.match(self.statements, at):
            found[line["word"] or line["key"]] = line["value"] or ""
            at = line.end()
        return found


def migrations() -> tuple[Migration, ...]:
    """Every migration there is, in order."""
    folder = files("gateway.store").joinpath("migrations")
    found = sorted((each for each in folder.iterdir() if each.name.endswith(".sql")), key=lambda each: each.name)
    return tuple(Migration(each.name, each.read_text("utf-8")) for each in found)


def split(sql: str) -> Iterator[str]:
    """The statements, without comments. A semicolon in a string or in a function's body ends none."""
    statement: list[str] = []
    for piece in _PIECES.finditer(sql):
        if piece["end"]:
            yield from filter(None, ["".join(statement).strip()])
            statement = []
        elif not piece["comment"]:
            statement.append(piece[0])
    yield from filter(None, ["".join(statement).strip()])


def breaking(unknown: dict[str, str | None], release: str) -> list[str]:
    """Of migrations that are none of ours, those that took away what this release uses. ``unknown``: name and what it contracts."""
    return [name for name, since in sorted(unknown.items()) if since and _number(release) < _number(since)]


def _number(release: str) -> tuple[int, ...]:
    """0.10.2 as numbers; a development release counts as the one that it leads to."""
    return tuple(int(each) for each in re.findall(r"\d+", release)[:3])
