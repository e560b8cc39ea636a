"""Word about staff, for whoever leads: an alert of their zone, on the technical track, as no resident waits behind it.

Rules
    It is raised where a zone has a site: without one there are no homes, and nobody would be paged anyway.
    Its timeline says whom it is about, by ids. Told again it is still one alert, with a line more.
"""

from __future__ import annotations

from datetime import datetime

from alerts.model import Entry, Evidence, PageTest, Raise, Severity, Subject, Track
from alerts.rulebook import Rulebook
from gateway.engine import act
from gateway.store import alerts as alert_store
from gateway.store import zones
from gateway.store.audit import Changed
from gateway.store.db import Connection


async def subject_in(connection: Connection, zone_id: int) -> Subject | None:
    """What an alert about a zone's staff is about; None where there is nowhere to raise it."""
    site = await zones.site_for(connection, zone_id)
    return Subject(site, zone_id) if site is not None else None


def word(
    key: str,
    condition: str,
    subject: Subject,
    now: datetime,
    *,
    notice: tuple[int, ...] | None = None,
    test: PageTest | None = None,
) -> Raise:
    """The alert itself. ``notice`` and ``test``: as :class:`~alerts.model.Raise` has them."""
    evidence = Evidence(condition, now, now)
    return Raise(key, condition, None, Severity.MODERATE, Track.TECHNICAL, subject, evidence, notice=notice, test=test)


async def tell(connection: Connection, raised: Raise, entry: Entry, now: datetime, book: Rulebook) -> Changed:
    """Raise it, and say on its timeline whom it is about."""
    changed = await act(connection, [raised], now, book)
    for stored in (await alert_store.lock_open(connection, [raised.key])).values():
        await alert_store.add_entries(connection, stored.id, (entry,), now)
    return changed
