"""Exporting a resident: everything that is stored of them in one zip, in formats that anybody can read.

Files
    ``about.json``: the schema (``hjemmevakt.person/1``), when, of whom, and how many rows each file has; written last.
    ``person.json``: who they are, where they live and lived, devices with where and when, planned doses, rules, policies and silences
    set for them.
    ``observations.csv``: what their devices said, message by message (``fields`` and ``flags`` as JSON, ``message`` as it came).
    ``counted.csv``: the same counted per hour and day, for longer. ``positions.csv``, ``quarantine.csv``, ``commands.csv``,
    ``held-back.csv``.
    ``alerts.jsonl``: an alert a line, with its timeline and who was called. ``access-log.csv``: who looked at them.
    Times are UTC, in ISO 8601. docs/privacy.md says what is left out.

Nothing is held in memory but a piece at a time. That it was made is in the access log.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway import whole
from gateway.person import accesslog
from gateway.store import audit, belonging, erasing, exporting
from gateway.store.audit import Audited
from gateway.store.belonging import Row, Scope
from gateway.store.db import Connection, Database

SCHEMA = "hjemmevakt.person/1"


async def export(database: Database, resident_id: int, path: Path, operator: str, now: datetime) -> dict[str, int]:
    """Write the file; how many rows each part has. ``operator``: who asks for it, noted before there is a file. CannotWrite; LookupError where there is no such resident."""

    async def write(connection: Connection) -> dict[str, int]:
        await exporting.begin(connection)
        scope = await belonging.scope(connection, resident_id)
        if scope is None:
            raise LookupError("there is no such resident")
        with whole.archive(path, zipfile.ZIP_DEFLATED) as archive:
            counts = await _write(connection, archive, scope, now)
            about = {"schema": SCHEMA, "made_at": now, "resident": scope.uid, "rows": counts}
            archive.writestr("about.json", _json(about, indent=1))
        return counts

    line = Audited("resident.exported", "resident", resident_id, params={"operator": operator})
    await database.run(lambda each: audit.add(each, now, (line,)))
    return await database.run(write)


async def _write(connection: Connection, archive: zipfile.ZipFile, scope: Scope, now: datetime) -> dict[str, int]:
    given = await exporting.arguments(connection, scope, now)
    person = {name: await exporting.part(connection, name, given) for name in exporting.PERSON}
    (resident,) = person.pop("resident")
    archive.writestr("person.json", _json({**resident, **person}, indent=1))
    counts = {f"person.json {name}": len(rows) for name, rows in person.items()}
    counts["observations.csv"] = await _as_csv(archive, "observations.csv", _said(connection, scope))
    counts["counted.csv"] = await _as_csv(archive, "counted.csv", exporting.counted(connection, scope))
    for name, query in exporting.LISTS.items():
        write = _as_csv if name.endswith(".csv") else _as_lines
        counts[name] = await write(archive, name, exporting.rows(connection, query, given))
    counts["access-log.csv"] = await _as_csv(
        archive, "access-log.csv", accesslog.lines(connection, scope.resident, "en")
    )
    return counts


async def _said(connection: Connection, scope: Scope) -> AsyncIterator[Row]:
    """Of each device, in the order in which it was received."""
    for each in scope.stretches:
        for since, until in await erasing.windows(connection, each.device_id):
            given = {
                "device": each.device_id,
                "installation": each.installation_id,
                "own": each.own,
                "since": each.since,
                "until": each.until,
                "from": since,
                "to": until,
            }
            async for row in exporting.rows(connection, exporting.OBSERVATIONS, given):
                yield row


async def _as_csv(archive: zipfile.ZipFile, name: str, rows: AsyncIterator[Row]) -> int:
    """A file with a line of names above; empty where there is nothing."""
    many = 0
    with archive.open(name, "w", force_zip64=True) as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
        writer = csv.writer(text)
        async for row in rows:
            if not many:
                writer.writerow(row)
            writer.writerow([_plain(value) for value in row.values()])
            many += 1
    return many


async def _as_lines(archive: zipfile.ZipFile, name: str, rows: AsyncIterator[Row]) -> int:
    many = 0
    with archive.open(name, "w", force_zip64=True) as file:
        async for row in rows:
            file.write(_json(row).encode() + b"\n")
            many += 1
    return many


def _plain(value: Any) -> Any:
    """A cell. What would be a formula to a spreadsheet is a text to it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, (dict, list)):
        return _json(value)
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def _json(value: Mapping[str, Any] | list[Any], indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_told)


def _told(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
