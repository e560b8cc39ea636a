"""The worked examples of the documentation, put into a copy of the repository as the pages say, and held to the conformance
suites of their families – and each does its work in a real gateway."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.checkout import checkout, environment
from tests.docs.reference import ROOT

EXAMPLES = ROOT / "docs/examples"
IN_ORDER = ("kind", "rule", "channel")
SUITES = (
    "tests/devices/test_kinds_conform.py",
    "tests/alerts/test_rules_conform.py",
    "tests/alerts/test_channels.py",
    "tests/alerts/test_simulated_days.py",
    "tests/web/test_translations.py",
    "tests/acceptance/test_every_condition.py",
    "tests/acceptance/test_stove_guard.py",
    "tests/acceptance/test_rise.py",
    "tests/acceptance/test_webhook.py",
)
WHAT = "stove_guard or rise or webhook or healthy_home or translat"
NOT_FILES = ("append", "changes.diff", "__pycache__")


def put_in(example: Path, folder: Path) -> None:
    """Its files where their paths say, its changes applied, its additions at the end of what is there."""
    for path in sorted(each for each in example.rglob("*") if each.is_file()):
        where = path.relative_to(example)
        if where.parts[0] not in NOT_FILES and "__pycache__" not in where.parts:
            assert not (folder / where).exists(), f"{where} is there already"
            (folder / where).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / where)
    for path in sorted(each for each in (example / "append").rglob("*") if each.is_file()):
        with (folder / path.relative_to(example / "append")).open("a", encoding="utf-8") as file:
            file.write(path.read_text("utf-8"))
    if (example / "changes.diff").exists():
        applied = subprocess.run(
            ["git", "apply", "-C1", str(example / "changes.diff")], cwd=folder, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert applied.returncode == 0, applied.stderr


def test_the_examples_conform_and_work(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    for name in IN_ORDER:
        put_in(EXAMPLES / name, folder)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", WHAT, *SUITES],
        cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed, ran.stdout
    assert int(passed[1]) > 80
    assert "skipped" not in ran.stdout
    imports = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert imports.returncode == 0, imports.stdout[-3000:]


def test_every_file_of_an_example_is_shown_on_a_page() -> None:
    pages = {path: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
    for path in (each for each in EXAMPLES.rglob("*") if each.is_file() and "__pycache__" not in each.parts):
        named = f"examples/{path.relative_to(EXAMPLES)}"
        assert any(named in text for text in pages.values()), f"{named} is on no page"
