"""The suite's fixtures: real servers at every seam.

| fixture | what |
|---|---|
| `database_url` | a fresh, empty PostgreSQL database |
| `migrated_url` | the same with our tables; hypertables where the server of the suite has TimescaleDB |
| `plain_url` | the same without hypertables, also there |
| `timescale_url` | a fresh PostgreSQL with TimescaleDB; one connection at a time |
| `broker` | Mosquitto, shared by this worker's tests: use topics of your own |
| `own_broker` | Mosquitto for one test, which may kill it |
| `smtp` | a mail server that collects |
| `browser`, `phone` | Chromium; a page of it as a phone of 390 x 844 |
| `screenshots` | a folder for this test's pictures, kept |
"""

import gc
import os
import re
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import hypothesis
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from gateway import app
from gateway.embedded import Broker
from gateway.store import db
from tests.support import databases, logs, mail, order, parts, timescale_server

# Where a change is judged, the examples are the same each time; elsewhere every run looks at new ones.
hypothesis.settings.register_profile("hjemmevakt", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("hjemmevakt")
expect.set_options(timeout=30_000)
# Here gateway, devices and test are one process among others': what takes five seconds only says that the machine is busy.
db.OPTIONS |= {"idle_in_transaction_session_timeout": "1min", "lock_timeout": "1min", "statement_timeout": "2min"}
db.KEEPALIVE["connect_timeout"] = "60"
app.HEALTH_WITHIN = 30.0
databases.named_server()
logs.plain()


# Nothing of what is collected is rubbish: not to look for it takes a third off the time.
gc.disable()


def pytest_collection_finish() -> None:
    """From now on there is, but not among what was collected: to look through that would stop the first tests for a second."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What has to do with the shared browser is in its loop, which lives as long as the worker. For their order see there."""
    items[:] = order.dealt(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    for item in items:
        if isinstance(item, pytest.Function) and {"browser", "served"} & set(item.fixturenames):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command that was run in this process has set its own up, to a stream that is gone."""
    yield
    logs.plain()


@pytest.fixture(scope="session")
def database_server() -> Iterator[databases.Server]:
    """The server on which this worker's databases live."""
    with databases.server() as server:
        yield server


@pytest.fixture
def database_url(database_server: databases.Server) -> Iterator[str]:
    """A fresh, empty database."""
    with database_server.fresh() as url:
        yield url


@pytest.fixture
def migrated_url(database_server: databases.Server) -> Iterator[str]:
    """A fresh database with our tables in it."""
    from gateway.store.migrate import migrate  # noqa: PLC0415 - tests without tables do not need it

    with database_server.migrated(migrate) as url:
        yield url


@pytest.fixture
def plain_url(database_server: databases.Server) -> Iterator[str]:
    """The twin: our tables without what needs an extension, also where the server has it."""
    from gateway.store.migrate import migrate, migrations  # noqa: PLC0415 - as above

    plain = [each for each in migrations() if each.requires is None]
    with database_server.migrated(
        partial(migrate, every=plain) if database_server.offers_timescale else migrate,
        "plain" if database_server.offers_timescale else "whole",
    ) as url:
        yield url


@pytest.fixture
def timescale_url() -> Iterator[str]:
    """A fresh PostgreSQL with TimescaleDB (the extension is not yet created). See its module for its limits."""
    with timescale_server.timescale_server() as url:
        yield url


@pytest.fixture
async def hypertable_url(timescale_url: str) -> str:
    """The same with every migration applied, the one that needs the extension too."""
    from gateway.store.migrate import migrate, migrations  # noqa: PLC0415 - as above

    await migrate(timescale_url, timescale_server.in_one_session(migrations()))
    timescale_server.forget_prepared(timescale_url)
    return timescale_url


@pytest.fixture(scope="session")
def _shared_broker() -> Iterator[Broker]:
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    with databases.short_folder() as folder, Broker(folder, server="mosquitto") as broker:
        yield broker


@pytest.fixture
def broker(_shared_broker: Broker) -> Broker:
    """A Mosquitto that this worker's tests share."""
    return _shared_broker


@pytest.fixture
def own_broker() -> Iterator[Broker]:
    """A Mosquitto for this test alone: `stop`, `kill9`, `restart` as you like."""
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    with databases.short_folder() as folder, Broker(folder, server="mosquitto") as broker:
        yield broker


@pytest.fixture
def smtp() -> Iterator[mail.MailServer]:
    """A mail server: `.host`, `.port`, `.messages`, `.fail_next(n)`."""
    server = mail.MailServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the machine's Chromium."""
    return parts.program("Chromium (apt: chromium)", "chromium", "chromium-browser", "google-chrome")


CHROMIUM_FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--no-sandbox",
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _shared_browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, headless=True, args=CHROMIUM_FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(_shared_browser: Browser) -> AsyncIterator[Browser]:
    """A headless Chromium that this worker's tests share: what a context has seen and kept goes with it, after each test."""
    assert not _shared_browser.contexts
    yield _shared_browser
    for context in _shared_browser.contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser) -> AsyncIterator[Page]:
    """A page on a phone of a responder in Stavanger."""
    context = await browser.new_context(
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
        locale="nb-NO",
        timezone_id="Europe/Oslo",
    )
    page = await context.new_page()
    page.set_default_timeout(30_000)
    yield page
    await context.close()


@pytest.fixture
def screenshots(request: pytest.FixtureRequest) -> Path:
    """tests/output/<test>/, kept after the run."""
    folder = Path(__file__).parent / "output" / re.sub(r"[^\w-]+", "-", request.node.name).strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
