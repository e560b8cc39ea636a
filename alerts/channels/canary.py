"""Canary: the canary resident's own phone. What is handed over waits in a queue, for the gateway to answer.

Nobody else has such a contact: whatever its address, a page for anybody but the canary is refused, and calls their next contact.
"""

from __future__ import annotations

import asyncio

from pydantic import BaseModel, ConfigDict

from alerts.channels import Outgoing
from alerts.delivery import Failed, HandedOver, SendResult

ADDRESS = "canary"
"""The address of the one contact."""
MOST_WAITING = 1000


class Canary:
    """Nothing leaves the gateway: ``arrived`` has what was handed over."""

    class Config(BaseModel):
        """No settings."""

        model_config = ConfigDict(extra="forbid")

    def __init__(self, config: Config) -> None:
        self.config = config
        self.arrived: asyncio.Queue[Outgoing] = asyncio.Queue(MOST_WAITING)

    def check_address(self, address: str) -> str:
        if address != ADDRESS:
            raise ValueError("must be the canary's own")
        return address

    async def send(self, outgoing: Outgoing) -> SendResult:
        if outgoing.address != ADDRESS:
            return Failed("only the canary is reached this way", permanent=True, contact_broken=True)
        try:
            self.arrived.put_nowait(outgoing)
        except asyncio.QueueFull:
            return Failed("nobody answers for the canary")
        return HandedOver("canary")


CHANNEL = Canary
