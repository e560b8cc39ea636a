"""What the suite needs from the machine. Where CI is set a missing part fails; elsewhere it skips, and says so."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

TIMESCALE = Path(__file__).parent / "timescale"


def missing(what: str) -> NoReturn:
    """End the test: without `what` it would show nothing. `make test` installs it on Debian as root (tests/setup.sh)."""
    reason = f"MISSING ON THIS MACHINE: {what} – run tests/setup.sh as root, or install it by hand"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def program(what: str, *names: str) -> str:
    """The path of the first of these programs that the machine has."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    for name in names:
        found = shutil.which(name, path=path)
        if found is not None:
            return found
    missing(what)
