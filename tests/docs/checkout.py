"""A copy of what is in the repository, as somebody has it who has just fetched it: for running what the documents say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.reference import ROOT


def checkout(folder: Path) -> Path:
    """Every file that git knows or would add, as it stands in the work tree, below a new folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )  # fmt: skip
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Ours, with the copy's modules in front of those that are installed, and no settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HJEMMEVAKT_", "PYTEST_"))}
    return {**kept, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def with_environment(folder: Path) -> None:
    """Give the copy the tests' own environment as its ``.venv``, so that make finds it ready and nothing is installed."""
    made = folder / ".venv"
    made.mkdir()
    for each in Path(sys.prefix).iterdir():
        if not each.name.startswith(".installed"):
            (made / each.name).symlink_to(each)
    for stamp in (".installed", ".installed-dev"):
        (made / stamp).touch()
