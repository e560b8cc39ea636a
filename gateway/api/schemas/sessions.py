"""Signing in, and who is signed in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.schemas.base import PersonRef, Schema


class SignIn(BaseModel):
    """A local account's name and password."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: Annotated[str, Field(min_length=1, max_length=200)]
    password: Annotated[str, Field(min_length=1, max_length=1000)]


class SessionView(Schema):
    """A session. ``token`` is given once, when it begins; send it as ``Authorization: Bearer``."""

    id: UUID
    token: str
    expires_at: datetime
    person: PersonRef


class Me(Schema):
    """Whoever is signed in. ``roles``: role names in force now; ``zones``: names of the zones they cover."""

    id: UUID
    name: str
    language: Literal["nb", "nn", "en"]
    roles: list[str]
    zones: list[str]


class Language(BaseModel):
    """The language that somebody reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Literal["nb", "nn", "en"]
