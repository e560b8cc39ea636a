"""Access: who somebody is, what they may see, and what they may do. A role is declared for every endpoint.

Access follows assignment: a role in a zone covers what is below it. Care alerts are for care staff, technical ones for
technical services; leads, the response centre and administrators see both. What was paged, held by or offered to
somebody they see anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from alerts.model import Track
from gateway.errors import NotAllowed
from gateway.store.views import Sight

SESSION_COOKIE = "hjemmevakt_session"
"""Holds a browser's session token, for the pages and the API alike."""


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
CARERS = frozenset({Role.LEAD, Role.CENTRE, Role.ADMIN})
"""Who may look at what all devices of a resident have said: leads and the response centre, not technical services."""
TECHNICIANS = frozenset({Role.TECHNICAL, Role.ADMIN})
"""Who is shown a message as it came: see :mod:`gateway.observing`."""
RULERS = frozenset({Role.LEAD, Role.TECHNICAL, Role.ADMIN})
"""Who may set rules, each those of their track: see :mod:`gateway.ruling`."""
POLICY_MAKERS = frozenset({Role.LEAD, Role.ADMIN})
"""Who sets policies and keeps teams: see :mod:`gateway.policing`."""
KEEPERS = frozenset({Role.LEAD, Role.TECHNICAL, Role.ADMIN})
"""Who keeps the register: homes, residents, devices, where they are fitted, planned doses."""
PLANNERS = frozenset({Role.LEAD, Role.ADMIN})
"""Who plans who is on duty: see :mod:`gateway.rostering`."""
RESPONDERS = frozenset({Role.RESPONDER})
"""Who checks in to a shift."""
CONSENTERS = frozenset({Role.LEAD, Role.ADMIN})
"""Who may agree to a silence that takes two: see :mod:`gateway.silencing`."""
AUDITORS = frozenset({Role.LEAD, Role.ADMIN})
"""Who may read who has looked at a resident."""
LEADERS = frozenset({Role.LEAD, Role.CENTRE, Role.ADMIN})
"""Who sees which staff there is, with their roles."""

TRACKS = {
    Role.RESPONDER: (Track.CARE,),
    Role.LEAD: (Track.CARE, Track.TECHNICAL),
    Role.CENTRE: (Track.CARE, Track.TECHNICAL),
    Role.TECHNICAL: (Track.TECHNICAL,),
    Role.ADMIN: (Track.CARE, Track.TECHNICAL),
}


def may_be_handed(track: str) -> list[str]:
    """The roles that an alert can be handed to: care stays among care staff; what is technical anybody may look at."""
    return sorted(role for role in Role if track == Track.TECHNICAL or Track.CARE in TRACKS[role])


@dataclass(frozen=True, slots=True)
class Who:
    """Whoever makes a request, with roles and zones in force now. ``by_link``: signed in by a link, without a password."""

    person_id: int
    uid: UUID
    name: str
    language: str
    roles: frozenset[str]
    roles_in: Mapping[int, frozenset[str]]
    zone_names: tuple[str, ...]
    csrf_token: str
    session_id: int
    by_link: bool = False

    @property
    def zone_ids(self) -> frozenset[int]:
        return frozenset(self.roles_in)

    @property
    def sight(self) -> Sight:
        """Of each zone the tracks that the roles there see; a role here says nothing about elsewhere."""
        return Sight(self.person_id, self._zones_of(Track.CARE), self._zones_of(Track.TECHNICAL))

    def _zones_of(self, track: Track) -> list[int]:
        return sorted(
            zone for zone, roles in self.roles_in.items() if any(track in TRACKS[Role(each)] for each in roles)
        )

    def zones_as(self, roles: frozenset[Role]) -> list[int]:
        """The zones in which they have one of these roles."""
        return sorted(zone for zone, here in self.roles_in.items() if here & roles)

    def require(self, allowed: frozenset[Role]) -> None:
        """NotAllowed unless they have one of these roles."""
        if not self.roles & allowed:
            names = ", ".join(sorted(allowed))
            raise NotAllowed("role", f"this is for: {names}", "ask your lead for the role, or sign in as somebody else")
