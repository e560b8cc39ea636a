"""Phones that pages are sent to, at the channels' own seam: they keep what was sent and taken back, and fail when told to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from alerts.channels import Outgoing
from alerts.delivery import Failed, HandedOver, SendResult


@dataclass
class Phones:
    """A channel. ``dead``: addresses that there are not; ``busy``: those that cannot be reached now; ``slow``: sending waits
    for ``let_go``."""

    sent: list[Outgoing] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    slow: bool = False
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    def check_address(self, address: str) -> str:
        if not address.strip().startswith("+"):
            raise ValueError("must be a number, as +4740000001")
        return address.replace(" ", "")

    async def send(self, outgoing: Outgoing) -> SendResult:
        if outgoing.address in self.dead:
            return Failed("410 there is no such phone", permanent=True, contact_broken=True)
        if outgoing.address in self.busy:
            return Failed("503 later")
        self.sent.append(outgoing)
        if self.slow:
            await self.let_go.wait()
        return Failed("503 later") if outgoing.address in self.busy else HandedOver("taken")

    def key(self) -> str:
        """Of the page that was sent last."""
        return self.sent[-1].page_key


@dataclass
class RecallingPhones(Phones):
    """A channel that can take back what it has sent. ``deaf``: how often it fails to."""

    recalled: list[Outgoing] = field(default_factory=list)
    deaf: int = 0

    async def recall(self, outgoing: Outgoing) -> SendResult:
        if self.deaf:
            self.deaf -= 1
            return Failed("503 later")
        self.recalled.append(outgoing)
        return HandedOver("taken back")
