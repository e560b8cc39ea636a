"""Every operation is called with what its schema allows, and with what it does not, against the real application.

As an administrator and as a responder, of a small municipality whose ids are given out, so that it gets past 404. An
answer conforms to what the document says: no error of ours, no status and no content type that it does not name, no body
that its schema does not. The stream of changes has stories of its own (`test_changes.py`).
"""

from __future__ import annotations

import asyncio
from datetime import time, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.api import schemas
from gateway.embedded import Broker
from tests.gateway.served import API, Served, on_a_socket, served
from tests.support.silences import is_away, silences
from tests.support.town import PASSWORD

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 4
PARTS = 3
"""Of the operations, so that they are called side by side."""
"""For each operation and reader."""
STREAMS = f"{API}/changes"
NOUNS = {
    "me": "contact",
    "alerts": "alert",
    "pages": "page",
    "devices": "device",
    "doses": "dose_schedule",
    "residents": "resident",
    "dwellings": "dwelling",
    "people": "person",
    "rosters": "zone",
    "shifts": "roster_shift",
    "rotations": "rotation",
    "overrides": "roster_override",
    "swaps": "roster_swap",
    "absences": "absence",
    "feeds": "roster_feed",
    "policies": "policy",
    "teams": "team",
    "commands": "command",
    "push": "contact",
    "quarantine": "quarantine",
    "rules": "rule",
    "silences": "silence",
}
FIELDS = {name: name for name in ("alert", "device", "resident", "dwelling", "zone")} | dict.fromkeys(
    ("to", "person", "other", "leaves", "comes", "cover", "asks"), "person"
)


async def ids(it: Served) -> dict[str, list[str]]:
    """Of each noun a few, of a home with everything in it."""
    home = await it.town.home()
    lock = await it.town.fits(home, "e_lock")
    await it.town.says(home.fall_alarm, "fall")
    await it.town.says(home.dispenser, "jam")
    await it.town.publishes(f"hv/v1/{it.town.site}/fall_alarm/x/event", b"\x00\xff nonsense")
    (alert,) = await it.town.alerts("fall")
    await it.town.asks("Kari", alert["uid"], lock, "unlock")
    await silences(it.town, "Siri", home)
    await is_away(it.town, "Siri", home)
    await it.town.rows(
        """INSERT INTO dose_schedule (uid, installation_id, local_time, weekdays, from_date, watched_until)
           SELECT gen_random_uuid(), i.id, '09:00', '{0,1}', '2026-01-01', %s FROM installation i WHERE device_id = %s""",
        it.town.now,
        home.dispenser.id,
    )
    await plan(it)
    await it.town.rows(
        "INSERT INTO team (uid, zone_id, name, version) VALUES (gen_random_uuid(), %s, 'Natt', 1)",
        it.town.zones["Sone"],
    )
    found = {}
    for table in {*NOUNS.values(), *FIELDS.values()}:
        outside = "key" if table == "page" else "uid"
        rows = await it.town.rows(f"SELECT {outside} AS uid FROM {table} ORDER BY id LIMIT 4")
        assert rows, f"there is something of {table}"
        found[table] = [str(row["uid"]) for row in rows]
    return found


async def plan(it: Served) -> None:
    """Something of everything that a roster has."""
    siri, kari, ola = await it.client("Siri"), await it.client("Kari"), UUID(await it.uid("Ola"))
    (row,) = await it.town.rows("SELECT uid FROM zone WHERE name = 'Sone'")
    zone, day = row["uid"], it.town.now + timedelta(days=3)
    ends = day + timedelta(hours=4)
    turns = schemas.RotationRequest(name="Natt", persons=(ola,), first_day=day.date(), hand_over=time(8), position=9)
    await siri.add_rotation(zone, turns)
    await siri.add_override(zone, schemas.OverrideRequest(leaves=ola, begins=day, ends=ends))
    absence = schemas.AbsenceRequest(person=ola, begins=day + timedelta(days=9), ends=day + timedelta(days=10))
    await siri.report_absence(absence)
    await kari.add_feed(schemas.FeedRequest())
    await it.town.rows(
        """INSERT INTO roster_swap (uid, zone_id, role, asks_id, asks_during, gives_id, gives_during, state, created_at, created_by)
           SELECT gen_random_uuid(), %s, 'responder', %s, tstzrange(%s, %s), %s, tstzrange(%s, %s), 'proposed', %s, %s""",
        it.town.zones["Sone"],
        it.town.staff["Ola"],
        day,
        ends,
        it.town.staff["Kari"],
        day + timedelta(days=1),
        ends + timedelta(days=1),
        it.town.now,
        it.town.staff["Ola"],
    )


def put_ids(case: Any, data: Any, known: dict[str, list[str]], site: str) -> None:
    """Most ids are those of something that is there."""
    noun = NOUNS.get(case.path.removeprefix(f"{API}/").split("/")[0])
    if noun and case.path_parameters and data.draw(st.integers(0, 4)):
        case.path_parameters[next(iter(case.path_parameters))] = data.draw(st.sampled_from(known[noun]))
    for part in (case.query, case.body):
        if not isinstance(part, dict):
            continue
        for name in [*part, *(["scope"] if isinstance(part.get("scope"), dict) else [])]:
            if name in FIELDS and isinstance(part[name], str):
                part[name] = data.draw(st.sampled_from(known[FIELDS[name]]))
            if name == "site" and isinstance(part[name], str):
                part[name] = site


def call_everything(
    url: str, document: dict[str, Any], part: int, tokens: dict[str, str], known: dict[str, list[str]], site: str
) -> tuple[int, int]:
    """Every operation of a part. In a thread, as programs do it. How many there are, and how many answers were not refused."""
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=url)
    called, fine, wrong = 0, 0, list[Exception]()
    with httpx.Client(timeout=30) as http:
        for number, result in enumerate(schema.get_all_operations()):
            if number % PARTS != part:
                continue
            operation: Any = result.ok() if isinstance(result, Ok) else None
            assert operation is not None, result
            if operation.path == STREAMS:
                continue
            called += 1
            for name, mode in product(tokens, (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)):
                try:
                    fine += _call(operation, mode, http, tokens, name, known, site)
                except Exception as error:  # noqa: BLE001 - all of them are told, together
                    wrong.append(error)
    if wrong:
        raise ExceptionGroup("answers that are not as the schema says", wrong)
    return called, fine


def _call(
    operation: Any,
    mode: GenerationMode,
    http: httpx.Client,
    tokens: dict[str, str],
    name: str,
    known: dict[str, list[str]],
    site: str,
) -> int:
    fine = 0

    @settings(
        max_examples=EXAMPLES if mode is GenerationMode.POSITIVE else EXAMPLES // 2,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def story(data: Any) -> None:
        nonlocal fine
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if mode is GenerationMode.POSITIVE:
            put_ids(case, data, known, site)
        if operation.path.endswith("/sessions/current"):  # or nobody would be signed in any more
            body = {"username": name.lower(), "password": PASSWORD}
            token = http.post(f"{case.operation.base_url}{API}/sessions", json=body).json()["token"]
        else:
            token = tokens[name]
        reply = case.call(timeout=60, headers={"Authorization": f"Bearer {token}"})
        case.validate_response(reply, checks=CHECKS)
        fine += reply.status_code < 400

    try:
        story()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "of nothing, nothing can be wrong"
    except Exception as error:
        error.add_note(f"{name} at {operation.method.upper()} {operation.path}")
        raise
    return fine


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # the gateway does, meanwhile, in its own thread
@pytest.mark.parametrize("part", range(PARTS))
async def test_every_operation_answers_as_its_schema_says(migrated_url: str, broker: Broker, part: int) -> None:
    async with served(migrated_url, broker) as it, on_a_socket(it) as url:
        known = await ids(it)
        for name in ("Ada", "Kari"):
            await it.bearer(name)
        document = (await it.http.get("/openapi.json")).json()
        called, fine = await asyncio.to_thread(call_everything, url, document, part, it.tokens, known, it.town.site)
        assert called >= len(document["paths"]) // PARTS
        assert fine >= called, "most of it gets past the door"
