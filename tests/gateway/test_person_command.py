"""`hjemmevakt person` and what it says to somebody who types it: whom it means, and what it does not do."""

from __future__ import annotations

import getpass
import re
import zipfile
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from gateway.backup import command as backup_command
from gateway.cli import app
from gateway.errors import GatewayError, SettingError
from gateway.person.command import WhichResident
from gateway.whole import CannotWrite

NAMES = ("Anne Hansen", "Anne Hansen-Berg", "Berit Moe")


@pytest.fixture
def town(migrated_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Residents, and the settings of a command; the database."""
    with psycopg.connect(migrated_url) as connection:
        for name in NAMES:
            connection.execute("INSERT INTO resident (uid, name) VALUES (gen_random_uuid(), %s)", (name,))
    monkeypatch.setenv("HJEMMEVAKT_DATABASE_URL", migrated_url)
    monkeypatch.setenv("HJEMMEVAKT_DATA_FOLDER", str(tmp_path))
    return migrated_url


def typed(*arguments: str, said: str = "") -> str:
    """What the command answers. Its error where it has one."""
    result = CliRunner().invoke(app, ["person", *arguments], input=said)
    if isinstance(result.exception, GatewayError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def residents(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT name FROM resident ORDER BY name")]


def test_who_is_meant_must_be_clear_and_who_is_erased_typed_in_full(town: str, tmp_path: Path) -> None:
    for arguments, said, why in (
        (["--name", "hansen"], "", "give one of these ids"),
        (["--name", "Nobody"], "", "nobody is called 'Nobody'"),
        (["7"], "", "'7' is no id"),
        (["01a21578-8b45-731b-b04c-b09420a1be91"], "", "there is no resident"),
        (["--name", "moe"], "moe\n", "not the whole name"),
        (["--name", "moe", "--yes"], "", "not the whole name"),
    ):
        with pytest.raises(WhichResident, match=why):
            typed("erase", *arguments, said=said)
    assert residents(town) == sorted(NAMES)
    assert "nothing is left of what was cut short" in typed("erase")
    with pytest.raises(WhichResident, match="say who"):
        typed("access-log")

    # Whoever was listed has it in their log, with who it was that typed.
    who = getpass.getuser()
    assert f"Saw the name beside a device or a rule, or in a list of residents ({who})" in typed(
        "access-log", "--name", "Anne Hansen-Berg", "--language", "en"
    )

    # The whole name is hers, though another's begins with it.
    file = tmp_path / "anne.zip"
    assert "docs/privacy.md" in typed("export", "--name", "anne hansen", "--to", str(file))
    assert "person.json" in zipfile.ZipFile(file).namelist()
    log = typed("access-log", "--name", "Anne Hansen")
    assert re.search(rf"Tok ut alle opplysninger.* \({who}\)", log)
    unwritten = tmp_path / "nowhere" / "anne.zip"
    with pytest.raises(CannotWrite):
        typed("export", "--name", "Anne Hansen", "--to", str(unwritten))
    again = typed("access-log", "--name", "Anne Hansen")
    assert again.count("Tok ut alle") == log.count("Tok ut alle") + 1, "noted before there is a file"
    assert "Looked at this log" in typed("access-log", "--name", "Anne Hansen", "--language", "en")
    with pytest.raises(SettingError, match="--language 'sv'"):
        typed("access-log", "--name", "Anne Hansen", "--language", "sv")
    assert "keep it apart from the backups" in typed("erase", "--name", "Anne Hansen", said="Anne Hansen\n")
    assert "erased, begun" in typed("erase", "--name", "berit moe", "--yes")
    assert residents(town) == [NAMES[1]]
    assert len((tmp_path / "erased.jsonl").read_text().splitlines()) == 2


def test_a_password_is_not_given_where_others_can_read_it() -> None:
    with pytest.raises(SettingError, match="PGPASSWORD"):
        backup_command.restore(Path("x"), into="postgresql://me:secret@host/db")
