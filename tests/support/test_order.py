"""No test is lost by being put elsewhere, and none that takes long is put at the end."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.order import LONG, dealt


@dataclass(frozen=True)
class Test:
    """What the order is made from."""

    __test__ = False
    nodeid: str


def some(long: int, short: int) -> list[Test]:
    shorts = [Test(f"tests/test_short.py::{number}") for number in range(short)]
    return [*shorts, *(Test(f"tests/test_it_processes.py::{number}") for number in range(long))]


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
@pytest.mark.parametrize(("long", "short"), [(0, 0), (0, 5), (1, 0), (5, 0), (7, 2), (3, 1000), (50, 1001)])
def test_each_has_its_place_once(long: int, short: int, workers: int) -> None:
    given = some(long, short)
    found = dealt(given, workers)
    assert sorted(found, key=lambda each: each.nodeid) == sorted(given, key=lambda each: each.nodeid)


def test_every_worker_begins_with_what_takes_long() -> None:
    found = dealt(some(30, 3000), 3)
    where = [at % 1010 for at, each in enumerate(found) if LONG.search(each.nodeid)]
    assert len(where) == 30
    assert where.count(0) == 3
    assert max(where) < 505
