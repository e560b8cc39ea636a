"""How the path of each site stands, by the alarms of the canary resident in the last hour: for /health, the API and the watch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway import passages
from gateway.health import CanaryHealth, LegHealth
from gateway.passages import Lost, Pace, Passage, Quantiles
from gateway.store import canaries, sites
from gateway.store.db import Connection
from gateway.store.sites import SiteHearing

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """A site. ``passed_at``: when its newest alarm that was answered was published; ``legs``: of those of the last hour."""

    site: SiteHearing
    passed_at: datetime | None
    lost: Lost | None
    legs: dict[str, Quantiles]


async def standings(connection: Connection, now: datetime, pace: Pace, since: datetime) -> list[Standing]:
    """Every site. ``since``: from when on this process could have published."""
    known = await canaries.since(connection, now - HOUR)
    return [
        _stands(each, known.get(each.site_id, ()), since, now, pace) for each in await sites.site_hearings(connection)
    ]


async def canaries_of(connection: Connection, now: datetime, pace: Pace | None, since: datetime) -> list[CanaryHealth]:
    """As /health shows it; nothing where there is no canary."""
    return [_shown(each) for each in await standings(connection, now, pace, since)] if pace else []


def _stands(site: SiteHearing, known: Sequence[Passage], since: datetime, now: datetime, pace: Pace) -> Standing:
    return Standing(
        site,
        passages.last_passed(known),
        passages.lost(known, since, now, pace),
        passages.quantiles(each for each in known if each.passed),
    )


def _shown(standing: Standing) -> CanaryHealth:
    lost = standing.lost
    legs = [LegHealth(leg=leg, p50=each.p50, p99=each.p99, count=each.count) for leg, each in standing.legs.items()]
    return CanaryHealth(
        site=standing.site.name,
        passed_at=standing.passed_at,
        missing=str(lost.leg) if lost else None,
        lost_since=lost.since if lost else None,
        legs=legs,
    )
