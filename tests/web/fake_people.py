"""When it is, and who is there, for the pages' gateway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from gateway.api import schemas
from gateway.errors import NotAllowed

NOW = datetime(2026, 11, 22, 2, 14, tzinfo=UTC)  # 03:14 in Oslo
ME = schemas.PersonRef(id=UUID(int=1), name="Ingrid Aase")
KARI = schemas.PersonRef(id=UUID(int=2), name="Kari Nordbø")
OLE = schemas.PersonRef(id=UUID(int=3), name="Ole-Jakob Tjensvoll")
ZONES = [
    schemas.DeskZone(id=UUID(int=500), name="Stavanger", depth=0),
    schemas.DeskZone(id=UUID(int=501), name="Eiganes og Tasta", depth=1),
    schemas.DeskZone(id=UUID(int=502), name="Madla og Tjensvoll", depth=1),
]
PASSWORD = "riktig hest batteri stift"


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


@dataclass(frozen=True)
class Who:
    """Somebody signed in."""

    uid: UUID = ME.id
    name: str = ME.name
    language: str = "nb"
    roles: frozenset[str] = frozenset({"responder"})
    zone_ids: frozenset[int] = frozenset({1})
    csrf_token: str = "csrf-of-this-session"

    def require(self, allowed: frozenset[str]) -> None:
        """Whoever is signed in here may."""


@dataclass(frozen=True)
class SignedIn:
    token: str
    expires_at: datetime


def oversees(who: Who) -> None:
    if not who.roles & {"technical", "lead", "admin"}:
        raise NotAllowed("role", "for technical services")
