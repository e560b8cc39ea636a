"""A column that goes to the database in one go comes back as what it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest

from gateway.store.columns import Column, bigints, jsons, names, raws, texts, times, truths

OSLO = timezone(timedelta(hours=1))
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
PRECISE = datetime(2026, 11, 22, 2, 10, 59, 999_999, tzinfo=UTC)
FAR = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
WAYS: list[tuple[Callable[[Any], Column], str, Sequence[Any]]] = [
    (bigints, "bigint[]", [1, 0, -1, None, 2**63 - 1, -(2**63)]),
    (bigints, "bigint[]", [1, 0, -1, 2**63 - 1, -(2**63)]),
    (times, "timestamptz[]", [PRECISE, None, PRECISE, LONG_AGO, FAR, PRECISE.astimezone(OSLO)]),
    (texts, "text[]", ["a", "", None, "NULL", "{,}", 'q"\\', "blåbærsyltetøy 🫐", "x" * 70_000]),
    (texts, "text[]", ["x" * size for size in (1022, 1023, 1024, 1025)]),
    (raws, "bytea[]", [b"", None, bytes(range(256))]),
    (truths, "boolean[]", [True, None, False]),
]


@pytest.mark.parametrize(
    ("column", "type_", "values"), WAYS, ids=[f"{each.__name__}-{len(values)}" for each, _, values in WAYS]
)
def test_it_is_the_same_list(database_url: str, column: Callable[[Any], Column], type_: str, values: list[Any]) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for each in (values, values[:1], [None], []):
            row = connection.execute(f"SELECT %b::{type_}, pg_typeof(%b)::text".encode(), [column(each)] * 2).fetchone()
            assert row == (each, type_ if type_ != "timestamptz[]" else "timestamp with time zone[]")


def test_names_are_written_once_and_come_back_in_order(database_url: str) -> None:
    said = ["e_lock", "", "door", "e_lock", "blåbær" * 300, "door"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        for each in (said, []):
            row = connection.execute("SELECT %b::text[]", (names(each),)).fetchone()
            assert row == (each,)


def test_json_is_a_text_until_it_is_cast(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("SELECT (%b::text[])[1]::jsonb", (jsons([b'{"a": "\xc3\xb8"}']),)).fetchone()
    assert row == ({"a": "ø"},)
