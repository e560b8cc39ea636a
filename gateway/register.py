"""The register as ingest remembers it: which device is which, and what it is fitted to.

Theory
    Nearly every message comes from a device that said something a minute ago and is fitted where it was then. So what was
    read of it is kept, with the stretch of time in which it holds, as long as the register stands as it is
    (``gateway/store/versions.py``); a message about another time is looked up by itself. Nothing is remembered of a device
    that was not there: it may be registered at any moment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from alerts.model import Subject
from devices.model import DeviceAddress, Observation
from gateway.store import devices
from gateway.store.db import Connection
from gateway.store.devices import Device
from gateway.store.sites import Site

MOST = 100_000
"""Devices that are remembered, half a kilobyte each."""

Known = Mapping[DeviceAddress, Device]


class Register:
    """Devices by address. One that has been read is believed for as long as this register is used."""

    def __init__(self) -> None:
        self._devices: dict[DeviceAddress, Device] = {}

    async def known(
        self, connection: Connection, site: Site, addresses: Collection[DeviceAddress], now: datetime
    ) -> dict[DeviceAddress, Device]:
        """Those of these devices that there are."""
        there = self._devices
        found = {each: device for each in addresses if (device := there.get(each)) is not None}
        if len(found) < len(addresses):
            missing = [each for each in addresses if each not in found]
            read = await devices.known(connection, site.id, missing, now)
            found |= self._remember(_by_address(site, read))
        return found

    async def speakers(
        self, connection: Connection, site: Site, observed: Sequence[Observation], now: datetime
    ) -> dict[DeviceAddress, Device]:
        """The devices that speak; those that nobody registered are added as such."""
        kinds = {each.device: each.kind for each in observed}
        found = await self.known(connection, site, kinds, now)
        if len(found) < len(kinds):
            strangers = {address: kind for address, kind in kinds.items() if address not in found}
            await devices.add_unregistered(connection, site.id, strangers)
            found |= _by_address(site, await devices.known(connection, site.id, list(strangers), now))
        return found

    def _remember(self, read: dict[DeviceAddress, Device]) -> dict[DeviceAddress, Device]:
        """Those that are registered: another one may have been added by a transaction that fails yet."""
        if len(self._devices) + len(read) > MOST:
            self._devices.clear()
        self._devices |= {address: device for address, device in read.items() if device.registered}
        return read


def _by_address(site: Site, read: Sequence[Device]) -> dict[DeviceAddress, Device]:
    return {DeviceAddress(site.name, each.ecosystem, each.address): each for each in read}


async def subjects(connection: Connection, speakers: Sequence[Device], moments: Sequence[datetime]) -> list[Subject]:
    """What each device tells of at a time."""
    found = [device.subject for device in speakers]
    other = [place for place, (device, at) in enumerate(zip(speakers, moments, strict=True)) if not device.tells_of(at)]
    if other:
        asked = [(speakers[place].id, moments[place]) for place in other]
        for place, subject in zip(other, await devices.subjects_at(connection, asked), strict=True):
            found[place] = subject
    return found
