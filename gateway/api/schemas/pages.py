"""Pages, for the phones that they were sent to: what a key tells, which is nothing about anybody."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict

from alerts.alert import Stage
from alerts.delivery import PageState
from alerts.model import Severity
from gateway.api.schemas.base import Schema


class PageView(Schema):
    """How a page stands. ``wanted``: whether its person may still be disturbed by it, and can take the alert; ``test``: it is a
    test, which is confirmed by taking it; ``url``: of the alert, below the gateway's own, for whoever signs in."""

    state: PageState
    wanted: bool
    test: bool
    severity: Severity
    zone: str
    raised_at: datetime
    url: str


class PageClaim(BaseModel):
    """ "I take it". ``given_at``: when the person said so, where it reaches us later."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    given_at: AwareDatetime | None = None


class PageClaimed(Schema):
    """It is theirs; of a test: it is confirmed, and closed. ``due_at``: when the others are called again if nothing more is heard."""

    stage: Stage
    due_at: datetime | None
    url: str
