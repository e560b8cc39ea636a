"""Web Push: our key, and a browser's subscription."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from alerts.subscription import LONGEST_ENDPOINT
from gateway.api.schemas.base import Schema, Taken

Endpoint = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_ENDPOINT, pattern=r"^[!-~]+$", examples=["https://push.example.com/3f9c"]),
]
"""A push service's address for one browser."""
Base64Url = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+={0,2}$")]


class PushKey(Schema):
    """The key to subscribe with (``applicationServerKey``): base64url."""

    key: str


class PushKeys(Taken):
    """The browser's own public key and secret: base64url."""

    p256dh: Base64Url
    auth: Base64Url


class PushRequest(Taken):
    """A subscription as a browser gives it. ``replaces``: the endpoint that the same browser had before; ``id``: the contact that it
    was then. ``asked``: somebody pressed the button, and the phone does not come by itself."""

    endpoint: Endpoint
    keys: PushKeys
    replaces: Endpoint | None = None
    id: UUID | None = None
    asked: bool = False


class PushPhone(Schema):
    """A phone that its person is pushed to. ``broken``: its push service took nothing for this endpoint; subscribe anew."""

    id: UUID
    broken: bool = False
