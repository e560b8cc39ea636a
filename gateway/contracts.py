"""The contracts that others build on, made from the program each time: nothing of them is written by hand.

    asyncapi.json          the native MQTT protocol, AsyncAPI 3
    openapi.json           /api/v1, OpenAPI 3.1
    schemas/<kind>.json    what a device of a kind may publish, JSON Schema 2020-12
    schemas/receipt.json   what comes back

They are checked in below docs/contracts, where a test holds them against this; the gateway serves them at /contracts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from devices import contract
from devices.kinds import kinds
from gateway import asyncapi
from gateway.errors import SettingError

Document = dict[str, Any]


@cache
def protocol_contracts() -> Mapping[str, Document]:
    """What devices are held to, by name."""
    receipt = {"$schema": contract.DIALECT, "$id": f"{contract.IDENTITY}receipt", **contract.RECEIPT}
    return {
        "asyncapi.json": asyncapi.document(),
        **{f"schemas/{kind.name}.json": contract.kind_schema(kind) for kind in kinds().values()},
        "schemas/receipt.json": receipt,
    }


def every_contract() -> Mapping[str, Document]:
    """All, by the name of the file."""
    return {**protocol_contracts(), "openapi.json": openapi()}


def openapi() -> Document:
    """The API as a gateway in production has it. It opens no connection."""
    from gateway.api.app import create_app  # noqa: PLC0415 - who asks for the protocol needs no web application
    from gateway.app import Gateway  # noqa: PLC0415
    from gateway.settings import load  # noqa: PLC0415

    gateway = Gateway(load({}), "")
    return create_app(gateway.front, gateway, gateway.clock).openapi()


def written(document: Mapping[str, Any]) -> str:
    """A contract as it stands in its file."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def write(folder: Path) -> list[Path]:
    """Write them below a folder, and remove what was written there for a kind that is gone – nothing else. SettingError where
    that cannot be done."""
    made = {folder / name: written(document) for name, document in every_contract().items()}
    try:
        for path, text in made.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        for path in (folder / "schemas").glob("*.json"):
            if path not in made and f'"$id": "{contract.IDENTITY}' in path.read_text("utf-8", errors="replace"):
                path.unlink()
    except OSError as error:
        raise SettingError(f"{error.filename} cannot be written: {error.strerror}") from None
    return list(made)
