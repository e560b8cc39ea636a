"""The MQTT broker that comes along: Mosquitto when the machine has it, else a stand-in."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from gateway.embedded.ground import (
    START_SECONDS,
    STOP_SECONDS,
    EmbeddedError,
    Identity,
    Server,
    identity,
    make_folder,
    open_for_server_user,
    tail,
)
from gateway.embedded.ports import LOOPBACK, free_port


class Broker(Server):
    """An MQTT broker on the loopback: Mosquitto when the machine has it, else amqtt (a stand-in for demos).

    `settings` are further lines of Mosquitto's configuration (an ACL file, listeners …). What Mosquitto keeps lies in
    `folder`, so a restart finds sessions and queued messages again.
    """

    # Mosquitto's own defaults lose data: 1,000 queued messages for a subscriber that is away, 20 in flight. No limit is written as
    # a large number, as in broker/configure.py: 0 is broken in some versions.
    CONFIGURATION = """\
listener {port} {host}
allow_anonymous {anonymous}
set_tcp_nodelay true
persistence true
persistence_location {folder}/
autosave_interval 30
max_queued_messages 10000000
max_queued_bytes 268435456
message_size_limit 1048576
max_inflight_messages 0
log_dest stdout
log_type error
log_type warning
log_type notice
connection_messages false
"""

    def __init__(
        self,
        folder: Path | str,
        port: int | None = None,
        *,
        server: Literal["mosquitto", "amqtt"] | None = None,
        allow_anonymous: bool = True,
        settings: str = "",
    ) -> None:
        self.folder = Path(folder).expanduser().resolve()
        self.host = LOOPBACK
        self.port = port or free_port()
        self.name = server or _broker_at_hand()
        self.log = self.folder / "broker.log"
        self._anonymous = allow_anonymous
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def supports_mqtt5(self) -> bool:
        """amqtt speaks MQTT 3.1.1 only."""
        return self.name == "mosquitto"

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process' number while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start the broker; afterwards it accepts connections. Call from a thread that lives as long as the program:
        the kernel ties the broker's life to the thread that started it."""
        if self.pid is not None:
            return
        if _accepts(self.host, self.port):
            raise EmbeddedError(
                f"port {self.port} on {self.host} is taken by another program; give the broker another one"
            )
        make_folder(self.folder)
        command, who = self._mosquitto() if self.name == "mosquitto" else (self._amqtt(), {})
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_dies_with_us(), *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, start_new_session=True, **who,
            )  # fmt: skip
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill9()
            raise

    def stop(self) -> None:
        """End the broker in order: it saves its sessions and queues."""
        self._end(signal.SIGTERM)

    def kill9(self) -> None:
        """End the broker as a crash would: what it has not saved is lost."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop in order, and start again on the same port with the same folder."""
        self.stop()
        self.start()

    def _mosquitto(self) -> tuple[list[str], Identity]:
        configuration = self.CONFIGURATION.format(
            port=self.port, host=self.host, folder=self.folder, anonymous=str(self._anonymous).lower()
        )
        path = self.folder / "mosquitto.conf"
        path.write_text(configuration + self._settings)
        open_for_server_user([self.folder, *self.folder.iterdir()])
        return [_mosquitto_program() or "mosquitto", "-c", str(path)], identity()

    def _amqtt(self) -> list[str]:
        # -P keeps the working folder out of the import path; the module is named by its file, as we may not be installed.
        return [sys.executable, "-P", str(Path(__file__).with_name("amqtt_broker.py")), self.host, str(self.port)]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _accepts(self.host, self.port):
            if self.pid is None or time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self.name} did not start on port {self.port}; the end of {self.log}:\n{tail(self.log)}"
                )
            time.sleep(0.02)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _broker_at_hand() -> Literal["mosquitto", "amqtt"]:
    if _mosquitto_program() is not None:
        return "mosquitto"
    if importlib.util.find_spec("amqtt") is not None:
        return "amqtt"
    raise EmbeddedError(
        "no MQTT broker: install mosquitto, or pip install 'hjemmevakt[embedded]', or name the broker you have"
    )


def _mosquitto_program() -> str | None:
    """Debian puts it into /usr/sbin, which is not on every user's PATH."""
    return shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def _accepts(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def _dies_with_us() -> Sequence[str]:
    """A command prefix: the kernel sends SIGTERM to the server when the thread that started it is gone."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv is not None and sys.platform == "linux" else []
