"""How long what is stored is kept, and what is due to go. Pure.

Rules
    What devices said is kept by its class, and by kind and class where somebody says so (``door_sensor.event``). A time to
    keep is a promise: nothing goes before it. It goes soon after, and in whole chunks of its table: up to a week later for
    observations, up to a day for health and bytes. A row of a chunk that is not over is never touched.
    Bytes never outlive what was made of them.

Theory
    ``before`` of every cut lies on the grid of its table's chunks, counted from 1970 as TimescaleDB does. So what all kinds
    are past is dropped chunk by chunk; what some are past is deleted inside whole chunks, by segment; and plain PostgreSQL,
    which has no chunks, deletes the same rows at the same times.
    Cuts move at midnight (UTC) at most: who has applied them need not look again until they differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from devices.model import MessageClass

Said = tuple[str, MessageClass]
"""A kind and a class."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BUFFERED = timedelta(days=35)
"""Longer than any device keeps a message: identities, settled watches and replies to answers are of no use after it."""
WRONG_BY = timedelta(hours=1)
"""Clocks that differ by more than this are not both right, and nothing goes by either."""
COMPRESS_AFTER = timedelta(days=1)
"""After the end of a chunk. What comes has the time at which it came: an ended chunk gets no more rows."""


@dataclass(frozen=True, slots=True)
class Hypertable:
    """A table of what devices said: its name, the width of its chunks, and the classes in it (none: it has bytes only)."""

    name: str
    width: timedelta
    classes: tuple[MessageClass, ...] = ()


class Table(Enum):
    """The tables that are made of chunks where TimescaleDB is (gateway/store/migrations/0015_said_hypertables.sql)."""

    OBSERVATION = Hypertable(
        "observation", timedelta(days=7), (MessageClass.ALARM, MessageClass.EVENT, MessageClass.RESULT)
    )
    HEALTH = Hypertable("device_health", timedelta(days=1), (MessageClass.STATUS,))
    RAW = Hypertable("raw_message", timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Keep:
    """Days for which each thing is kept. ``said``: of what devices said, where a kind has its own time."""

    alarm: int = 365
    event: int = 90
    result: int = 365
    status: int = 90
    raw: int = 30
    position: int = 7
    quarantine: int = 90
    alert: int = 1096
    audit: int = 1827
    hourly: int = 120
    daily: int = 1096
    duty: int = 365
    said: Mapping[Said, int] = field(default_factory=dict)

    def of(self, message_class: MessageClass) -> int:
        """Of kinds that have no time of their own."""
        return int(getattr(self, message_class.value))

    def longest(self, table: Table) -> int:
        """What is older has gone whatever it is."""
        return max(self._days(table))

    def shortest(self, table: Table) -> int:
        """What is younger is there whatever it is: as far back may be reckoned from it."""
        return min(self._days(table))

    def _days(self, table: Table) -> list[int]:
        classes = table.value.classes
        own = [days for (_, each), days in self.said.items() if each in classes]
        return [*(self.of(each) for each in classes), *own] if classes else [self.raw]


DEFAULT = Keep()
"""Why these times: docs/storage.md."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What goes of a table: what was received before a time. ``message_class``: of that only (None: of all). ``kinds``: of these
    only, or of all ``but`` these."""

    table: Table
    days: int
    before: datetime
    message_class: MessageClass | None = None
    kinds: tuple[str, ...] = ()
    but: bool = True

    @property
    def whole(self) -> bool:
        """Whether nothing is left before that time."""
        return self.message_class is None

    @property
    def name(self) -> str:
        """As people read it: ``device_health``, ``observation: event of door_sensor``."""
        if self.message_class is None:
            return self.table.value.name
        kinds = ", ".join(self.kinds)
        whose = "" if not kinds else f" of all but {kinds}" if self.but else f" of {kinds}"
        return f"{self.table.value.name}: {self.message_class.value}{whose}"


def clocks_agree(ours: datetime, the_databases: datetime) -> bool:
    """Whether something may go by our clock: one that is years ahead would take everything at once."""
    return abs(ours - the_databases) <= WRONG_BY


def cuts(keep: Keep, now: datetime) -> tuple[Cut, ...]:
    """All that is due of what devices said; of each table first what goes whole."""
    return tuple(cut for table in Table for cut in _of(table, keep, now))


def _of(table: Table, keep: Keep, now: datetime) -> list[Cut]:
    longest = keep.longest(table)
    found = [Cut(table, longest, edge(table, now - timedelta(days=longest)))]
    for each in table.value.classes:
        own = {kind: days for (kind, of), days in keep.said.items() if of is each}
        if keep.of(each) < longest:
            before = edge(table, now - timedelta(days=keep.of(each)))
            found.append(Cut(table, keep.of(each), before, each, tuple(sorted(own))))
        for days in sorted({days for days in own.values() if days < longest}, reverse=True):
            kinds = tuple(sorted(kind for kind, its in own.items() if its == days))
            found.append(Cut(table, days, edge(table, now - timedelta(days=days)), each, kinds, but=False))
    return found


def edge(table: Table, at: datetime) -> datetime:
    """Where the chunk begins that a time is in."""
    return EPOCH + (at - EPOCH) // table.value.width * table.value.width


def compressible(table: Table, now: datetime) -> datetime:
    """Chunks that end before this time are compressed."""
    return edge(table, now - COMPRESS_AFTER)


@dataclass(frozen=True, slots=True)
class Rest:
    """Whatever else grows: its table, and before which time it goes. ``before`` None: so many days ago by the database's own
    clock, which is the one that it follows."""

    name: str
    days: int
    before: datetime | None = None


def rest(keep: Keep, now: datetime) -> tuple[Rest, ...]:
    """All that is due beside what devices said, in the order in which it goes."""

    def after(name: str, days: int) -> Rest:
        return Rest(name, days, now - timedelta(days=days))

    return (
        after("position", keep.position),
        after("seen", BUFFERED.days),
        after("watch", BUFFERED.days),
        after("answer", BUFFERED.days),
        after("quarantine", keep.quarantine),
        after("silence", keep.alert),
        after("alert", keep.alert),
        after("audit", keep.audit),
        after("device_health_hourly", keep.hourly),
        after("activity_hourly", keep.hourly),
        after("device_health_daily", keep.daily),
        after("activity_daily", keep.daily),
        after("check_in", keep.duty),
        after("planned_shift", keep.duty),
        after("roster_override", keep.duty),
        after("roster_swap", keep.duty),
        after("absence", keep.duty),
        after("roster_feed", BUFFERED.days),
        after("contact", BUFFERED.days),
        Rest("session", 0),
        Rest("phone_link", 1),
        Rest("sign_in_failure", 1),
        Rest("register_change", 1),  # nobody remembers anything of the register that long without looking
    )
