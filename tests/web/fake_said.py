"""What a device said, for the pages to stand on: an hourly heartbeat with falling battery, an alarm, and a night of silence."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.words import said
from devices.model import MessageClass
from gateway import buckets
from gateway.api import schemas

KIND = "fall_alarm"
SILENT = (timedelta(hours=30), timedelta(hours=3))
DEAF = (timedelta(hours=9), timedelta(hours=8))
ALL = 70
"""So many messages there are."""
EVIL = "<script>alert('x')</script>"


def page(query: schemas.ObservationQuery, now: datetime, language: str) -> schemas.ObservationPage:
    """Messages, an hour between each; a cursor is the number of the last one."""
    numbers = list(range(1, ALL + 1))
    if query.order == "oldest":
        numbers.reverse()
    start = numbers.index(int(query.cursor)) + 1 if query.cursor else 0
    found = [
        each
        for each in (_item(number, now, language, raw=query.raw) for number in numbers[start:])
        if not query.types or each.type in query.types
    ]
    shown = found[: query.limit]
    return schemas.ObservationPage(
        since=query.since or now - timedelta(days=30), until=now, items=shown,
        next_cursor=shown[-1].id if len(found) > query.limit else None,
    )  # fmt: skip


def _item(number: int, now: datetime, language: str, *, raw: bool) -> schemas.ObservationView:
    at = now - timedelta(hours=number)
    type_ = {5: "fall", 6: "of_tomorrow"}.get(number, "heartbeat")
    late = 3 * 3600 if number == 5 else 2
    known: dict[int, dict[str, Any]] = {5: {"impact_g": 4.5}, 6: {"note": EVIL}}
    fields = known.get(number, {"battery": 90 - number, "rssi": -71, "mains": False})
    return schemas.ObservationView(
        id=str(number),
        device=schemas.Named(id=UUID(int=200), name="fa-0017"),
        device_kind=KIND,
        fitting=UUID(int=210),
        placed="håndledd",
        type=type_,
        text=said(type_, KIND, language),
        message_class=MessageClass.ALARM if type_ == "fall" else MessageClass.STATUS,
        message_id=f"m-{number}",
        occurred_at=at - timedelta(seconds=late),
        received_at=at,
        late_seconds=late,
        flags=["unknown_type"] if type_ == "of_tomorrow" else [],
        fields=fields,
        raw=f'{{"id": "m-{number}", "type": "{type_}"}}' if raw else None,
    )


def counted(query: schemas.BucketQuery, now: datetime, language: str) -> schemas.BucketList:
    since = query.since or now - timedelta(days=30)
    edges = buckets.edges(since, now, buckets.width(query.bucket), ZoneInfo("Europe/Oslo"))
    items = [_item(number, now, language, raw=False) for number in range(1, 24 * 30)]
    made = [
        _bucket(begin, end, [each for each in items if begin <= each.received_at < end])
        for begin, end in itertools.pairwise(edges)
    ]
    texts = {each: said(each, KIND, language) for each in ("fall", "heartbeat", "of_tomorrow")}
    periods = [schemas.Period(since=max(since, now - a), until=now - b) for a, b in (SILENT, DEAF) if now - b > since]
    return schemas.BucketList(
        since=edges[0], until=edges[-1], buckets=made, texts=texts, silent=periods[:1], deaf=periods[1:]
    )


def _bucket(begin: datetime, end: datetime, items: list[schemas.ObservationView]) -> schemas.Bucket:
    types: dict[str, int] = {}
    for each in items:
        types[each.type] = types.get(each.type, 0) + 1
    levels = [each.fields["battery"] % 100 for each in items if "battery" in each.fields]
    values = {}
    if levels:
        battery = schemas.Measured(
            count=len(levels), min=min(levels), avg=sum(levels) / len(levels), max=max(levels), last=levels[0]
        )
        values = {"battery": battery, "rssi": schemas.Measured(count=1, min=-80, avg=-71, max=-60, last=-70)}
    return schemas.Bucket(since=begin, until=end, count=len(items), types=types, values=values)
