"""What a device kind is, and the registry that finds every kind by itself.

A kind is a folder below this one whose package has a ``KIND``. It touches nothing else: its events are pydantic
models, its default rules plain data (validated by ``alerts.rules``), its simulator a function that yields what the
device says in a day, its golden examples lines of ``examples.jsonl``. Kinds do not know each other.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from importlib import import_module
from random import Random
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema, SchemaValidator, core_schema
from pydantic_core.core_schema import TypedDictField

from devices.model import MessageClass, Said, parse_time
from devices.words import Words

Instant = Annotated[datetime, PlainValidator(parse_time), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time a device names: read as ``time`` is, so that whoever reads the kept string again can."""


class Event(BaseModel):
    """The own fields of one type of message; unknown fields are kept.

    Strict, because what is kept is what the device said: ``"online": "no"`` must not pass for a boolean.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Span:
    """A part of a day, in UTC."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class Rhythm:
    """What a simulated resident's day gives a device to report; every device of a home lives the same one.

    Times are UTC, doses as scheduled. ``up``: from getting up to going to bed. ``walks``: out of the house and back.
    ``visits``: home care, from coming to leaving; ``guests``: anybody else. None of these falls into the night, but
    ``out_at_night`` does. ``away``: the part of the day in which the resident is in hospital. ``place``: the home's
    latitude and longitude, where it has one.
    """

    midnight: datetime
    day: date
    doses: tuple[datetime, ...] = ()
    fall_at: datetime | None = None
    up: Span | None = None
    walks: tuple[Span, ...] = ()
    visits: tuple[Span, ...] = ()
    guests: tuple[Span, ...] = ()
    press_at: datetime | None = None
    smoke_at: datetime | None = None
    out_at_night: Span | None = None
    away: Span | None = None
    place: tuple[float, float] | None = None


@dataclass(frozen=True)
class Command:
    """Something a device can be asked to do. ``label``: as a button says it. ``done_by``: the event types that report it
    done; ``failed_by``: not done."""

    label: str
    done_by: frozenset[str]
    failed_by: frozenset[str] = frozenset({"command_refused"})


@dataclass(frozen=True)
class Reply:
    """What a simulated device says to a command, ``after`` it has come."""

    after: timedelta
    message_class: MessageClass
    type: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A device kind: its name (also the topic level), what it can say, its rules' defaults, and its words.

    ``harmless``: types that raise nothing by themselves even on an alarm topic (a test, a cancellation).
    ``silent_after``: how long a device may say nothing before it counts as silent; a device's own contract wins.
    ``day``: the simulator's script, one day in time order. ``commands``: what it can be asked to do, by name;
    ``obey``: what the simulator says to one. ``parts``: by event type, the part of the device that it tells the state of;
    the last word about each part is kept. ``life``: event types by which somebody shows to be in the home; ``entry``: those
    of them by which somebody may have come in.
    """

    name: str
    events: Mapping[str, type[Event]]
    default_rules: tuple[Mapping[str, Any], ...]
    silent_after: timedelta
    day: Callable[[Rhythm, Random], Iterator[Said]]
    words: Words
    harmless: frozenset[str] = field(default_factory=frozenset)
    commands: Mapping[str, Command] = field(default_factory=dict)
    obey: Callable[[str, Random], Iterator[Reply]] = lambda _command, _random: iter(())
    parts: Mapping[str, str] = field(default_factory=dict)
    life: frozenset[str] = frozenset()
    entry: frozenset[str] = frozenset()


Check = Callable[[Mapping[str, Any]], object]
"""Raises ValidationError for fields that are not as their type says."""


@cache
def checks() -> Mapping[str, Mapping[str, Check]]:
    """By kind and type, what the type's own fields are checked by."""
    return {kind.name: {type_: _check(event) for type_, event in kind.events.items()} for kind in kinds().values()}


def _check(event: type[Event]) -> Check:
    """As the model checks, but nothing is made of what is right, which takes twice as long. What needs the model gets it."""
    whole = event.__pydantic_core_schema__
    inner = whole.get("schema", {})
    if whole["type"] != "model" or inner["type"] != "model-fields" or whole.get("post_init"):
        return event.__pydantic_validator__.validate_python
    fields = {name: _only_checked(each["schema"]) for name, each in inner["fields"].items()}
    schema = core_schema.typed_dict_schema(fields, extra_behavior="ignore", config=whole["config"])
    return SchemaValidator(schema).validate_python


def _only_checked(schema: CoreSchema) -> TypedDictField:
    """A field; one that has a default may be left out."""
    if schema["type"] != "default":
        return core_schema.typed_dict_field(schema, required=True)
    return core_schema.typed_dict_field(schema["schema"], required=False)


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind by name."""
    found = (import_module(f"{__name__}.{entry.name}") for entry in pkgutil.iter_modules(__path__) if entry.ispkg)
    return {module.KIND.name: module.KIND for module in found}
