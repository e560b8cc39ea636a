"""The ledger of erasures: a file outside of the database, with a line for each resident who was erased.

It is what a restored backup, which is older than an erasure, is told by that it has to be done again. A line leads to
nobody: it has a time, a salt, and a salted hash of the resident's uid (:mod:`gateway.store.erasures`). It is written before
anything is erased.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from gateway import whole
from gateway.errors import GatewayError
from gateway.store.erasures import Record, UnderWay

NAME = "erased.jsonl"
SCHEMA = "hjemmevakt.erased/1"


class LedgerBroken(GatewayError):
    """A ledger cannot be read or written."""


def note(path: Path, erasure: UnderWay | Record) -> None:
    """That somebody is erased; written through to the disk. A line that is there already is not written again; one that was
    cut off is written over: nothing was erased for it. Who notes at the same time waits."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _note(path, file, erasure)
        whole.sync(path.parent)
    except OSError as error:
        raise LedgerBroken(f"{path}: {error.strerror}; nothing was erased") from None


def _note(path: Path, file: BinaryIO, erasure: UnderWay | Record) -> None:
    there = b"".join(file.read().rpartition(b"\n")[:2])
    if any(each.mark == erasure.mark for each in _records(path, there)):
        return
    file.truncate(file.seek(len(there)))
    file.write(json.dumps(as_line(erasure)).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())


def as_line(erasure: UnderWay | Record) -> dict[str, str]:
    return {
        "schema": SCHEMA,
        "at": erasure.begun_at.isoformat(),
        "salt": erasure.salt.hex(),
        "mark": erasure.mark.hex(),
    }


def read(path: Path) -> list[Record]:
    """Every line of a ledger. LedgerBroken for one that is none; a line that was cut off at the end is not missed."""
    try:
        told = path.read_bytes()
    except OSError as error:
        raise LedgerBroken(f"{path} cannot be read: {error}") from None
    return list(_records(path, told.rpartition(b"\n")[0]))


def _records(path: Path, told: bytes) -> Iterable[Record]:
    for number, line in enumerate(told.split(b"\n"), 1):
        if line.strip():
            try:
                yield _record(json.loads(line))
            except (ValueError, KeyError, TypeError):
                raise LedgerBroken(f"{path}: line {number} is no line of a ledger of erasures") from None


def _record(told: Mapping[str, Any]) -> Record:
    if told["schema"] != SCHEMA:
        raise ValueError(told["schema"])
    at = datetime.fromisoformat(told["at"])
    return Record(at, None, "", bytes.fromhex(told["salt"]), bytes.fromhex(told["mark"]), {})
