"""The peer: Node-RED as people write it for speed, batched by hand in a function node that inserts 500 rows at once, or what has
come within 50 ms. It acknowledges before it stores, checks nothing and stores everything twice that comes twice.

Its packages are in ``nodered/`` with exact versions, and are installed by npm when they are first needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.embedded import Broker, EmbeddedPostgres, free_port

HERE = Path(__file__).parent / "nodered"
INSTALL_SECONDS = 240
PROGRAM = HERE / "node_modules" / "node-red" / "red.js"


class NodeRed:
    """Node-RED with our flow, within the block. ``folder`` is its own."""

    def __init__(self, folder: Path, broker: Broker, postgres: EmbeddedPostgres) -> None:
        folder.mkdir(exist_ok=True)
        shutil.copy(HERE / "flow.json", folder)
        self._log = folder / "log"
        socket = postgres.url.partition("host=")[2]
        self._environment = {
            **os.environ,
            "BENCH_PORT": str(free_port()),
            "BENCH_MQTT_PORT": str(broker.port),
            "PGHOST": socket.replace("%2F", "/"),
            "PGUSER": "postgres",
            "PGDATABASE": postgres.DATABASE,
        }
        self._command = ["node", str(PROGRAM), "--settings", str(HERE / "settings.js"), "--userDir", str(folder),
                         "flow.json"]  # fmt: skip

    @staticmethod
    def missing() -> str | None:
        """Why it cannot run, after an attempt to install it; None when it can."""
        if shutil.which("node") is None or shutil.which("npm") is None:
            return "Node.js is missing (Debian: apt-get install nodejs npm)"
        if PROGRAM.exists():
            return None
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            done = subprocess.run(
                command, cwd=HERE, check=False, capture_output=True, text=True, timeout=INSTALL_SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"npm has not installed it within {INSTALL_SECONDS} s"
        return None if done.returncode == 0 else f"npm could not install it: {done.stderr.strip()[-300:]}"

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if kind is not None:
            print(self._log.read_text()[-2000:])
