"""The native protocol as JSON Schema (2020-12), made from the kinds' own models, for those who do not read Python.

    kind_schema(kind)      what a device of a kind may publish; on ``status``: its ``$defs/status``
    type_schema(kind, …)   one type of message, with id, time and type
    RECEIPT, command_schema(kind)   what comes down

Rules of this file
    What the decoder takes from a device that keeps to the protocol, the schema takes; what the schema takes, the decoder takes.
    A test compares the two and names where they differ: a schema sees values, the decoder sees bytes.
    No word is used that JSON Schema draft 7 lacks (``$defs`` is a place, not a word), so that AsyncAPI 3 can take them as
    they are. ``at`` is where the shared parts are kept in the document that a schema goes into.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devices.dialects.native import ENVELOPE, MAX_ID, PREFIX
from devices.health import HEALTH_WORDS
from devices.kinds import Event, Kind

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
HERE = "#/$defs/"
IDENTITY = f"urn:hjemmevakt:{PREFIX.replace('/', ':')}:"
"""How the ``$id`` of each of these documents begins."""

_NUL = {"type": "string", "pattern": "\\u0000"}
_ENVELOPE_TEXT = {"type": "string", "minLength": 1, "maxLength": MAX_ID}

TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": "^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    "(\\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
}
"""RFC 3339 with an offset. The pattern is for validators to which ``format`` is only a remark."""

RECEIPT: Schema = {
    "title": "The message with this id is stored",
    "type": "object",
    "required": ["id"],
    "properties": {"id": _ENVELOPE_TEXT},
}

STATE: Schema = {
    "title": "Connected or not: the retained last will, and its counterpart",
    "type": "object",
    "required": ["online"],
    "properties": {"online": {"type": "boolean"}, **dict.fromkeys(sorted(ENVELOPE), False)},
}


def storable(at: str = HERE) -> Schema:
    """At any depth: no text and no name has the character U+0000, which a database cannot keep."""
    itself = {"$ref": f"{at}storable"}
    return {"not": _NUL, "propertyNames": {"not": _NUL}, "additionalProperties": itself, "items": itself}


def kind_schema(kind: Kind) -> Schema:
    """The document of a kind: itself for ``alarm``, ``event`` and ``result``, ``$defs/status`` for ``status``."""
    parts: Schema = {"message": _message(kind), "state": _all_storable(STATE, HERE), "storable": storable()}
    parts["status"] = {"if": {"anyOf": _named()}, "then": {"$ref": f"{HERE}message"}, "else": {"$ref": f"{HERE}state"}}
    parts["other"] = other_schema(kind)
    parts |= {f"type.{event}": type_schema(kind, event) for event in kind.events}
    if kind.commands:
        parts["command"] = command_schema(kind)
    return {
        "$schema": DIALECT,
        "$id": f"{IDENTITY}{kind.name}",
        "title": kind.words.name,
        "description": "What a device of this kind may publish on alarm, event and result. On status: #/$defs/status.",
        "$ref": f"{HERE}message",
        "$defs": parts,
    }


def type_schema(kind: Kind, event: str, at: str = HERE) -> Schema:
    """One type of message of a kind. Fields that it does not name are kept, so they are allowed."""
    model = kind.events[event]
    told = {"title": says(kind, event)}
    if model is not Event and model.__doc__:
        told["description"] = " ".join(model.__doc__.replace("``", "`").split())
    own = model.model_json_schema()
    if "$defs" in own:
        raise ValueError(f"{kind.name}.{event}: an event has plain fields, no models within it")
    envelope = {"id": _ENVELOPE_TEXT, "time": TIME, "type": {"const": event}}
    fields = {name: _field(schema) for name, schema in own.get("properties", {}).items()}
    required = [*envelope, *own.get("required", ())]
    made = {**told, "type": "object", "required": required, "properties": {**envelope, **fields}}
    return _all_storable(made, at)


def other_schema(kind: Kind, at: str = HERE) -> Schema:
    """A type that the kind does not know: it is stored and marked."""
    unknown = {**_ENVELOPE_TEXT, "not": {"enum": list(kind.events)}}
    made = {
        "title": "A type that is not known here: stored, marked unknown_type, and raised on alarm",
        "type": "object",
        "required": ["id", "time", "type"],
        "properties": {"id": _ENVELOPE_TEXT, "time": TIME, "type": unknown},
    }
    return _all_storable(made, at)


def command_schema(kind: Kind) -> Schema:
    """What a device of this kind is asked to do. A device obeys nothing that lacks one of these."""
    return {
        "title": "Do this once, and not from valid_until on",
        "type": "object",
        "required": ["id", "time", "type", "valid_until"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "time": TIME,
            "type": {"enum": sorted(kind.commands)},
            "valid_until": TIME,
        },
    }


def says(kind: Kind, event: str) -> str:
    """What a type of message says, in English."""
    return {**HEALTH_WORDS.says, **kind.words.says}.get(event, event)


def _message(kind: Kind) -> Schema:
    """By ``type``, so that a validator says what is wrong with a fall and not that it is none of twenty things."""

    def of(type_: Schema) -> Schema:
        return {"properties": {"type": type_}}

    known = [
        {"if": of({"const": event}), "then": {"$ref": f"{HERE}type.{event}"}}
        for event in kind.events
    ]  # fmt: skip
    return {
        "type": "object",
        "required": ["id", "time", "type"],
        "properties": {"type": {"type": "string"}},
        "allOf": [*known, {"if": of({"enum": list(kind.events)}), "else": {"$ref": f"{HERE}other"}}],
    }


def _named() -> list[Schema]:
    return [{"required": [name]} for name in sorted(ENVELOPE)]


def _all_storable(schema: Schema, at: str) -> Schema:
    return {**schema, "allOf": [{"$ref": f"{at}storable"}]}


def _field(schema: Mapping[str, Any]) -> Schema:
    """A field as its model has it, without what only pydantic needs; every time is told as ``time`` is."""
    kept = {name: value for name, value in schema.items() if name not in {"default", "title"}}
    if kept.get("format") == "date-time":
        return TIME
    if "anyOf" in kept:
        kept["anyOf"] = [_field(each) for each in kept["anyOf"]]
    return kept
