"""README, read by somebody new: every command in it is typed in a fresh copy of the repository, or is in ``NOT_TYPED`` with the
reason why not. What the demo prints is taken at its word."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.docs.checkout import checkout, environment, with_environment
from tests.docs.reference import ROOT
from tests.docs.shell import lines, run
from tests.support import left
from tests.support.databases import short_folder

README = ROOT / "README.md"
NOT_TYPED = {
    "git clone … hjemmevakt && cd hjemmevakt": "it has no address yet; a copy of what git knows stands in its place",
    "hjemmevakt serve": "every story of processes types it (tests/support/processes.py)",
    "make check": "it judges the code, and runs beside this suite",
    "make test": "it is this suite",
    "make fuzz": "it takes minutes; the same tests run here with less junk",
    "make bench": "it takes minutes, and its figures are for somebody who looks at them",
    "make bench-store": "it takes many minutes; twenty thousand rows of it are in tests/bench",
    "make torture": "it takes minutes; ten kills of it are in tests/torture",
}
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
READY_WITHIN = 120.0


def typed() -> list[str]:
    """The commands of README, without the remarks behind them."""
    return [line.split("  #")[0].strip() for line in lines(README)]


def test_every_command_is_typed_here_or_says_why_not() -> None:
    commands = [each for each in typed() if each not in NOT_TYPED]
    assert NOT_TYPED.keys() <= set(typed()), "what is in no README needs no reason"
    make_demo, fall = commands
    assert make_demo == "make demo"
    assert "--say fall-001 fall" in fall


class Demo:
    """`make demo`, as it runs in somebody's terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._output = folder / "var-demo.log"
        plain = {**environment(folder), "COLUMNS": "400", "NO_COLOR": "1", "TERM": "dumb", "PYTHONUNBUFFERED": "1"}
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                ["make", "demo"], cwd=folder, env=plain, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    @property
    def said(self) -> str:
        return ANSI.sub("", self._output.read_text("utf-8", errors="replace"))

    def says(self, what: str) -> re.Match[str]:
        """What it has printed, once it has."""
        until = time.monotonic() + READY_WITHIN
        while (found := re.search(what, self.said)) is None:
            assert self._process.poll() is None, f"it has ended: {self.said}"
            assert time.monotonic() < until, f"it does not say {what}: {self.said}"
            time.sleep(0.1)
        return found

    def ctrl_c(self) -> int:
        """As a terminal does it: everything in the foreground is told. Its exit code."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self._process.wait(60)

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    running = Demo(folder)
    try:
        yield running
    finally:
        running.end()


def test_the_demo_is_started_somebody_falls_and_ctrl_c_leaves_nothing() -> None:
    make_demo, fall = (each for each in typed() if each not in NOT_TYPED)
    with short_folder() as short:
        folder = checkout(short / "hjemmevakt")
        with_environment(folder)
        with demo(folder) as running:
            assert make_demo == "make demo"
            printed = running.says(r"# somebody falls\n\s*(\S.*)")[1]
            page = running.says(r"http://127\.0\.0\.1:\d+")[0]
            port = running.says(r" runs at 127\.0\.0\.1:(\d+)")[1]
            run(printed, folder, environment(folder))
            run(f"{fall} --port {port}", folder, environment(folder))
            fell = [each for each in alerts(page, running) if each["condition"] == "fall"]
            assert fell
            assert {each["severity"] for each in fell} == {40}
            assert left.running(folder), "so that what follows can fail"
            assert running.ctrl_c() in {0, 130, -signal.SIGINT}, running.said
            assert "Traceback" not in running.said
        assert left.left_running(folder) == []
        assert (folder / "var/demo").is_dir(), "what was stored is kept"
        run("make demo-reset", folder, environment(folder))
        assert not (folder / "var/demo").exists()


def alerts(page: str, running: Demo) -> list[dict[str, object]]:
    """What one of the accounts that are printed sees over the API, with the password that is printed."""
    password = running.says(r"with the password (\S+):")[1]
    account = running.says(r"\n\s+(\S+)\s+nurse ")[1]
    with httpx.Client(base_url=f"{page}/api/v1", timeout=30) as api:
        signed = api.post("/sessions", json={"username": account, "password": password})
        assert signed.status_code == 201, signed.text
        answer = api.get("/alerts", headers={"Authorization": f"Bearer {signed.json()['token']}"})
        found: list[dict[str, object]] = answer.json()["alerts"]
        return found
