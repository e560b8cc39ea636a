"""The auditor: every hour it looks whether every policy reaches people in each hour of the week to come, and says where not.

Rules
    What an alert would be given and whom it would reach is worked out by the code that pages (``alerts.reach``), zone by zone.
    One process of several does it: whoever moves the row that says when it is due. It is looked at again at once where a
    policy or a team was changed.
    The lead is told once of a gap in which care reaches nobody, or one person alone, or anything nobody at all: by an alert of
    its own in the zone, that goes by itself when there is no such gap any more. What is more than half a day away is told
    by day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

import structlog

from alerts.model import Clear, Evidence, Raise, Severity, Signal, Subject, Track
from alerts.policy import REACH_GAP, StoredPolicy
from alerts.reach import HOUR, Gap, Outlook, Place, Weak, look_ahead
from alerts.rulebook import Rulebook
from gateway.clock import Clock
from gateway.engine import act
from gateway.rulebook import RulebookCache
from gateway.store import audit, outlook, reachable, zones
from gateway.store.db import Connection, Database

log = structlog.get_logger()

HOURS = 7 * 24
BY_DAY = range(7, 20)
SOON = timedelta(hours=12)
CONDITION = REACH_GAP
Told = dict[Weak, datetime | None]


class Auditor:
    """Looks when it is due; the caller decides how often to ask."""

    def __init__(self, database: Database, clock: Clock, cache: RulebookCache) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache

    async def run_once(self) -> bool:
        """Whether it was due, and ours to do."""
        now = self._clock.now()
        claimed = await self._database.run(lambda each: outlook.claim(each, now))
        if claimed is None:
            return False
        since = now.replace(minute=0, second=0, microsecond=0)
        book, places = await self._database.run(lambda each: self._gather(each, since, now))
        found = [await asyncio.to_thread(look_ahead, place, book.policies, now, HOURS) for place in places]
        await self._database.run(lambda each: self._apply(each, found, book, now))
        await self._database.run(lambda each: outlook.looked(each, claimed, now, since + HOUR))
        log.info("reach.looked", zones=len(found), gaps=sum(len(each.weak) for each in found))
        return True

    async def _gather(self, connection: Connection, since: datetime, now: datetime) -> tuple[Rulebook, list[Place]]:
        book = await self._cache.read(connection)
        homes = await outlook.homes_of(
            connection, [each.resident_id for each in book.policies if each.resident_id], now
        )
        rows = await zones.lived_in(connection)
        return book, [await _place(connection, row["id"], book, homes, since) for row in rows]

    async def _apply(self, connection: Connection, found: Sequence[Outlook], book: Rulebook, now: datetime) -> None:
        before = await outlook.gaps(connection)
        told = _told(found, before)
        signals = _signals(found, told, await outlook.sites(connection), book, now)
        for each in told:
            if told[each] is None and _to_be_told(each) and _may_be_told(each, now, book.local):
                told[each] = now
        await outlook.save(connection, found, told)
        await audit.announce(connection, await act(connection, signals, now, book))


async def _place(
    connection: Connection, zone_id: int, book: Rulebook, homes: Mapping[int, int], since: datetime
) -> Place:
    until = since + HOURS * HOUR
    around = book.ancestry.get(zone_id, (zone_id,))
    here = [each for each in book.policies if _is_here(each, around, homes)]
    wanted = reachable.Wanted(zone_id, book.channels, [each.policy for each in here])
    staff, changes = await reachable.gather_ahead(connection, wanted, since, until, book.local)
    residents = sorted(resident for resident, zone in homes.items() if zone == zone_id)
    return Place(zone_id, around, staff, residents, changes)


def _is_here(stored: StoredPolicy, around: Sequence[int], homes: Mapping[int, int]) -> bool:
    if stored.resident_id is not None:
        return homes.get(stored.resident_id) == around[0]
    return stored.zone_id is None or stored.zone_id in around


# Telling --------------------------------------------------------------------------------------------------------------


def _told(found: Sequence[Outlook], before: Sequence[Mapping[str, Any]]) -> Told:
    """Every gap; when the lead was told of it, where it is one that was there before."""
    return {
        weak: next((row["told_at"] for row in before if _is_same(weak, row) and row["told_at"]), None)
        for each in found
        for weak in each.weak
    }


def _is_same(weak: Weak, row: Mapping[str, Any]) -> bool:
    """The same policy in the same zone has the same gap at the same time, whenever it began."""
    same = (row["zone_id"], row["policy_id"], row["gap"]) == (weak.zone_id, weak.stored.id, weak.gap)
    return same and row["since"] <= weak.until and weak.since <= row["until"]


def _to_be_told(weak: Weak) -> bool:
    return weak.gap is Gap.NOBODY or (weak.gap is Gap.ONE and weak.stored.policy.track is Track.CARE)


def _may_be_told(weak: Weak, now: datetime, local: tzinfo) -> bool:
    return weak.since - now < SOON or now.astimezone(local).hour in BY_DAY


def _signals(
    found: Sequence[Outlook], told: Told, sites: Sequence[tuple[int, int]], book: Rulebook, now: datetime
) -> list[Signal]:
    """Of each zone: there is a new gap, or there is none any more."""
    signals: list[Signal] = []
    for each in found:
        weak = [one for one in each.weak if _to_be_told(one)]
        new = [one for one in weak if told[one] is None and _may_be_told(one, now, book.local)]
        site = _site_of(each.zone_id, sites, book)
        if new and site is not None:
            signals.append(_raise(each.zone_id, site, new, now))
        elif not weak:
            signals.append(Clear(_key(each.zone_id), Evidence("people_enough", now, now)))
    return signals


def _raise(zone_id: int, site_id: int, new: Sequence[Weak], now: datetime) -> Raise:
    first = min(new, key=lambda each: (each.since, list(Gap).index(each.gap)))
    nobody = any(each.gap is Gap.NOBODY and each.stored.policy.track is Track.CARE for each in new)
    fields = {
        "gap": str(first.gap),
        "gap_from": first.since.isoformat(),
        "gap_until": first.until.isoformat(),
        "gaps": len(new),
    }
    return Raise(
        key=_key(zone_id),
        condition=CONDITION,
        vkp_code=None,
        severity=Severity.SERIOUS if nobody else Severity.MODERATE,
        track=Track.TECHNICAL,
        subject=Subject(site_id, zone_id),
        evidence=Evidence("too_few_people", now, now, fields),
    )


def _key(zone_id: int) -> str:
    return f"{CONDITION}:zone:{zone_id}"


def _site_of(zone_id: int, sites: Sequence[tuple[int, int]], book: Rulebook) -> int | None:
    """The site of the zone, of one around it, of one below it, or any; None where there is none."""

    def far(zone: int) -> int:
        around = book.ancestry.get(zone_id, ())
        if zone in around:
            return around.index(zone)
        return len(around) + (zone_id not in book.ancestry.get(zone, ()))

    return min(sites, key=lambda each: (far(each[1]), each[0]))[0] if sites else None
