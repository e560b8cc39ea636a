"""Imports go one way. Every contract in pyproject.toml holds – and is shown to fail when somebody breaks it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("devices", "alerts", "gateway", "simulators")
LINT = Path(sys.executable).with_name("lint-imports")

LAYERS = "gateway over alerts over devices; simulators know devices only"
SIMULATORS = "only the command line, the demo and trials start simulators"
KINDS = "kinds do not know each other"
CHANNELS = "only the shell opens channels"
DATABASE = "psycopg stays in gateway.store"
MQTT = "the MQTT client stays in the gateway's seam and the simulators"
PURE = "devices and alerts are pure: no sockets, files, databases, loops or clocks"

HEAVY = (
    *("pywebpush", "py_vapid", "cryptography", "httpx", "apprise", "aiohttp", "requests", "aiosmtplib"),
    *("icalendar", "recurring_ical_events", "segno", "amqtt", "simulators"),
)
"""What takes some MB, and is needed by few processes or not at once."""
STARTED = """
import asyncio, sys
import gateway.cli, gateway.serve
from gateway.api.app import create_app
from gateway.app import Gateway
from gateway.settings import load

async def start(settings, url):
    gateway = Gateway(settings, url, ["engine", "web"])
    async with gateway.running():
        create_app(gateway.front, gateway, gateway.clock)

asyncio.run(start(load(), sys.argv[1]))
print(sorted(set(sys.argv[2:]) & set(sys.modules)))
"""
"""A gateway with the settings that it has when nothing is set, started as ``hjemmevakt serve`` starts it."""

# (the contract that must fail, where somebody writes something, what)
VIOLATIONS = [
    (LAYERS, "devices/planted.py", "import alerts"),
    (LAYERS, "alerts/planted.py", "import gateway"),
    (LAYERS, "alerts/planted.py", "import simulators"),
    (LAYERS, "simulators/planted.py", "import alerts"),
    (LAYERS, "simulators/planted.py", "import gateway"),
    (SIMULATORS, "gateway/planted.py", "import simulators"),
    (KINDS, "devices/kinds/planted_one/__init__.py", "import devices.kinds.planted_two"),
    (CHANNELS, "alerts/planted.py", "import alerts.channels.planted"),
    (DATABASE, "gateway/planted.py", "import psycopg"),
    (DATABASE, "gateway/planted.py", "from psycopg_pool import AsyncConnectionPool"),
    (DATABASE, "simulators/planted.py", "import psycopg"),
    (MQTT, "gateway/planted.py", "import aiomqtt"),
    (MQTT, "gateway/store/planted.py", "import paho.mqtt.client"),
    (PURE, "devices/kinds/planted_one/__init__.py", "import socket"),
    (PURE, "devices/planted.py", "import time"),
    (PURE, "alerts/planted.py", "import httpx"),
    (PURE, "alerts/rules/planted.py", "import asyncio"),
    (PURE, "alerts/channels/planted.py", "import psycopg"),
]
ALLOWED = [
    ("alerts/channels/planted.py", "import aiosmtplib, asyncio, httpx"),
    ("gateway/mqtt.py", "import aiomqtt, paho.mqtt.client"),
    ("gateway/store/planted.py", "import psycopg, psycopg_pool"),
    ("gateway/planted.py", "import alerts.channels.planted, devices"),
    ("gateway/demo/planted.py", "import simulators"),
    ("simulators/planted.py", "import aiomqtt, devices, paho.mqtt.client"),
]
BYSTANDERS = ("alerts/channels/planted.py", "devices/kinds/planted_two/__init__.py")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the code with its contracts."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=only_python)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for bystander in BYSTANDERS:
        plant(tmp_path, bystander, "")
    return tmp_path


def only_python(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__" or ("." in name and not name.endswith(".py"))]


def plant(tree: Path, path: str, line: str) -> None:
    """Add a line to a file, as somebody in a hurry would."""
    file = tree / path
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as text:
        text.write(f"\n{line}\n")


def lint(tree: Path) -> tuple[int, list[str], str]:
    """Exit code, the contracts that are broken, and everything that was said."""
    done = subprocess.run([LINT, "--no-cache", "--no-logo"], cwd=tree, check=False, capture_output=True, text=True)
    said = done.stdout + done.stderr
    broken = [line.partition(" BROKEN")[0] for line in said.splitlines() if " BROKEN" in line]
    return done.returncode, broken, said


def test_the_code_keeps_its_contracts() -> None:
    code, broken, said = lint(ROOT)
    assert (code, broken) == (0, []), said


@pytest.mark.parametrize(("contract", "path", "line"), VIOLATIONS)
def test_a_violation_breaks_its_contract(tree: Path, contract: str, path: str, line: str) -> None:
    plant(tree, path, line)
    code, broken, said = lint(tree)
    assert code == 1, said
    assert contract in broken, said


def test_what_is_meant_to_be_possible_is(tree: Path) -> None:
    for path, line in ALLOWED:
        plant(tree, path, line)
    code, broken, said = lint(tree)
    assert (code, broken) == (0, []), said


def test_every_contract_is_shown_to_fail() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = {contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]}
    assert named == {contract for contract, _, _ in VIOLATIONS}


def test_a_gateway_starts_without_what_only_some_pages_need(migrated_url: str) -> None:
    command = [sys.executable, "-c", STARTED, migrated_url, *HEAVY]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
