"""A whole trial: its own PostgreSQL and Mosquitto, a municipality, the gateway in controlled time, and the verdict."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway import seed as seeding
from gateway.app import Gateway
from gateway.clock import pause
from gateway.embedded import Broker, EmbeddedPostgres
from gateway.errors import GatewayError
from gateway.rulebook import install_defaults
from gateway.settings import Settings, load
from gateway.store import trials
from gateway.store.db import Connection, opened
from gateway.store.migrate import migrate
from gateway.trial.crew import Crew, Did
from gateway.trial.expect import Script
from gateway.trial.explain import cause
from gateway.trial.verdict import Stored, Verdict, judge
from gateway.trial.week import Ran, Week
from simulators.faults import NO_FAULTS, Faults
from simulators.field import Field, Plan
from simulators.home import Fitting, Life
from simulators.link import Broker as SimulatedBroker
from simulators.people import LIVELY
from simulators.wire import Wire, wired

BEGINS = datetime(2026, 11, 23, 11, tzinfo=UTC)
"""A Monday at noon in Oslo: a trial's weeks are all the same week."""
LATE = timedelta(minutes=2)
START_WITHIN = 30.0

Seam = Callable[[Gateway], Awaitable[None]]


class UnknownDevice(GatewayError):
    """A fault was asked for on a device that the trial does not have."""


@dataclass(frozen=True)
class Trial:
    """What is to be tried. ``after_start``, ``before_verdict``: for tests that break something on purpose."""

    homes: int
    days: float
    seed: int = 1
    life: Life = LIVELY
    faults: Faults = NO_FAULTS
    speed: float | None = None
    password: str = field(default_factory=lambda: secrets.token_urlsafe(9), repr=False)
    begins: datetime = BEGINS
    after_start: Seam | None = None
    before_verdict: Seam | None = None

    @property
    def until(self) -> datetime:
        return self.begins + timedelta(days=self.days)


@dataclass(frozen=True)
class Outcome:
    """All that came of it."""

    plan: Plan
    script: Script
    stored: Stored
    verdict: Verdict
    did: Did
    ran: Ran

    @property
    def passed(self) -> bool:
        return not self.verdict.findings


@dataclass
class Progress:
    """What is told while it runs: ``done`` a step, ``now`` the time it is, after each quantum."""

    done: Callable[[str], None] = field(default=lambda _: None)
    now: Callable[[datetime], None] = field(default=lambda _: None)


@contextmanager
def servers() -> Iterator[tuple[str, Broker]]:
    """A PostgreSQL and a broker of our own, gone at the end. EmbeddedError where one cannot be started."""
    folder = Path(tempfile.mkdtemp(prefix="hjemmevakt-"))
    try:
        with (
            EmbeddedPostgres(folder / "postgres", durable=False) as postgres,
            Broker(folder / "broker") as broker,
        ):
            yield postgres.url, broker
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def run(trial: Trial, url: str, broker: Broker, progress: Progress | None = None) -> Outcome:
    """A trial in an empty database."""
    progress = progress or Progress()
    await migrate(url)
    devices = await _town(url, trial)
    _check_named(trial.faults, devices)
    plan = Plan(seeding.SITE, devices, trial.begins, trial.until, trial.seed, trial.life, trial.faults)
    progress.done(f"{trial.homes} homes with {len(devices)} devices")
    gateway = Gateway(_settings(trial, broker), url, roles=("ingest", "engine"))
    async with gateway.running(), wired(SimulatedBroker(broker.host, broker.port), plan.site) as wire:
        await _connected(gateway)
        return await _lived(trial, plan, gateway, wire, progress)


async def _lived(trial: Trial, plan: Plan, gateway: Gateway, wire: Wire, progress: Progress) -> Outcome:
    homes = Field(plan)
    script = Script(homes.truth)
    crew = Crew(gateway, trial.password, trial.seed, lambda call: bool((led := cause(script, call)) and led.real))
    if trial.after_start is not None:
        await trial.after_start(gateway)
    assert gateway.controlled is not None
    week = Week(gateway, gateway.controlled, homes, wire, crew, progress.now, trial.speed)
    ran = await week.run(trial.until)
    homes.end()
    if trial.before_verdict is not None:
        await trial.before_verdict(gateway)
    stored = await gateway.database.run(lambda each: _stored(each, ran))
    return Outcome(plan, script, stored, judge(script, stored, trial.until, crew.did.given), crew.did, ran)


def _check_named(faults: Faults, devices: Sequence[Fitting]) -> None:
    """UnknownDevice for a fault on a device that is not there."""
    known = sorted(each.address for each in devices)
    for address, fault in sorted(faults.on):
        if address not in known:
            raise UnknownDevice(
                f"--fault {address}:{fault}: there is no such device; there are {', '.join(known[:6])} …"
            )


async def _stored(connection: Connection, ran: Ran) -> Stored:
    prints = [(each, await trials.fingerprint(connection, each.until, each.audit_id)) for each in ran.prints]
    return Stored(
        alerts=await trials.alerts(connection),
        entries=await trials.entries(connection),
        pages=await trials.pages(connection),
        messages=await trials.stored(connection),
        quarantine=await trials.quarantined(connection),
        late=await trials.late(connection, LATE.total_seconds()),
        heard=frozenset(ran.heard),
        prints=prints,
        audit_out_of_order=await trials.out_of_order(connection),
        changeable=await trials.can_be_changed(connection),
    )


async def _town(url: str, trial: Trial) -> tuple[Fitting, ...]:
    """The seeded municipality; one dwelling in ten has a couple, so that there are as many homes as were asked for."""
    residents = trial.homes + (trial.homes - 1) // 9

    async def make(connection: Connection) -> list[dict[str, object]]:
        await install_defaults(connection, trial.begins)
        await seeding.seed(connection, trial.begins, trial.password, trial.seed, residents)
        return await seeding.simulated(connection)

    async with opened(url) as database:
        rows = await database.run(make)
    return tuple(Fitting.model_validate(row) for row in rows)


def _settings(trial: Trial, broker: Broker) -> Settings:
    return load(
        {},
        environment="test",
        mqtt_host=broker.host,
        mqtt_port=broker.port,
        mqtt_version=5 if broker.supports_mqtt5 else 3,
        controlled_clock=trial.begins,
        canary_seconds=60,
        deaf_seconds=3600,
        settle_seconds=0,
        log_level="error",
    )


async def _connected(gateway: Gateway) -> None:
    async with asyncio.timeout(START_WITHIN):
        while len(gateway.lanes) < 2 or not all(each.connected for each in gateway.lanes.values()):
            await pause(0.02)
