"""The controlled clock of trials and tests."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

A_MONTH = 31 * 24 * 3600


class LetPass(BaseModel):
    """How much time is to pass."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    advance_seconds: Annotated[float, Field(gt=0, le=A_MONTH)]


class ClockView(BaseModel):
    """The gateway's time, in UTC."""

    now: AwareDatetime
