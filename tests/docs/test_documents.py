"""What the documents say of the code holds: settings, commands, targets, the protocol, links – and nothing else is said."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import takewhile
from pathlib import Path

import pytest
from typer.main import get_command

from devices.dialects.native import DIALECT
from devices.kinds import kinds
from devices.model import Flag, Message, Reason
from devices.redaction import is_secret, redact
from gateway.cli import app
from gateway.clock import SystemClock
from gateway.settings import PREFIX, Settings, load
from simulators.cli import main as simulate
from tests.docs.reference import CONDITIONS, PROTOCOL, ROOT, with_made_parts

README = ROOT / "README.md"
DOCUMENTS = sorted(
    path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")) if path.is_file()
)
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
COMMANDS: dict[str, object] = getattr(get_command(app), "commands", {})


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def rows(text: str, head: str) -> list[list[str]]:
    """The cells of the table with this head, without backquotes."""
    lines = iter(text.splitlines())
    assert any(line.startswith(head) for line in lines), f"no table {head}"
    next(lines)
    table: list[list[str]] = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return table


# README -----------------------------------------------------------------------------------------------------------


def test_the_readme_has_every_setting_with_its_default() -> None:
    shown = {row[0]: row[1] for row in rows(README.read_text("utf-8"), "| variable | default |")}
    actual = {PREFIX + field.upper(): _default(each.default) for field, each in Settings.model_fields.items()}
    assert shown == actual


def _default(value: object) -> str:
    return "–" if value is None else str(value).rstrip("/")


def test_a_secret_and_a_file_of_settings_are_read_as_the_readme_says(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://user@host:5432/hjemmevakt\n")
    (tmp_path / "settings.toml").write_text('database_url = "postgresql://other/"\nmqtt_host = "broker"\n')
    settings = load(
        {
            "HJEMMEVAKT_DATABASE_URL_FILE": str(tmp_path / "url"),
            "HJEMMEVAKT_CONFIG": str(tmp_path / "settings.toml"),
        }
    )
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://user@host:5432/hjemmevakt"
    assert settings.mqtt_host == "broker"


def test_the_readme_has_every_command() -> None:
    shown = [row[0].removeprefix("hjemmevakt ") for row in rows(README.read_text("utf-8"), "| command | what |")]
    assert shown == list(COMMANDS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_commands_and_their_options_exist(document: Path) -> None:
    text = document.read_text("utf-8").replace("\\\n", " ")
    for command, rest in re.findall(
        r"hjemmevakt ((?:serve|migrate|seed|decode|contracts|simulate|demo|backup|restore|(?:broker|person)(?: [a-z-]+)?)\b)([^`\n]*)",
        text,
    ):
        group, _, part = command.partition(" ")
        assert group in COMMANDS
        parts: dict[str, object] = getattr(COMMANDS[group], "commands", {})
        assert not part or part in parts
        if command != "simulate":
            meant = parts[part] if part else COMMANDS[group]
            known = {option for each in meant.params for option in each.opts}  # type: ignore[attr-defined]
            assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= known | {"--help"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_the_simulators_take_the_options_that_are_shown(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        simulate(["--help"])
    known = capsys.readouterr().out
    text = document.read_text("utf-8").replace("\\\n", " ")
    for line in re.findall(r"hjemmevakt simulate([^`\n]*)", text):
        assert all(option in known for option in re.findall(r"(?<!\S)--[a-z-]+", line))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_make_targets_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = document.read_text("utf-8")
    assert set(re.findall(r"(?:`|^    |&& )make ([a-z-]+)", text, re.MULTILINE)) <= targets


def test_the_package_shows_the_readme() -> None:
    assert 'readme = "README.md"' in (ROOT / "pyproject.toml").read_text("utf-8")


# The protocol -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [PROTOCOL, CONDITIONS], ids=name)
def test_the_tables_are_those_of_the_models(document: Path) -> None:
    text = document.read_text("utf-8")
    assert with_made_parts(text) == text, "run: python -m tests.docs.reference"


def test_every_reason_and_every_mark_is_explained() -> None:
    text = PROTOCOL.read_text("utf-8")
    assert [row[0] for row in rows(text, "| reason |")] == [str(each) for each in Reason]
    assert [row[0] for row in rows(text, "| mark |")] == [str(each) for each in Flag]


def test_what_is_said_to_be_taken_out_is_and_what_is_said_to_stay_stays() -> None:
    taken, stays = zip(*(row[:2] for row in _table("| taken out |")), strict=True)
    names = [re.findall(r"`([\w-]+)`", " ".join(column)) for column in (taken, stays)]
    assert len(names[0]) >= 12
    assert [name for name in names[0] if not is_secret(name)] == []
    assert [name for name in names[1] if is_secret(name)] == []
    shown = re.findall(r"`([^`]*4711[^`]*)`", taken[-1])
    assert len(shown) == 3
    assert [each for each in shown if b"4711" in redact(json.dumps({"x": each}).encode())] == []
    for each in ('{"method": "code"}', '"error code 503"'):
        assert redact(each.encode()).decode() == each


def _table(head: str) -> list[list[str]]:
    """The protocol's table with this head, with its backquotes."""
    after = PROTOCOL.read_text("utf-8").partition(head)[2].splitlines()[2:]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in takewhile(lambda each: each[:1] == "|", after)
    ]


def test_what_is_shown_as_an_example_is_understood() -> None:
    shown = re.findall(r"^…/(\S+)/(\S+)  (.*)$", PROTOCOL.read_text("utf-8"), re.MULTILINE)
    assert len(shown) == sum(len(kind.events) for kind in kinds().values())
    kind_of = {
        "ds": "door_sensor", "el": "e_lock", "fa": "fall_alarm", "fs": "fire_sensor", "md": "medicine_dispenser",
        "sa": "safety_alarm",
    }  # fmt: skip
    for device, class_, payload in shown:
        topic = f"hv/v1/stavanger/{kind_of[device[:2]]}/{device}/{class_}"
        DIALECT.decode(Message(topic, payload.encode(), SystemClock().now()))


def test_what_raises_nothing_by_itself_is_harmless() -> None:
    """The protocol says of no known type that it is an uninterpretable alarm."""
    for kind in kinds().values():
        at_once = {event for rule in kind.default_rules if rule["type"] == "immediate" for event in rule["on"]}
        assert set(kind.events) == at_once | kind.harmless


def test_every_kind_has_its_section() -> None:
    text = PROTOCOL.read_text("utf-8")
    for kind in kinds().values():
        assert f"`{kind.name}`" in text
        assert all(f"<!-- made: {part} {kind.name} -->" in text for part in ("events", "rules", "examples"))
        assert f"<!-- made: conditions {kind.name} -->" in CONDITIONS.read_text("utf-8")


# Every document ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_and_pictures_lead_somewhere(document: Path) -> None:
    text = re.sub(r"<!--.*?-->", "", document.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"(?:\]\(|src=\")([^)\"]+)", text):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), target
        if anchor:
            assert anchor in _anchors(found), target


def _anchors(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_files_that_are_named_exist(document: Path) -> None:
    text = document.read_text("utf-8")
    named = re.findall(r"`((?:alerts|devices|gateway|simulators|tests|deploy|docs)/[\w./-]*)`", text)
    here = (ROOT, *(each for each in (ROOT / "docs/examples").iterdir() if each.is_dir()))
    assert [each for each in named if not any((place / each).exists() for place in here)] == []


@pytest.mark.parametrize("record", DECISIONS, ids=name)
def test_a_decision_is_short_and_has_its_parts(record: Path) -> None:
    text = record.read_text("utf-8")
    assert len(text.splitlines()) < 40
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert f"]({record.name})" in (record.parent / "README.md").read_text("utf-8")


def test_decisions_are_numbered_without_gaps() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]


# Words that are split here, so that this file does not hold them itself.
FORBIDDEN = (
    *(
        r"pypi\." + "org",
        r"files\.python" + "hosted",
        r"registry\.npm" + "js",
        "index-" + "url ",
        "extra-index-" + "url",
    ),
    *(r"(?<![\w.])/wo" + "rk/", r"/ro" + "ot/", r"/ho" + r"me/\w"),
)
ALLOWED = {"Makefile": "--no-emit-index-" + "url"}


def test_no_file_names_a_registry_or_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = []
    for path in (ROOT / each for each in listed.splitlines()):
        try:
            text = path.read_text("utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        text = text.replace(ALLOWED.get(path.name, "\0"), "")
        found += [f"{name(path)}: {word}" for word in FORBIDDEN if re.search(word, text)]
    assert found == []
