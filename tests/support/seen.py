"""What a story sees: straight from the database, so that nothing is believed that is not stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from gateway.app import Gateway
from tests.support.town import Device


@dataclass
class Seen:
    """A gateway and what it has stored."""

    gateway: Gateway
    _told: set[int] = field(default_factory=set, init=False)

    async def alerts(self, condition: str | None = None, *, track: str = "care") -> list[dict[str, Any]]:
        """Every alert of a track, the oldest first."""
        found = await self.rows("SELECT * FROM alert WHERE track = %s ORDER BY id", track)
        return [each for each in found if condition in (None, each["condition"])]

    async def alert(self, condition: str | None = None, *, track: str = "care") -> dict[str, Any]:
        """The only alert there is."""
        found = await self.alerts(condition, track=track)
        assert len(found) == 1, [each["condition"] for each in found]
        return found[0]

    async def pages(self, alert: UUID | None = None) -> list[tuple[str, str, int]]:
        """Every page handed over: (first name, channel, attempt), in order."""
        found = await self.rows(
            """SELECT p.name, c.channel, g.attempt FROM page g JOIN person p ON p.id = g.person_id
               JOIN contact c ON c.id = g.contact_id JOIN alert a ON a.id = g.alert_id
               WHERE g.handed_over_at IS NOT NULL AND (%(alert)s::uuid IS NULL OR a.uid = %(alert)s)
               ORDER BY g.attempt, g.id""",
            alert=alert,
        )
        return [(each["name"], each["channel"], each["attempt"]) for each in found]

    async def news(self) -> list[str]:
        """Pages handed over since last asked, in order: "Kari" in the app, "Kari (email)" elsewhere. And no others."""
        found = await self.rows(
            """SELECT g.id, p.name, c.channel FROM page g JOIN person p ON p.id = g.person_id
               JOIN contact c ON c.id = g.contact_id WHERE g.handed_over_at IS NOT NULL AND g.id <> ALL(%s) ORDER BY g.id""",
            list(self._told),
        )
        self._told |= {each["id"] for each in found}
        return [each["name"] + ("" if each["channel"] == "in_app" else f" ({each['channel']})") for each in found]

    async def states(self, alert: UUID) -> list[tuple[str, str]]:
        """Every page of an alert, by name: what became of it."""
        query = """SELECT p.name, g.state FROM page g JOIN person p ON p.id = g.person_id
                   JOIN alert a ON a.id = g.alert_id WHERE a.uid = %s ORDER BY g.id"""
        return [(each["name"], each["state"]) for each in await self.rows(query, alert)]

    async def entries(self, alert: UUID, code: str) -> list[dict[str, Any]]:
        """The parameters of an alert's timeline entries of a code."""
        query = """SELECT e.params FROM alert_entry e JOIN alert a ON a.id = e.alert_id
                   WHERE a.uid = %s AND e.code = %s ORDER BY e.seq"""
        return [each["params"] for each in await self.rows(query, alert, code)]

    async def observed(self, device: Device) -> list[dict[str, Any]]:
        """What is stored of a device, in order."""
        return await self.rows(
            "SELECT * FROM said LEFT JOIN raw_message USING (id, device_id, received_at) WHERE device_id = %s ORDER BY id",
            device.id,
        )

    async def quarantined(self) -> list[dict[str, Any]]:
        """What could not be read, in order."""
        return await self.rows("SELECT * FROM quarantine ORDER BY id")

    async def health(self) -> tuple[str, list[str]]:
        """The state and the reasons for it."""
        health = await self.gateway.health()
        return health.state, [each.reason for each in health.findings]

    async def timeline(self, alert: UUID) -> list[str]:
        """The codes of an alert's timeline, in order."""
        query = "SELECT e.code FROM alert_entry e JOIN alert a ON a.id = e.alert_id WHERE a.uid = %s ORDER BY e.seq"
        return [each["code"] for each in await self.rows(query, alert)]

    async def rows(self, query: str, *arguments: Any, **named: Any) -> list[dict[str, Any]]:
        """Straight from the database."""
        async with await psycopg.AsyncConnection.connect(self.gateway.database.url, row_factory=dict_row) as connection:
            cursor = await connection.execute(query.encode(), named or arguments or None)
            return await cursor.fetchall() if cursor.description else []
