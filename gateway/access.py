"""Access: who somebody is, what they may see, and what they may do. A role is declared for every endpoint.

Access follows assignment: a role in a zone covers what is below it. Care alerts are for care staff, technical ones for
technical services; leads, the response centre and administrators see both. What was paged, held by or offered to
somebody they see anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from alerts.model import Track
from gateway.errors import NotAllowed


class Role(StrEnum):
    RESPONDER = "responder"
    LEAD = "lead"
    CENTRE = "centre"
    TECHNICAL = "technical"
    ADMIN = "admin"


ANYBODY = frozenset(Role)
"""Whoever is signed in and has any role."""
OVERSEERS = frozenset({Role.LEAD, Role.CENTRE, Role.TECHNICAL, Role.ADMIN})
"""Who looks after devices, sites and what could not be read."""

TRACKS = {
    Role.RESPONDER: (Track.CARE,),
    Role.LEAD: (Track.CARE, Track.TECHNICAL),
    Role.CENTRE: (Track.CARE, Track.TECHNICAL),
    Role.TECHNICAL: (Track.TECHNICAL,),
    Role.ADMIN: (Track.CARE, Track.TECHNICAL),
}


@dataclass(frozen=True, slots=True)
class Who:
    """Whoever makes a request, with roles and zones in force now."""

    person_id: int
    uid: UUID
    name: str
    language: str
    roles: frozenset[str]
    zone_ids: frozenset[int]
    zone_names: tuple[str, ...]
    csrf_token: str
    session_id: int

    @property
    def tracks(self) -> tuple[str, ...]:
        return tuple(sorted({track for role in self.roles for track in TRACKS[Role(role)]}))

    def require(self, allowed: frozenset[Role]) -> None:
        """NotAllowed unless they have one of these roles."""
        if not self.roles & allowed:
            names = ", ".join(sorted(allowed))
            raise NotAllowed("role", f"this is for: {names}", "ask your lead for the role, or sign in as somebody else")
