"""The ledger of erasures: a file outside of the database, with a line for each resident who was erased.

It is what a restored backup, which is older than an erasure, is told by that it has to be done again. A line leads to
nobody: it has a time, a salt, and a salted hash of the resident's uid (:mod:`gateway.store.erasures`). It is written before
anything is erased.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.errors import GatewayError
from gateway.store.erasures import Record, UnderWay

NAME = "erased.jsonl"
SCHEMA = "hjemmevakt.erased/1"


class LedgerBroken(GatewayError):
    """A ledger cannot be read or written."""


def note(path: Path, erasure: UnderWay | Record) -> None:
    """That somebody is erased; written through to the disk. A line that is there already is not written again; one that was
    cut off is written over: nothing was erased for it."""
    if path.exists() and any(each.mark == erasure.mark for each in read(path)):
        return
    line = json.dumps(as_line(erasure)).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            whole = file.read().rpartition(b"\n")
            file.truncate(file.seek(len(whole[0]) + len(whole[1])))
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise LedgerBroken(f"{path}: {error.strerror}; nothing was erased") from None


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
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerBroken(f"{path} cannot be read: {error}") from None
    return list(_records(path, lines[:-1]))


def _records(path: Path, lines: Iterable[str]) -> Iterable[Record]:
    for number, line in enumerate(lines, 1):
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
