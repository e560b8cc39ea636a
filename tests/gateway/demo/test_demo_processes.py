"""`hjemmevakt demo` as somebody starts it who has never heard of it: what it prints, its pages, and how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway.demo.tell import TRY
from gateway.embedded import LOOPBACK, EmbeddedPostgres
from tests.support.databases import short_folder
from tests.support.left import left_running
from tests.support.processes import environment, eventually, rows

READY = "Ctrl-C stops everything"
PHASES = ("starting PostgreSQL", "starting the broker", "making the tables", "starting the gateway", READY)


class Demo:
    """A demo that was started: what it has said so far, and its end."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "gateway.cli", "demo", "--folder", str(folder)]
        ports = [] if options else ["--port", "0", "--mqtt-port", "0"]
        self.folder, self.said = folder, folder.parent / f"{folder.name}.said"
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [*command, *ports, *options],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=environment(),
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.said.read_text("utf-8")

    async def says(self, what: str) -> None:
        async def look() -> bool:
            assert self.process.poll() is None or what in self.text, self.text
            return what in self.text

        await eventually(look, f"the demo says {what!r}", 180)

    def url(self) -> str:
        found = re.search(r"Open this:\s+(\S+)", self.text)
        assert found is not None, self.text
        return found.group(1)

    async def ends(self) -> int:
        """The exit code, once it has ended; nothing of it is left running."""
        async with asyncio.timeout(60):
            code = await asyncio.to_thread(self.process.wait)
        assert left_running(self.folder) == []
        return code


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made / "demo"


@asynccontextmanager
async def running(folder: Path, *options: str) -> AsyncIterator[Demo]:
    demo = Demo(folder, *options)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            os.killpg(demo.process.pid, signal.SIGINT)
            await demo.ends()


async def test_a_visitor_sees_it_live_and_ctrl_c_ends_all_of_it(folder: Path) -> None:
    async with running(folder) as demo:
        await demo.says(READY)
        lines = [line.strip() for line in demo.text.splitlines() if line.strip().startswith(("mosquitto_pub", ".venv"))]
        assert len(lines) == len(TRY)
        for line in lines:  # as printed
            subprocess.run(["bash", "-ec", line], check=True, timeout=60)
        url = EmbeddedPostgres(folder / "postgres").url
        for _, _, address, condition in TRY:
            await eventually(lambda a=address, c=condition: _raised(url, a, c), f"{address}: {condition}")  # type: ignore[misc]
        await _one_click_then_the_path(demo.url())
        await _only_one(folder)
        os.killpg(demo.process.pid, signal.SIGINT)
        assert await demo.ends() == 0
        assert "nothing is left running" in demo.text
        assert "Traceback" not in demo.text
        assert (folder / "postgres" / "data").is_dir(), "what was stored stays"


async def _raised(url: str, address: str, condition: str) -> bool:
    query = """SELECT 1 FROM alert a JOIN device d ON d.id = a.device_id WHERE d.address = %s AND a.condition = %s"""
    return bool(await rows(url, query, address, condition))


async def _nothing_there(visitor: httpx.AsyncClient) -> None:
    page = await visitor.get("/no-such-page", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 404
    assert "This page does not exist" in page.text, "a page for people"
    for path, accept in (("/no-such-page", "*/*"), ("/api/v1/no-such-thing", "text/html")):
        problem = await visitor.get(path, headers={"Accept": accept})
        assert problem.status_code == 404
        assert problem.headers["content-type"] == "application/problem+json", (path, accept)


async def _one_click_then_the_path(url: str) -> None:
    headers = {"Origin": url, "Accept-Language": "en"}
    async with httpx.AsyncClient(base_url=url, headers=headers, follow_redirects=True, timeout=30) as visitor:
        welcome = (await visitor.get("/")).text
        assert "Who do you want to be?" in welcome
        foreign = await visitor.post("/demo/be", data={"as": "nurse"}, headers={"Origin": "http://elsewhere.example"})
        assert foreign.status_code == 403
        assert (await visitor.post("/demo/be", data={"as": "king"})).status_code == 404
        assert (await visitor.post("/demo/be", data={"as": "nurse"})).url.path == "/alerts"
        panel = (await visitor.get("/happen")).text
        assert "Make something happen" in panel, "whoever they are now, the visitor reads the same language"
        assert 'href="/quarantine"' not in panel, "no link to what a nurse may not see"
        token = re.search(r'name="csrf_token" value="([^"]+)"', panel)
        assert token is not None
        assert (await visitor.post("/happen", data={"what": "smoke"})).status_code == 403, "without the session's token"
        form = {"what": "smoke", "csrf_token": token.group(1)}
        happened = await visitor.post("/happen", data=form)
        assert re.fullmatch(r"/happen/\d+", happened.url.path)

        async def handed_over() -> str | None:
            page = (await visitor.get(happened.url.path)).text
            parts = re.findall(r'class="leg leg-(\w+)', page)
            wanted = ["message", "stored", "raised", "step", "page", "receipt", "next"]
            return page if all(each in parts for each in wanted) and "leg-undone" not in page else None

        page = await eventually(handed_over, "the whole path of the smoke")
        assert re.search(r"\d\d:\d\d:\d\d\.\d{3}", page or "")
        quiet = await visitor.post("/happen", data={**form, "what": "dies"})
        assert 'class="box waiting"' in quiet.text, "what takes time says when"
        assert (await visitor.get("/happen/999")).status_code == 404
        await _nothing_there(visitor)
        # who sees technical alerts only is told that there is one that is not for them
        await visitor.post("/demo/be", data={"as": "technical"})
        hidden = (await visitor.get(happened.url.path)).text
        assert "leg-raised" not in hidden


async def _only_one(folder: Path) -> None:
    """A second demo on the same folder is refused in a line."""
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.cli", "demo", "--folder", str(folder), "--port", "0", "--mqtt-port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    _, err = await second.communicate()
    assert (second.returncode, err.decode().count("\n")) == (2, 1), err
    assert b"a demo runs already" in err


async def test_a_signal_in_any_phase_leaves_nothing_behind(folder: Path) -> None:
    for phase in PHASES:
        demo = Demo(folder)
        await demo.says(phase)
        os.killpg(demo.process.pid, signal.SIGTERM if phase == READY else signal.SIGINT)
        assert await demo.ends() == 0, phase
        assert "Traceback" not in demo.text, demo.text


@pytest.mark.parametrize("option", ["--mqtt-port"])
async def test_a_port_that_somebody_asked_for_and_cannot_have(folder: Path, option: str) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        taken = str(other.getsockname()[1])
        rest = {"--port": "--mqtt-port", "--mqtt-port": "--port"}[option]
        demo = Demo(folder, option, taken, rest, "0")
        assert await demo.ends() == 2
        assert f"port {taken}" in demo.text
        assert "Traceback" not in demo.text


@pytest.mark.parametrize("where", ["/proc/demo"])
async def test_a_folder_that_cannot_be_written_to(folder: Path, where: str) -> None:
    demo = Demo(folder, "--folder", where, "--port", "0", "--mqtt-port", "0")
    assert await demo.ends() == 2
    assert demo.text.startswith("hjemmevakt: ")
    assert demo.text.count("\n") == 1
