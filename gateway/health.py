"""Health: whether the gateway does what it is for, for those who watch over it.

``ok``; ``degraded``: technical services should look; ``red``: somebody may be lying on a floor and nobody comes – a
care alert that nobody answers, the database away, no connection to the broker, escalation behind time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from gateway.store.gateways import Process
from gateway.store.sites import LaneRow

LATE = timedelta(seconds=30)
"""How far behind time anything due may be."""
BEHIND = {
    "alert": "oldest_overdue",
    "watch": "oldest_watch",
    "page": "oldest_page",
    "silence": "oldest_silence",
    "look at a roster": "oldest_roster_look",
}
"""What falls due, and where its oldest stands."""


class State(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    RED = "red"


class Finding(BaseModel):
    """One thing that is not as it should be."""

    model_config = ConfigDict(frozen=True)

    state: State
    reason: str
    detail: str


class SiteHealth(BaseModel):
    """Until when a site has been heard, and whether that is too long ago."""

    model_config = ConfigDict(frozen=True)

    name: str
    heard_until: datetime | None
    deaf: bool


class LegHealth(BaseModel):
    """How long a leg of the canary resident's alarms took in the last hour: seconds, of how many."""

    model_config = ConfigDict(frozen=True)

    leg: str
    p50: float
    p99: float
    count: int


class CanaryHealth(BaseModel):
    """The canary resident of a site. ``passed_at``: when its newest alarm that was answered was published; ``missing``: the leg
    that its alarms do not do, since ``lost_since``; None while they pass."""

    model_config = ConfigDict(frozen=True)

    site: str
    passed_at: datetime | None
    missing: str | None
    lost_since: datetime | None
    legs: list[LegHealth]


class LaneHealth(BaseModel):
    """Which process has a lane of a site, and since when; None where nobody has it."""

    model_config = ConfigDict(frozen=True)

    site: str
    lane: str
    holder: str | None
    since: datetime | None


class Part(StrEnum):
    """What a process does about lanes. ``UNABLE``: it has none and takes none, since it does not reach the broker or was away
    just now."""

    HEARS = "hears"
    STANDS_BY = "stands_by"
    UNABLE = "unable"
    GONE = "gone"


class GatewayHealth(BaseModel):
    """A process that shares the lanes, or did within the hour. ``here``: it is the one that was asked."""

    model_config = ConfigDict(frozen=True)

    holder: str
    here: bool
    part: Part
    lanes: int
    since: datetime


class Health(BaseModel):
    """What /health shows. Ages in seconds, times in UTC; no names of people. ``durable``: whether the database is set up so that
    what is stored outlives a power cut; None while it is away."""

    model_config = ConfigDict(frozen=True)

    state: State
    findings: list[Finding]
    durable: bool | None = None
    last_message_age: float | None = None
    oldest_overdue: datetime | None = None
    open_alerts: int | None = None
    unanswered_alerts: int | None = None
    unsent_pages: int | None = None
    sites: list[SiteHealth] = []
    canaries: list[CanaryHealth] = []
    lanes: list[LaneHealth] = []
    gateways: list[GatewayHealth] = []


def judge(
    now: datetime,
    failing: dict[str, str],
    standing: dict[str, Any] | None,
    sites: list[SiteHealth],
    last_message: datetime | None,
    canaries: Sequence[CanaryHealth] = (),
) -> Health:
    """What the parts add up to. ``standing`` is None while the database is away; ``failing``: loops and their errors."""
    findings = [Finding(state=State.RED, reason="loop", detail=f"{name}: {why}") for name, why in failing.items()]
    if standing is None:
        gone = Finding(state=State.RED, reason="database", detail="the database cannot be reached; nothing is stored")
        return Health(state=State.RED, findings=[gone, *findings])
    findings += [*_about(now, standing, sites), *(_lost(each) for each in canaries if each.missing)]
    worst = State.RED if any(each.state is State.RED for each in findings) else State.DEGRADED
    return Health(
        state=worst if findings else State.OK,
        findings=findings,
        last_message_age=(now - last_message).total_seconds() if last_message else None,
        oldest_overdue=standing["oldest_overdue"],
        open_alerts=standing["open"],
        unanswered_alerts=standing["exhausted"],
        unsent_pages=standing["unsent"],
        sites=sites,
        canaries=[*canaries],
    )


def _lost(canary: CanaryHealth) -> Finding:
    told = f"at site {canary.site} the canary resident's alarm of {canary.lost_since} was not {canary.missing}"
    return Finding(state=State.RED, reason="canary", detail=told.replace("_", " "))


def _about(now: datetime, standing: dict[str, Any], sites: list[SiteHealth]) -> list[Finding]:
    findings = [
        Finding(state=State.RED, reason="deaf", detail=f"site {site.name} has not been heard since {site.heard_until}")
        for site in sites
        if site.deaf
    ]
    if standing["exhausted_technical"]:
        told = f"{standing['exhausted_technical']} technical alert(s) have climbed the whole ladder unanswered"
        findings.append(Finding(state=State.DEGRADED, reason="unanswered_technical", detail=told))
    if standing["exhausted"]:
        told = f"{standing['exhausted']} care alert(s) have climbed the whole ladder and nobody has answered"
        findings.append(Finding(state=State.RED, reason="unanswered", detail=told))
    if standing["broken_contacts"]:
        told = f"{standing['broken_contacts']} contact(s) are broken: whoever they belong to may not be reached"
        findings.append(Finding(state=State.DEGRADED, reason="broken_contacts", detail=told))
    if standing["unreadable_rules"]:
        told = f"{standing['unreadable_rules']} rule(s) cannot be read and judge nothing; /rules shows which"
        findings.append(Finding(state=State.DEGRADED, reason="unreadable_rules", detail=told))
    findings += _outdated(standing["newer"], standing["outdated"])
    if standing["unreached"]:
        told = f"in {', '.join(standing['unreached'])} some care policy reaches nobody at all now; /reach shows which"
        findings.append(Finding(state=State.RED, reason="reach", detail=told))
    findings += [Finding(state=State.DEGRADED, reason="broker", detail=told) for told in standing["broker"]]
    findings += [Finding(state=State.DEGRADED, reason="durability", detail=told) for told in standing["database"]]
    for what, name in BEHIND.items():
        due = standing[name]
        if due is not None and now - due > LATE:
            told = f"a {what} was due at {due:%Y-%m-%dT%H:%M:%SZ} and still is"
            findings.append(Finding(state=State.RED, reason="behind", detail=told))
    return findings


def _outdated(newer: Sequence[str], gone: Sequence[str]) -> list[Finding]:
    """``newer``: migrations of a newer release; ``gone``: those of them that took away what this one uses."""
    if gone:
        told = f"{', '.join(gone)} took away what this release uses: install the newer one at once"
        return [Finding(state=State.RED, reason="outdated", detail=told)]
    told = f"the database is of a newer release ({', '.join(newer)}): install that here, too"
    return [Finding(state=State.DEGRADED, reason="outdated", detail=told)] if newer else []


def shared_out(rows: Sequence[LaneRow], known: Sequence[Process], us: str) -> dict[str, Any]:
    """How the lanes are shared out, as :class:`Health` shows it."""
    living = {each.holder for each in known if each.alive}
    lanes = [
        LaneHealth(site=row.name, lane=row.lane, holder=row.holder, since=row.taken_at)
        if row.holder in living
        else LaneHealth(site=row.name, lane=row.lane, holder=None, since=None)
        for row in rows
    ]
    has = Counter(each.holder for each in lanes)
    gateways = [
        GatewayHealth(
            holder=each.holder,
            here=each.holder == us,
            part=part_of(each, has[each.holder]),
            lanes=has[each.holder],
            since=each.started_at,
        )
        for each in known
    ]
    return {"lanes": lanes, "gateways": gateways}


def part_of(process: Process, lanes: int) -> Part:
    if not process.alive:
        return Part.GONE
    if lanes:
        return Part.HEARS
    return Part.STANDS_BY if process.able else Part.UNABLE
