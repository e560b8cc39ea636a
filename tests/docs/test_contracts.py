"""The published contracts are those of the program, valid, and say what the decoder does.

Where schema and decoder differ is named in ``MORE`` (what only the decoder refuses) and ``LESS`` (what only the schema does);
whatever else differs is a fault of one of the two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.protocols import Validator

from devices import contract
from devices.dialects.native import DIALECT, read_command
from devices.kinds import Kind, kinds
from devices.model import DecodeError, DeviceAddress, Message, MessageClass, Reason, parse_time
from gateway.api.app import create_app
from gateway.app import Gateway
from gateway.contracts import every_contract, protocol_contracts, write, written
from gateway.errors import SettingError
from gateway.settings import load
from tests.devices.fuzz import NASTY, mutated
from tests.devices.golden import Example, all_examples
from tests.docs.reference import ROOT
from tests.support import parts

FOLDER = ROOT / "docs/contracts"
ASYNCAPI = Path(__file__).parents[1] / "support/asyncapi/node_modules/@asyncapi/specs/schemas/3.0.0.json"
NOW = datetime(2026, 11, 22, 2, 10, 5, tzinfo=UTC)
ADDRESS = DeviceAddress("stavanger", "native", "x-1")
RFC_3339 = re.compile(r"\d{4}-[01]\d-[0-3]\d[Tt ][0-2]\d:[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-][0-2]\d:[0-5]\d)", re.ASCII)
EVERY_KIND = pytest.mark.parametrize("kind", kinds().values(), ids=list(kinds()))


# As they are checked in -----------------------------------------------------------------------------------------------


def test_what_is_checked_in_is_what_the_program_says() -> None:
    expected = {name: written(document) for name, document in every_contract().items()}
    found = {str(path.relative_to(FOLDER)): path.read_text("utf-8") for path in FOLDER.rglob("*.json")}
    assert found.keys() == expected.keys(), "run: make contracts"
    assert [name for name in expected if found[name] != expected[name]] == [], "run: make contracts"


def test_they_are_written_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/toaster.json").write_text(written({"$id": f"{contract.IDENTITY}toaster"}))
    (tmp_path / "schemas/mine.json").write_text('{"$id": "urn:mine"}')
    assert len(write(tmp_path)) == len(every_contract())
    assert (tmp_path / "asyncapi.json").read_text("utf-8") == written(every_contract()["asyncapi.json"])
    assert sorted(path.stem for path in (tmp_path / "schemas").iterdir()) == sorted([*kinds(), "mine", "receipt"])
    with pytest.raises(SettingError, match="cannot be written"):
        write(tmp_path / "schemas/mine.json")


async def test_the_gateway_serves_them() -> None:
    gateway = Gateway(load({}), "")
    app = create_app(gateway.front, gateway, gateway.clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.test") as http:
        named = (await http.get("/contracts")).json()
        assert [(await http.get(name)).json() for name in named] == list(protocol_contracts().values())
        unknown = await http.get("/contracts/schemas/toaster.json")
        assert (unknown.status_code, unknown.json()["reason"]) == (404, "contract")
        assert (await http.get("/openapi.json")).json() == every_contract()["openapi.json"]


# AsyncAPI ---------------------------------------------------------------------------------------------------------------


@cache
def asyncapi_itself() -> Validator:
    if not ASYNCAPI.is_file():
        parts.missing("tests/support/asyncapi/node_modules (npm ci)")
    return Draft7Validator(json.loads(ASYNCAPI.read_text("utf-8")))


def test_the_asyncapi_document_is_valid_by_its_own_schema() -> None:
    document = protocol_contracts()["asyncapi.json"]
    errors = sorted(asyncapi_itself().iter_errors(document), key=lambda error: len(error.absolute_path))
    assert [f"{error.json_path}: {error.message:.300}" for error in errors] == []
    spoilt: tuple[dict[str, Any], ...] = (
        {"channels": {"alarm": {"adress": "x"}}},
        {"operations": {"x": {"action": "hear", "channel": {"$ref": "#/channels/alarm"}}}},
        {"servers": {"broker": {"protocol": "mqtt"}}},
    )
    for each in spoilt:
        assert not asyncapi_itself().is_valid({**document, **each}), "and it would tell"


def test_every_reference_leads_somewhere() -> None:
    for name, document in every_contract().items():
        for target in references(document):
            found: Any = document
            for step in target.removeprefix("#/").split("/"):
                assert step in found, f"{name}: {target}"
                found = found[step]


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        for each in document.values():
            yield from references(each)
    elif isinstance(document, list):
        for each in document:
            yield from references(each)


def test_its_examples_are_the_golden_ones_and_are_what_they_are_examples_of() -> None:
    document = protocol_contracts()["asyncapi.json"]
    shown = 0
    for name, message in document["components"]["messages"].items():
        payload = {**document, **message["payload"]}
        for example in message.get("examples", ()):
            assert Draft7Validator(payload).is_valid(example["payload"]), name
            shown += 1
        kind, _, event = name.partition(".")
        assert message.get("examples") or event == "other" or kind == "command", f"{name} is shown"
    assert shown > sum(len(kind.events) for kind in kinds().values())


# JSON Schema --------------------------------------------------------------------------------------------------------------


@cache
def validator(kind: str, message_class: str) -> Validator:
    schema = contract.kind_schema(kinds()[kind])
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator({**schema, **({"$ref": "#/$defs/status"} if message_class == "status" else {})})


def by_schema(kind: str, message_class: str, body: Any) -> bool:
    return validator(kind, message_class).is_valid(body)


def by_decoder(message: Message) -> DecodeError | None:
    try:
        DIALECT.decode(message)
    except DecodeError as error:
        return error
    return None


def _deep(body: Any, levels: int = 17) -> bool:
    if levels == 0:
        return True
    items = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    return any(_deep(each, levels - 1) for each in items)


def _numbers(body: Any) -> Iterator[float]:
    if isinstance(body, dict | list):
        for each in body.values() if isinstance(body, dict) else body:
            yield from _numbers(each)
    elif isinstance(body, int | float):
        yield body


def _no_time(body: Any) -> bool:
    """A time as RFC 3339 spells it, that no calendar has or that is not to be had in UTC."""
    return any(isinstance(value, str) and RFC_3339.fullmatch(value) and not _is_time(value) for value in body.values())


MORE: Mapping[Reason, Callable[[Any], bool]] = {
    Reason.NOT_STORABLE: lambda body: _deep(body) or any(abs(each) >= 2**63 for each in _numbers(body)),
    Reason.BAD_TIME: _no_time,
    Reason.BAD_FIELDS: lambda body: _no_time(body) or any(isinstance(each, float) and each.is_integer() for each in body.values()),
}  # fmt: skip
"""Values that only the decoder refuses: too deep, integers beyond 64 bits, days that do not exist, and a count as ``4.0``
(which JSON Schema counts as an integer). What is no JSON, or too large, is nothing that a schema is shown."""


def LESS(body: Any) -> bool:  # noqa: N802 - the other half of MORE
    """Values that only the schema refuses: times that ISO 8601 knows and RFC 3339 does not, as ``20261122T0310+01``."""
    return any(isinstance(value, str) and not RFC_3339.fullmatch(value) and _is_time(value) for value in body.values())


def _is_time(value: str) -> bool:
    try:
        parse_time(value)
    except ValueError:
        return False
    return True


def assert_agreed(kind: str, message: Message) -> str:
    """Decoder and schema say the same of a message, or differ as named. What both said, or what differed."""
    body, refused = body_of(message), by_decoder(message)
    if body is None:
        assert refused is not None
        return "no JSON"
    taken = by_schema(kind, message.topic.rpartition("/")[2], body)
    if taken == (refused is None):
        return "taken" if taken else "refused"
    if refused is None:
        assert LESS(body), f"only the schema refuses {message.payload!r}"
        return "less"
    if refused.reason in {Reason.NOT_JSON, Reason.TOO_LARGE}:
        return "bytes"
    assert MORE[refused.reason](body), f"only the decoder refuses {message.payload!r}: {refused}"
    return "more"


def body_of(message: Message) -> Any:
    try:
        return json.loads(message.payload)
    except (ValueError, RecursionError):
        return None


@pytest.mark.parametrize(
    "example", [each for each in all_examples() if each.error not in {"topic", "unknown_kind"}], ids=str
)
def test_golden_examples_are_judged_alike(example: Example) -> None:
    said = assert_agreed(example.kind, example.message)
    assert said == "taken" or example.error is not None


@EVERY_KIND
def test_made_up_messages_are_judged_alike(kind: Kind) -> None:
    random = Random(f"contract {kind.name}")
    seen = [assert_agreed(kind.name, made_up(kind, random)) for _ in range(500)]
    assert {"taken", "refused"} <= set(seen)
    assert min(seen.count("taken"), seen.count("refused")) > 60, "both are tried"


@EVERY_KIND
def test_junk_is_judged_alike(kind: Kind) -> None:
    random = Random(f"junk {kind.name}")
    examples = [each for each in all_examples() if each.kind == kind.name]
    for _ in range(250):
        example = random.choice(examples)
        topic = f"hv/v1/stavanger/{kind.name}/x-1/{random.choice(list(MessageClass))}"
        assert_agreed(kind.name, Message(topic, mutated(example.message.payload, random), NOW))


FIELDS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    17,
    4.0,
    88.5,
    1e6,
    "",
    "x",
    "x" * 33,
    "x" * 300,
    "2026-11-22T03:10:00+01:00",
    [],
    {},
)
TIMES = (
    "2026-11-22T03:10:00+01:00", "2026-11-22t02:10:00z", "2026-11-22 02:10:00.123456789Z", "2026-02-30T10:00:00Z", "2026-11-22",
    "2026-11-22T03:10:00", "20261122T031000+0100", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "2026-11-22T24:00:00Z",
    "2026-11-22T03:10:60Z", "2026-11-22T03:10:00+24:00", "2026-W47-7T03:10:00+01:00",
)  # fmt: skip


def made_up(kind: Kind, random: Random) -> Message:
    """A message that is right in most of its parts."""

    def mostly(right: Any, *wrong: Any) -> Any:
        return right if random.random() < 0.93 else random.choice(wrong)

    event = mostly(random.choice(list(kind.events)), "never_heard_of", *NASTY)
    known = kind.events[event].model_fields if isinstance(event, str) and event in kind.events else {}
    body = {
        "id": mostly("m-1", *NASTY),
        "time": mostly(TIMES[0], *TIMES, *NASTY),
        "type": event,
        **{name: random.choice(FIELDS if random.random() < 0.7 else TIMES) for name in known if random.random() < 0.4},
        **({"x": random.choice(NASTY)} if random.random() < 0.1 else {}),
    }
    for name in ("id", "time", "type"):
        if random.random() < 0.02:
            del body[name]
    state = {"online": random.choice(FIELDS)} if random.random() < 0.05 else body
    topic = f"hv/v1/stavanger/{kind.name}/x-1/{random.choice(list(MessageClass))}"
    return Message(topic, json.dumps(state).encode(), NOW)


# What comes down ----------------------------------------------------------------------------------------------------------


def test_receipts_are_as_their_schema_says() -> None:
    _, payload = DIALECT.receipt(ADDRESS, "fall_alarm", "m-1") or ("", b"")
    receipt = Draft202012Validator(contract.RECEIPT)
    assert receipt.is_valid(json.loads(payload))
    assert not receipt.is_valid({})


@pytest.mark.parametrize("kind", [each for each in kinds().values() if each.commands], ids=lambda kind: str(kind.name))
def test_commands_are_as_their_schema_says_and_a_device_need_obey_nothing_less(kind: Kind) -> None:
    schema = Draft202012Validator(contract.command_schema(kind))
    for name in kind.commands:
        _, payload = DIALECT.command(ADDRESS, kind.name, "c-1", name, NOW + timedelta(minutes=1), NOW) or ("", b"")
        body = json.loads(payload)
        assert schema.is_valid(body)
        assert read_command(payload).name == name
        for missing in ("id", "type", "valid_until"):
            less = {key: value for key, value in body.items() if key != missing}
            assert not schema.is_valid(less)
            with pytest.raises(DecodeError):
                read_command(json.dumps(less).encode())
        assert not schema.is_valid({**body, "type": "explode"})


# OpenAPI ------------------------------------------------------------------------------------------------------------------


def test_every_call_of_the_api_says_what_it_is_for() -> None:
    document = every_contract()["openapi.json"]
    assert document["openapi"].startswith("3.1")
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            assert path.startswith("/api/v1/"), path
            assert call["description"], f"{method} {path}"
            assert call["tags"], f"{method} {path}"
