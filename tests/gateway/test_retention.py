"""What is kept for how long, decided: times that people set, and the grid of the chunks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from devices.model import MessageClass
from gateway import retention
from gateway.retention import Cut, Keep, Table
from gateway.store.counted import ROLLUPS
from gateway.timekeeper import kept_to_be_counted

ALARM, EVENT, RESULT, STATUS = MessageClass.ALARM, MessageClass.EVENT, MessageClass.RESULT, MessageClass.STATUS
NOW = datetime(2026, 3, 3, 11, tzinfo=UTC)
KINDS = ("door_sensor", "fall_alarm", "e_lock")
DAYS = st.integers(1, 400)
KEEPS = st.builds(
    Keep,
    alarm=DAYS,
    event=DAYS,
    result=DAYS,
    status=DAYS,
    raw=DAYS,
    said=st.dictionaries(st.tuples(st.sampled_from(KINDS), st.sampled_from(list(MessageClass))), DAYS),
)


def takes(cut: Cut, table: Table, kind: str, message_class: MessageClass, at: datetime) -> bool:
    if cut.table is not table or at >= cut.before:
        return False
    return cut.whole or (cut.message_class is message_class and (kind in cut.kinds) is not cut.but)


@given(KEEPS, st.sampled_from([*KINDS, "unknown"]), st.sampled_from(list(MessageClass)), st.integers(0, 500 * 24))
def test_nothing_goes_before_its_time_and_everything_soon_after(
    keep: Keep, kind: str, message_class: MessageClass, hours: int
) -> None:
    at = NOW - timedelta(hours=hours)
    table = Table.HEALTH if message_class is STATUS else Table.OBSERVATION
    kept = timedelta(days=keep.said.get((kind, message_class), keep.of(message_class)))
    goes = any(takes(each, table, kind, message_class, at) for each in retention.cuts(keep, NOW))
    if at >= NOW - kept:
        assert not goes
    if at < NOW - kept - table.value.width:
        assert goes
    assert goes == (at < retention.edge(table, NOW - kept))
    assert keep.shortest(table) <= kept.days <= keep.longest(table)


@given(KEEPS)
def test_what_all_are_past_goes_whole_and_before_the_parts(keep: Keep) -> None:
    cuts = retention.cuts(keep, NOW)
    for table in Table:
        whole, *parts = [each for each in cuts if each.table is table]
        assert whole.whole
        assert whole.days == keep.longest(table)
        assert all(not each.whole and each.days < whole.days and each.before >= whole.before for each in parts)


def test_as_people_read_it() -> None:
    keep = Keep(said={("door_sensor", EVENT): 30, ("e_lock", EVENT): 400, ("fall_alarm", STATUS): 7})
    assert [(each.name, each.days) for each in retention.cuts(keep, NOW)] == [
        ("observation", 400),
        ("observation: alarm", 365),
        ("observation: event of all but door_sensor, e_lock", 90),
        ("observation: event of door_sensor", 30),
        ("observation: result", 365),
        ("device_health", 90),
        ("device_health: status of fall_alarm", 7),
        ("raw_message", 30),
    ]


def test_chunks_are_counted_as_timescaledb_counts_them() -> None:
    assert retention.edge(Table.OBSERVATION, NOW) == datetime(2026, 2, 26, tzinfo=UTC), (
        "weeks begin on Thursdays, as 1970 did"
    )
    assert retention.edge(Table.HEALTH, NOW) == datetime(2026, 3, 3, tzinfo=UTC)
    assert retention.compressible(Table.HEALTH, NOW) == datetime(2026, 3, 2, tzinfo=UTC)


def test_a_kind_whose_events_go_soon_shortens_what_is_counted_of_its_own_table_alone() -> None:
    kept = kept_to_be_counted(Keep(said={("door_sensor", EVENT): 3, ("e_lock", STATUS): 60}))
    assert {each.name: kept.of(each).days for each in ROLLUPS if not each.of_facts} == {
        "activity_hourly": 3,
        "device_health_hourly": 60,
        "zone_activity_hourly": 120,
        "activity_daily": 120,
        "device_health_daily": 120,
    }
