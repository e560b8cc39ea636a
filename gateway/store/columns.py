"""Columns: a batch goes to the database as arrays, one a column, each made into bytes in one go.

    unnest(%b::bigint[], %b::text[], …)    with    bigints(…), texts(…)

Theory
    psycopg turns a list into an array item by item, through a dumper that it looks for by the items' types; for a batch of
    hundreds that costs as much as all else on the way to the database. Here the type is said, and the whole array is put
    together as the binary format has it: dimensions, a mark for nulls, the type of the items, how many, from which index, and
    for each its length and its bytes (``array_send`` in PostgreSQL's source, arrayfuncs.c).
    The numbers of types are those of PostgreSQL's catalogue, ``pg_type.dat``.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""From which PostgreSQL counts, in microseconds."""
_MICROSECOND = timedelta(microseconds=1)
_HEAD = Struct(">iiIii")
_LENGTH = Struct(">i")
_EIGHT = Struct(">iq")
_ZERO = _EIGHT.pack(8, 0)
_NULL = b"\xff\xff\xff\xff"


class _Lengths(dict[int, bytes]):
    """Lengths as the format has them; those of nearly all texts are ready."""

    def __missing__(self, length: int) -> bytes:
        return _LENGTH.pack(length)


_LENGTHS = _Lengths({each: _LENGTH.pack(each) for each in range(1024)})


class Column(bytes):
    """An array as the database takes it."""


class _Bigints(Column):
    pass


class _Times(Column):
    pass


class _Texts(Column):
    pass


class _Bytes(Column):
    pass


class _Truths(Column):
    pass


def bigints(values: Sequence[int | None]) -> Column:
    """``bigint[]``. OverflowError or struct.error for what is none."""
    try:
        return _Bigints(_head(20, len(values)) + _eights(array("q", values)))  # type: ignore[arg-type]
    except TypeError:  # a null is among them
        pack = _EIGHT.pack
        return _Bigints(_array(20, [_NULL if each is None else pack(8, each) for each in values]))


def times(values: Sequence[datetime | None]) -> Column:
    """``timestamptz[]``, of aware datetimes. One that is there several times in a row as one object is reckoned once."""
    pack, items = _EIGHT.pack, []
    last, item = None, _NULL
    for each in values:
        if each is not last:
            last, item = each, _NULL if each is None else pack(8, (each - _EPOCH) // _MICROSECOND)
        items.append(item)
    return _Times(_array(1184, items))


def texts(values: Sequence[str | None]) -> Column:
    """``text[]``."""
    length = _LENGTHS
    return _Texts(_array(25, [_NULL if each is None else length[len(raw := each.encode())] + raw for each in values]))


def names(values: Sequence[str]) -> Column:
    """``text[]`` of few different ones, as kinds are: each is written once."""
    made = {each: _LENGTHS[len(raw := each.encode())] + raw for each in set(values)}
    return _Texts(_array(25, [made[each] for each in values]))


def raws(values: Sequence[bytes | None]) -> Column:
    """``bytea[]``."""
    return _Bytes(_array(17, _with_lengths(values)))


def jsons(values: Sequence[bytes | None]) -> Column:
    """``text[]`` of JSON that has been written already."""
    return _Texts(_array(25, _with_lengths(values)))


def truths(values: Sequence[bool | None]) -> Column:
    """``boolean[]``."""
    of = {None: _NULL, True: b"\x00\x00\x00\x01\x01", False: b"\x00\x00\x00\x01\x00"}
    return _Truths(_array(16, [of[each] for each in values]))


def _with_lengths(values: Iterable[bytes | None]) -> list[bytes]:
    length = _LENGTHS
    return [_NULL if each is None else length[len(each)] + each for each in values]


def _eights(numbers: array[int]) -> bytes:
    """Items of eight bytes each."""
    if sys.byteorder == "little":
        numbers.byteswap()
    raw, items = numbers.tobytes(), bytearray(_ZERO * len(numbers))
    for place in range(8):
        items[4 + place :: 12] = raw[place::8]
    return bytes(items)


def _array(item_type: int, items: Sequence[bytes]) -> bytes:
    return _head(item_type, len(items)) + b"".join(items)


def _head(item_type: int, count: int) -> bytes:
    return _HEAD.pack(1, 1, item_type, count, 1) if count else _HEAD.pack(0, 0, item_type, 0, 0)[:12]


def _register(column: type[Column], array_type: int) -> None:
    class _Dumper(Dumper):
        format = Format.BINARY
        oid = array_type

        def dump(self, obj: Column) -> bytes:
            return obj

    psycopg.adapters.register_dumper(column, _Dumper)


for _column, _oid in ((_Bigints, 1016), (_Times, 1185), (_Texts, 1009), (_Bytes, 1001), (_Truths, 1000)):
    _register(_column, _oid)
