"""The native protocol as an AsyncAPI 3 document, made from the kinds, for generators of code and of reference pages.

It is written from the gateway's side, as AsyncAPI wants it: we *receive* what devices publish, and *send* receipts and
commands. The class of a message is the device's choice, so every upward channel may carry every message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from devices import contract
from devices.dialects.native import PREFIX
from devices.json import MAX_BYTES
from devices.kinds import Kind, kinds
from devices.model import MessageClass

Document = dict[str, Any]

VERSION = "1.0.0"
"""The protocol's, not the program's: it grows with what kinds can say."""

AT = "#/components/schemas/"
JSON = "application/json"
BINDING = {"bindingVersion": "0.2.0"}
UPWARD = {
    MessageClass.ALARM: "What is urgent. It never queues behind the rest, and what cannot be understood here is raised.",
    MessageClass.EVENT: "What happened and is not urgent.",
    MessageClass.STATUS: "Heartbeats and presence.",
    MessageClass.RESULT: "Answers to commands.",
}
DOWNWARD = {
    "receipt": "Our word that a message is stored. Keep an alarm until it comes, and send it again, same id and time.",
    "command": "What the device is asked to do: once, and not from `valid_until` on.",
}
DIFFERENCES = (
    "A schema sees values, the gateway bytes. Besides what these schemas say, it refuses: more than "
    f"{MAX_BYTES} bytes, text that is no JSON, more than 16 levels, integers beyond 64 bits, a day that does not exist."
)


def document() -> Document:
    """The whole document."""
    every = list(kinds().values())
    return {
        "asyncapi": "3.0.0",
        "id": contract.IDENTITY.rstrip(":"),
        "info": {
            "title": "hjemmevakt: the native MQTT protocol",
            "version": VERSION,
            "description": f"What devices publish, and what comes back. {DIFFERENCES}",
        },
        "defaultContentType": JSON,
        "servers": {"broker": _broker()},
        "channels": _channels(every),
        "operations": _operations(),
        "components": {
            "messages": dict(_messages(every)),
            "schemas": dict(_schemas(every)),
            "securitySchemes": {"account": {"type": "userPassword", "description": "A device's own broker account."}},
        },
    }


def _broker() -> Document:
    will = {"topic": f"{PREFIX}/{{site}}/{{kind}}/{{device}}/status", "message": '{"online": false}'}
    return {
        "host": "{host}:1883",
        "protocol": "mqtt",
        "description": "MQTT 5 or 3.1.1, at QoS 1. A device may publish below its own topic only.",
        "variables": {"host": {"description": "The site's broker.", "default": "localhost"}},
        "security": [{"$ref": "#/components/securitySchemes/account"}],
        "bindings": {"mqtt": {"cleanSession": False, "lastWill": {**will, "qos": 1, "retain": True}, **BINDING}},
    }


def _channels(every: list[Kind]) -> Document:
    upward = [name for name, _ in _messages(every) if name.partition(".")[0] in kinds()]
    commands = [f"command.{kind.name}" for kind in every if kind.commands]
    by_channel = {str(each): upward for each in MessageClass}
    by_channel[MessageClass.STATUS] = [*upward, "state"]
    told = {**{str(each): text for each, text in UPWARD.items()}, **DOWNWARD}
    return {
        name: {
            "address": f"{PREFIX}/{{site}}/{{kind}}/{{device}}/{name}",
            "description": told[name],
            "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in messages},
            "parameters": _parameters(),
        }
        for name, messages in {**by_channel, "receipt": ["receipt"], "command": commands}.items()
    }


def _parameters() -> Document:
    plain = "1 to 64 letters, digits and . _ : - beginning with a letter or a digit."
    return {
        "site": {"description": f"The unit the gateway listens to. {plain}", "examples": ["stavanger"]},
        "kind": {"description": "The kind of device.", "enum": sorted(kinds())},
        "device": {"description": f"Unique within the site. {plain}", "examples": ["fall-001"]},
    }


def _operations() -> Document:
    receipt = {"channel": _channel("receipt"), "messages": [{"$ref": "#/channels/receipt/messages/receipt"}]}
    at_least_once = {"mqtt": {"qos": 1, "retain": False, **BINDING}}
    operations: Document = {
        f"receive{each.capitalize()}": {
            "action": "receive",
            "channel": _channel(each),
            "summary": text,
            "reply": receipt,
            "bindings": at_least_once if each is not MessageClass.STATUS else {"mqtt": {"qos": 1, **BINDING}},
        }
        for each, text in UPWARD.items()
    }
    operations["sendReceipt"] = _sent("receipt", {"mqtt": {"qos": 0, "retain": False, **BINDING}})
    operations["sendCommand"] = _sent("command", at_least_once) | {"reply": {"channel": _channel("result")}}
    return operations


def _sent(name: str, bindings: Document) -> Document:
    return {"action": "send", "channel": _channel(name), "summary": DOWNWARD[name], "bindings": bindings}


def _channel(name: str) -> Document:
    return {"$ref": f"#/channels/{name}"}


def _messages(every: list[Kind]) -> Iterator[tuple[str, Document]]:
    """Every message by name: ``kind.type``, ``kind.other``, ``command.kind``, ``state`` and ``receipt``."""
    for kind in every:
        shown = _examples(kind)
        for event in kind.events:
            name = f"{kind.name}.{event}"
            yield name, _message(name, contract.says(kind, event), shown.get(event, []))
        yield f"{kind.name}.other", _message(f"{kind.name}.other", f"{kind.words.name}: a type that is not known here")
        if kind.commands:
            yield f"command.{kind.name}", _message(f"command.{kind.name}", f"{kind.words.name}: a command")
    yield "state", _message("state", "Connected or not; retained, and the last will", [{"payload": {"online": False}}])
    yield "receipt", _message("receipt", "A message is stored", [{"payload": {"id": "m-1"}}])


def _message(name: str, title: str, examples: list[Document] | None = None) -> Document:
    known = {"correlationId": {"location": "$message.payload#/id"}} if name != "state" else {}
    shown = {"examples": examples} if examples else {}
    return {"name": name, "title": title, "payload": {"$ref": AT + name}, **known, **shown}


def _examples(kind: Kind) -> dict[str, list[Document]]:
    """The kind's golden examples that are understood and have an id, by type."""
    found: dict[str, list[Document]] = {}
    text = files(f"devices.kinds.{kind.name}").joinpath("examples.jsonl").read_text("utf-8")
    for line in map(json.loads, text.splitlines()):
        observation = line.get("observation")
        if observation and observation["message_id"]:
            payload = line["payload"]
            body = json.loads(payload) if isinstance(payload, str) else payload
            found.setdefault(observation["type"], []).append({"name": line["name"], "payload": body})
    return found


def _schemas(every: list[Kind]) -> Iterator[tuple[str, Document]]:
    for kind in every:
        yield from ((f"{kind.name}.{event}", contract.type_schema(kind, event, AT)) for event in kind.events)
        yield f"{kind.name}.other", contract.other_schema(kind, AT)
        if kind.commands:
            yield f"command.{kind.name}", contract.command_schema(kind)
    yield "state", contract.STATE
    yield "receipt", contract.RECEIPT
    yield "storable", contract.storable(AT)
