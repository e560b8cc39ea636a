"""In-app: the page is handed over by being stored; every open page of its responder is told to look."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from alerts.channels import Outgoing
from alerts.delivery import HandedOver, SendResult


class InApp:
    """Nothing leaves the gateway: the store announces the alert's zone when the page is saved."""

    class Config(BaseModel):
        """No settings."""

        model_config = ConfigDict(extra="forbid")

    def __init__(self, config: Config) -> None:
        self.config = config

    def check_address(self, address: str) -> str:
        """Nowhere: whoever is signed in sees it."""
        return ""

    async def send(self, outgoing: Outgoing) -> SendResult:
        return HandedOver("in app")


CHANNEL = InApp
