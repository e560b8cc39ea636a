"""Metrics for Prometheus: counts and times of the path, without anybody's name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from devices.model import Lane
from gateway.ingest import Stored

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600)


class Metrics:
    """One set a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("site", "lane")
        self._messages = Counter("hjemmevakt_messages", "Messages stored", labels, registry=self.registry)
        self._new = Counter("hjemmevakt_observations", "Messages that were new", labels, registry=self.registry)
        self._quarantined = Counter(
            "hjemmevakt_quarantined", "Messages that could not be read", labels, registry=self.registry
        )
        self._held_back = Counter(
            "hjemmevakt_held_back", "Messages of a flooding device, not taken", labels, registry=self.registry
        )
        self._batch = Histogram(
            "hjemmevakt_batch_seconds", "Time to store a batch", labels, buckets=SECONDS, registry=self.registry
        )
        self._holds = Gauge(
            "hjemmevakt_lane_held", "Whether this process hears a lane of a site", labels, registry=self.registry
        )
        self._gateways = Gauge(
            "hjemmevakt_gateways",
            "Processes that live and share the lanes, as this one sees it",
            registry=self.registry,
        )
        self._first_page = Histogram(
            "hjemmevakt_first_page_seconds",
            "From an alert's first message being received to its first page being handed over",
            ("severity", "channel"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._legs = Histogram(
            "hjemmevakt_page_leg_seconds",
            "Each leg of a page, since the one before it",
            ("leg", "severity", "channel"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._canary = Histogram(
            "hjemmevakt_canary_leg_seconds",
            "Each leg of the canary resident's alarms, since the one before it",
            ("site", "leg"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._canary_hour = Gauge(
            "hjemmevakt_canary_hour_seconds",
            "The same over the last hour, by quantile",
            ("site", "leg", "quantile"),
            registry=self.registry,
        )
        self._canary_passed = Gauge(
            "hjemmevakt_canary_passed_timestamp_seconds",
            "When the canary resident's newest alarm that was answered was published",
            ("site",),
            registry=self.registry,
        )
        self._heartbeats = Counter(
            "hjemmevakt_heartbeats", "Heartbeats by what became of them", ("outcome",), registry=self.registry
        )
        self._pages = Counter(
            "hjemmevakt_pages", "Pages by what became of them", ("channel", "outcome"), registry=self.registry
        )
        self._called_back = Counter(
            "hjemmevakt_called_back",
            "What providers told us: reports, and what people answered",
            ("channel", "outcome"),
            registry=self.registry,
        )

    def stored(self, site: str, lane: Lane, stored: Stored, seconds: float) -> None:
        """A batch was committed."""
        self._messages.labels(site, lane).inc(stored.total)
        self._new.labels(site, lane).inc(stored.new)
        self._quarantined.labels(site, lane).inc(stored.quarantined)
        self._held_back.labels(site, lane).inc(stored.held_back)
        self._batch.labels(site, lane).observe(seconds)

    def holds(self, site: str, lane: Lane, *, held: bool) -> None:
        """Whether a lane is heard here; it is heard by one process at a time."""
        self._holds.labels(site, lane).set(held)

    def gateways(self, living: int) -> None:
        """So many processes have a lease."""
        self._gateways.set(living)

    def page(self, channel: str, outcome: str) -> None:
        """A page was handed over, put back or given up."""
        self._pages.labels(channel, outcome).inc()

    def called_back(self, channel: str, outcome: str) -> None:
        """A provider told what became of a page, or what somebody answered."""
        self._called_back.labels(channel, outcome).inc()

    def first_page(self, severity: int, channel: str, seconds: float) -> None:
        """The first page of an alert was handed over so long after its message was received."""
        self._first_page.labels(str(severity), channel).observe(seconds)

    def leg(self, leg: str, severity: int, channel: str, seconds: float) -> None:
        """A page is a leg further, so long after the one before. Clocks differ: no leg takes less than no time."""
        self._legs.labels(leg, str(int(severity)), channel).observe(max(seconds, 0.0))

    def canary(self, site: str, legs: Mapping[str, float]) -> None:
        """An alarm of the canary has passed: seconds by leg."""
        for leg, seconds in legs.items():
            self._canary.labels(site, leg).observe(seconds)

    def canary_hour(self, site: str, passed_at: datetime | None, legs: Mapping[str, Mapping[str, float]]) -> None:
        """How it stands: the newest alarm that passed, and by leg and quantile the seconds of the last hour."""
        if passed_at is not None:
            self._canary_passed.labels(site).set(passed_at.timestamp())
        for leg, each in legs.items():
            for quantile, seconds in each.items():
                self._canary_hour.labels(site, leg, quantile).set(seconds)

    def heartbeat(self, outcome: str) -> None:
        """A heartbeat was sent, withheld or failed."""
        self._heartbeats.labels(outcome).inc()

    def text(self) -> bytes:
        """In Prometheus' format."""
        return generate_latest(self.registry)


METRICS = Metrics()
