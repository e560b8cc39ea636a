"""The chain: which contacts of a person an attempt tries, and how far apart. Pure.

Rules
    All pages of an attempt are made at once. Of each person the first contact's page is due at once, each other one's
    ``RECEIPT_WITHIN`` later than the one before it; word that one of them was received withdraws those still to come. So
    without any word every contact is tried: nothing has to be heard, decided or remembered for that.
    The app on an open screen is outside of the chain: paged at once, and nobody waits for word of it nor stops for it, as the
    desk may be empty.
    A contact in its quiet hours is left out of what is neither serious nor critical, unless its person has no other that rings:
    the app on a screen does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from alerts.alert import Contact
from alerts.delivery import RECEIPT_WITHIN
from alerts.model import Severity

OUTSIDE = "in_app"
"""The kind of contact that no receipt is waited for."""
PASSES_QUIET = Severity.SERIOUS
"""From here on quiet hours do not count."""


def chained(
    contacts: Sequence[Contact], severity: Severity, before: Iterable[Contact] = ()
) -> Iterator[tuple[Contact, timedelta]]:
    """Each contact with how much later its page is due. ``before``: those that the attempt pages already."""
    links = Counter(each.person_id for each in before if each.kind != OUTSIDE)
    for each in contacts:
        if each.kind == OUTSIDE:
            yield each, timedelta()
        else:
            yield each, RECEIPT_WITHIN[severity] * links[each.person_id]
            links[each.person_id] += 1


def awake(contacts: Sequence[Contact], severity: Severity, before: Iterable[Contact] = ()) -> tuple[Contact, ...]:
    """Those of the contacts that may be disturbed; of a person of whom no other one rings, all."""
    if severity >= PASSES_QUIET:
        return tuple(contacts)
    rings = {each.person_id for each in (*contacts, *before) if not each.resting and each.kind != OUTSIDE}
    return tuple(each for each in contacts if not each.resting or each.person_id not in rings)


def at(contact: Contact, now: datetime, local: tzinfo) -> Contact:
    """A contact as it is at a time."""
    return contact if contact.quiet is None else replace(contact, resting=contact.quiet.covers(now, local))
