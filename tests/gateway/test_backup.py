"""Backups, without a server: what is refused before anything is touched, and which program is taken."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.backup import command, programs, restore
from gateway.backup.manifest import DUMP, MANIFEST, CannotRestore, Manifest, Target, hindrances
from gateway.backup.programs import NoProgram, ProgramFailed
from gateway.store import backups
from gateway.store.backups import DatabaseRefused
from tests.gateway.place import NOW

BACKUP = Manifest(made_at=NOW, release="0.1", postgresql=170004, timescaledb=None, migrations=("0001_core.sql",), counts={},
                  size=3, sha256="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")  # fmt: skip
WITH_CHUNKS = BACKUP.model_copy(update={"timescaledb": "2.23.0"})
EMPTY = Target(
    postgresql=170009, timescaledb=None, offered=["2.23.0", "2.24.0"], known=["0001_core.sql", "0002_next.sql"]
)


@pytest.mark.parametrize(
    ("backup", "target", "why"),
    [
        (BACKUP, EMPTY, None),
        (BACKUP, replace(EMPTY, half=True), None),
        (BACKUP, replace(EMPTY, postgresql=180001, offered=[]), None),
        (BACKUP, replace(EMPTY, timescaledb="2.24.0"), None),
        (WITH_CHUNKS, EMPTY, None),
        (WITH_CHUNKS, replace(EMPTY, timescaledb="2.23.0"), None),
        (BACKUP, replace(EMPTY, tables=["alert"]), r"not empty: it has tables \(alert"),
        (BACKUP, replace(EMPTY, tables=["alert"], half=True), "a restore into it was cut short; create a new one"),
        (BACKUP, replace(EMPTY, postgresql=160010), "the server is PostgreSQL 16, the backup is of 17"),
        (BACKUP, replace(EMPTY, known=["0002_next.sql"]), r"a newer release \(0.1; it has 0001_core.sql\)"),
        (BACKUP, replace(EMPTY, superuser=False), None),
        (BACKUP, replace(EMPTY, processes=["hjemmevakt a-1"]), r"hjemmevakt is at work in the database \(hjemmevakt a-1\): stop"),
        (WITH_CHUNKS, replace(EMPTY, superuser=False), "lets nobody but a superuser restore: say ALTER ROLE"),
        (WITH_CHUNKS, replace(EMPTY, timescaledb="2.24.0"), "the database has TimescaleDB 2.24.0, the backup is of 2.23.0"),
        (WITH_CHUNKS, replace(EMPTY, offered=["2.24.0"]), "the server offers TimescaleDB 2.24.0, the backup is of 2.23.0"),
        (WITH_CHUNKS, replace(EMPTY, offered=[]), "the server offers TimescaleDB none"),
    ],
)  # fmt: skip
def test_what_is_in_the_way_is_told(backup: Manifest, target: Target, why: str | None) -> None:
    found = "\n".join(hindrances(backup, target))
    assert found == "" if why is None else re.search(why, found), found


def write(path: Path, manifest: str | None, dump: bytes = b"abc") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(DUMP, dump)
        if manifest is not None:
            archive.writestr(MANIFEST, manifest)
    return path


def test_a_file_is_read_whole_or_refused(tmp_path: Path) -> None:
    good = write(tmp_path / "good", BACKUP.model_dump_json())
    assert restore.read(good) == BACKUP
    whole = good.read_bytes()
    at = whole.index(b"abc")
    (tmp_path / "flipped").write_bytes(whole[:at] + b"abd" + whole[at + 3 :])
    (tmp_path / "cut").write_bytes(whole[:-20])
    (tmp_path / "empty").write_bytes(b"")
    write(tmp_path / "other", BACKUP.model_dump_json(), b"xyz")
    write(tmp_path / "unfinished", None)
    write(tmp_path / "strange", '{"schema_": "something/9"}')
    for name, why in {
        "flipped": "is damaged", "other": "is damaged", "cut": "is no backup", "empty": "is no backup",
        "unfinished": "is no backup", "strange": "is no backup", "nowhere": "is no backup",
    }.items():  # fmt: skip
        with pytest.raises(CannotRestore, match=why):
            restore.read(tmp_path / name)


def test_the_oldest_program_that_knows_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for major in (15, 16, 17):
        program = tmp_path / str(major) / "bin" / "pg_dump"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {major}.3 (Debian)'\n")
        program.chmod(0o755)
    monkeypatch.setattr(programs, "DEBIAN", tmp_path)
    assert programs.fitting("pg_dump", 150007) == tmp_path / "15" / "bin" / "pg_dump"
    assert programs.fitting("pg_dump", 170001) == tmp_path / "17" / "bin" / "pg_dump"
    with pytest.raises(NoProgram, match="no pg_dump for PostgreSQL 99, only that of PostgreSQL 18 is here: install"):
        programs.fitting("pg_dump", 990000)


def test_what_the_database_answers_is_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HJEMMEVAKT_DATABASE_URL", "postgresql://me@127.0.0.1:1/it")
    monkeypatch.setenv("HJEMMEVAKT_DATA_FOLDER", str(tmp_path))
    with pytest.raises(DatabaseRefused, match="the database: connection failed"):
        command.backup(tmp_path / "to")
    with pytest.raises(DatabaseRefused, match="create the database anew"):
        command.restore(write(tmp_path / "good", BACKUP.model_dump_json()))


def test_a_program_that_fails_says_why_and_a_password_is_no_argument() -> None:
    url = "postgresql://me:s3cret@127.0.0.1:1/it's?sslmode=disable"
    assert backups.environment(url)["PGPASSWORD"] == "s3cret"
    assert backups.database_name(url) == r"dbname='it\'s'"
    with (
        pytest.raises(ProgramFailed, match="pg_dump failed"),
        programs.running(programs.fitting("pg_dump", 150000), ["-Fc"], backups.environment(url), reads=False) as pipe,
    ):
        assert pipe.read() == b""
