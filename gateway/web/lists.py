"""What a list makes of alerts: which are for the reader, in which order, and which must not be overlooked.

Rules
    For the reader is what they hold, what is offered to them and what they were paged for. The severest comes first; of
    equal ones those that nobody has answered, then the oldest.
    What nobody has answered stands out where it is critical, and where the whole ladder was climbed in vain.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from alerts.alert import Stage
from alerts.model import Severity
from gateway.api.schemas import AlertSummary


class Sections(NamedTuple):
    """The parts of a reader's list."""

    mine: list[AlertSummary]
    others: list[AlertSummary]


def sections(alerts: Iterable[AlertSummary]) -> Sections:
    """A page of open alerts, for the reader and for others."""
    ordered = sorted(alerts, key=weight)
    return Sections(
        [each for each in ordered if _for_reader(each)], [each for each in ordered if not _for_reader(each)]
    )


def waits(alert: AlertSummary) -> bool:
    """Whether somebody has yet to answer."""
    return alert.stage is Stage.OPEN or (alert.unanswered_since is not None and alert.closed_at is None)


def urgent(alert: AlertSummary) -> bool:
    """Whether it must be seen before everything else."""
    return waits(alert) and (alert.severity is Severity.CRITICAL or alert.unanswered_since is not None)


def _for_reader(alert: AlertSummary) -> bool:
    return alert.mine or alert.paged


def weight(alert: AlertSummary) -> tuple[int, bool, datetime]:
    """What a list is sorted by."""
    return -alert.severity, not waits(alert), alert.raised_at
