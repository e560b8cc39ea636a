"""The commands that documents tell people to type, and how a test runs them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

BASH = re.compile(r"^```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:^    .*\n)+", re.MULTILINE)


def blocks(document: Path) -> list[str]:
    """The ``bash`` blocks of a page, in order."""
    return BASH.findall(document.read_text("utf-8"))


def lines(document: Path) -> list[str]:
    """Indented lines of a document, as README has its commands; those that go on are put together."""
    text = document.read_text("utf-8").replace("\\\n", " ")
    return [line.strip() for block in INDENTED.findall(text) for line in block.splitlines()]


def run(script: str, folder: Path, environment: Mapping[str, str], seconds: float = 120) -> str:
    """What a script prints; AssertionError with all that it said where a line of it fails."""
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=seconds,
    )  # fmt: skip
    assert ran.returncode == 0, f"{script}\nended with {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout + ran.stderr
