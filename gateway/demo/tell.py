"""What the demo tells at a terminal: progress while it starts, and then what to do with it. Plain lines where there is none."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from devices.dialects.native import topic_of
from devices.model import DeviceAddress
from gateway import seed as seeding
from gateway.clock import monotonic
from gateway.demo.visitors import Visitor
from gateway.embedded import Broker
from simulators.home import class_of

TRY = (
    ("somebody falls", "fall_alarm", "fall-001", "fall"),
    ("somebody presses the button", "safety_alarm", "trygg-013", "button_pressed"),
    ("a dispenser says that a dose was not taken", "medicine_dispenser", "disp-001", "dose_missed"),
)
"""What the printed lines make happen: what, the kind, the device, and the type of its message."""


@dataclass(frozen=True, slots=True)
class Running:
    """What is to be told of a demo that runs."""

    url: str
    broker: Broker
    folder: Path
    password: str
    visitors: tuple[Visitor, ...]
    seconds: float


class Progress:
    """A line for each step, when it is done; at a terminal also what is being done."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True, markup=False)
        self.began = monotonic()

    @property
    def seconds(self) -> float:
        return monotonic() - self.began

    @contextmanager
    def step(self, doing: str) -> Iterator[list[str]]:
        """The block does it, and may put into the list what is said in the end."""
        done, began = [doing], monotonic()
        if self._console.is_terminal:
            with self._console.status(f"{doing} …"):
                yield done
        else:
            self.line(f"  … {doing}")
            yield done
        self.line(f"  ✓ {done[-1]} ({monotonic() - began:.1f} s)")

    def line(self, text: str = "") -> None:
        self._console.print(text)
        sys.stdout.flush()


def told(running: Running) -> Iterator[str]:
    """What is printed when everything runs."""
    yield ""
    yield f"  Open this:  {running.url}      ready after {running.seconds:.0f} s"
    yield "              One click there makes you a nurse, a lead, the response centre … Then make something happen."
    yield ""
    yield f"  Accounts, all with the password {running.password}:"
    yield from (f"    {each.username:<10} {each.key:<11} {each.name}, {each.zone}" for each in running.visitors)
    yield f"  The API: {running.url}/docs      How it is: {running.url}/health"
    yield ""
    yield "  Make something happen from another window, in this folder:"
    for what, kind, address, type_ in TRY:
        yield f"    # {what}"
        yield f"    {_line(running, kind, address, type_)}"
    if not running.broker.supports_mqtt5:
        yield ""
        yield f"  The broker is {running.broker.name}, which is for trying out only: it may lose messages while the gateway is"
        yield "  away. Install Mosquitto (apt install mosquitto) and start the demo again for the real thing."
    yield ""
    yield f"  Ctrl-C stops everything. What was stored stays in {running.folder}; make demo-reset starts afresh."


def _line(running: Running, kind: str, address: str, type_: str) -> str:
    """With the broker's own tool; with ours where it is missing."""
    if not shutil.which("mosquitto_pub"):
        devices = running.folder / "devices.json"
        return f"{_command()} simulate --port {running.broker.port} --devices {devices} --say {address} {type_}"
    topic = topic_of(DeviceAddress(seeding.SITE, "native", address), kind, class_of(kind, type_))
    body = f'{{"id":"\'$(date +%s%N)\'","time":"\'$(date -u +%FT%TZ)\'","type":"{type_}"}}'
    return f"mosquitto_pub -p {running.broker.port} -q 1 -t {topic} -m '{body}'"


def _command() -> str:
    """Our command, as it can be typed here."""
    path = Path(sys.executable).with_name("hjemmevakt")
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
