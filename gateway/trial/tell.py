"""What happened in a trial, as tables of plain text. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from gateway.store.trials import AlertRow, EntryRow
from gateway.trial.expect import SLACK, rules_of
from gateway.trial.run import Outcome

URGENT = 30
FIELD = "of urgent care alerts (the field: 97.5 % ≤ 60 s, 99 % ≤ 180 s; on site ≤ 30 min)"
MOST_FINDINGS = 25
MOST_FALSE = 12


def told(outcome: Outcome) -> Iterator[str]:
    """The report, line by line."""
    yield from table("alerts", ("code", "what", "track", "alerts", "real", "false"), _alerts(outcome))
    yield from table("pages", ("channel", "outcome", "pages"), _pages(outcome))
    yield from table(f"answers {FIELD}", ("what", "answered", "≤ 60 s", "≤ 180 s", "median", "p95"), _answers(outcome))
    yield from table("doses", ("what", "doses"), _doses(outcome))
    yield from table("messages", ("what", "messages"), _messages(outcome))
    yield from table("faults", ("fault", "injected"), _faults(outcome))
    yield from _false_ones(outcome)
    yield from _verdict(outcome)


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Columns as wide as they need; numbers to the right."""
    cells = [tuple(str(each) for each in row) for row in rows]
    yield f"\n{title}"
    if not cells:
        yield "  none"
        return
    widths = [max(len(row[column]) for row in [tuple(heads), *cells]) for column in range(len(heads))]
    right = [all(_is_number(row[column]) for row in cells) for column in range(len(heads))]
    for row in (tuple(heads), *cells):
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        yield ("  " + "  ".join(padded)).rstrip()


def _alerts(outcome: Outcome) -> list[tuple[object, ...]]:
    counted: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for each in outcome.stored.alerts:
        led = outcome.verdict.causes[each.id]
        key = each.vkp_code or "–", each.condition, each.track
        counted[key].update(("all", "real" if led is not None and led.real else "false"))
    return [(*key, n["all"], n["real"], n["false"]) for key, n in sorted(counted.items(), key=lambda one: one[0][1:])]


def _pages(outcome: Outcome) -> list[tuple[object, ...]]:
    counted = Counter((each.channel, each.state) for each in outcome.stored.pages)
    return [(*key, times) for key, times in sorted(counted.items())]


def _answers(outcome: Outcome) -> list[tuple[object, ...]]:
    urgent = {each.id: each for each in outcome.stored.alerts if each.track == "care" and each.severity >= URGENT}
    called: dict[int, datetime] = {}
    for page in outcome.stored.pages:
        if page.alert_id in urgent and page.handed_over_at is not None:
            called.setdefault(page.alert_id, page.handed_over_at)
    taken = _first(outcome.stored.entries, urgent, "claimed")
    there = _first(outcome.stored.entries, urgent, "arrived")
    took = sorted(taken[each] - called[each] for each in taken if each in called)
    site = sorted(there[each] - urgent[each].raised_at for each in there)
    rows: list[tuple[object, ...]] = []
    if took:
        shares = (_share(took, timedelta(seconds=60)), _share(took, timedelta(seconds=180)))
        rows.append(("taken", f"{len(took)} of {len(urgent)}", *shares, _middle(took, 0.5), _middle(took, 0.95)))
    if site:
        within = f"{_share(site, timedelta(minutes=30))} ≤ 30 min"
        rows.append(("on site", f"{len(site)}, {within}", "", "", _middle(site, 0.5), _middle(site, 0.95)))
    return rows


def _doses(outcome: Outcome) -> list[tuple[object, ...]]:
    truth, until = outcome.script.truth, outcome.plan.until
    said: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in truth.happened:
        if each.dose_at is not None:
            said[each.fitting.address, each.dose_at].add(each.type)
    planned = [(fitting, at) for fitting, at in truth.doses() if at + _grace(fitting.kind) + SLACK < until]
    words = [said[fitting.address, at.isoformat()] for fitting, at in planned]
    missed = sum(each.condition == "dose_missed" for each in outcome.stored.alerts)
    return [
        ("planned", len(planned)),
        ("dispensed and taken", sum("dose_taken" in each for each in words)),
        ("nothing said of", sum(not each for each in words)),
        ("raised as not confirmed", missed),
    ]


def _messages(outcome: Outcome) -> list[tuple[object, ...]]:
    truth, stored = outcome.script.truth, outcome.stored
    kept = sum(stored.messages.values())
    rows = [
        ("said by devices", truth.said),
        ("sendings", truth.sendings),
        ("arrived at the broker", truth.arrivals),
        ("stored", kept),
        ("in quarantine", len(stored.quarantine)),
        ("known already (duplicates)", truth.arrivals - kept - len(stored.quarantine)),
        ("late (> 2 min after it happened)", stored.late),
        ("with a receipt", len(truth.receipts)),
    ]
    return list(rows)


def _faults(outcome: Outcome) -> list[tuple[object, ...]]:
    counted = Counter(each.fault for each in outcome.script.truth.injected)
    return [(fault, times) for fault, times in sorted(counted.items())]


def _false_ones(outcome: Outcome) -> Iterator[str]:
    """What was raised although nothing had happened, and the fault that explains it."""
    false = [(each, led) for each in outcome.stored.alerts if (led := outcome.verdict.causes[each.id]) and not led.real]
    rows = [(f"{each.raised_at:%F %H:%M}", each.device or "–", each.condition, led.told) for each, led in false]
    if rows:
        yield from table("false alerts, and what explains them", ("UTC", "device", "what", "fault"), rows[:MOST_FALSE])
    if len(rows) > MOST_FALSE:
        yield f"  and {len(rows) - MOST_FALSE} more"


def _verdict(outcome: Outcome) -> Iterator[str]:
    findings, asked = outcome.verdict.findings, outcome.verdict.musts
    yield ""
    if not findings:
        yield f"No invariant broke: {asked} things that had to be raised were, and every alert has a cause."
        return
    yield f"FAILED: {len(findings)} findings"
    yield from (f"  {each}" for each in findings[:MOST_FINDINGS])
    if len(findings) > MOST_FINDINGS:
        yield f"  and {len(findings) - MOST_FINDINGS} more"


def _first(entries: Iterable[EntryRow], of: dict[int, AlertRow], code: str) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    for each in entries:
        if each.code == code and each.alert_id in of:
            found.setdefault(each.alert_id, each.at)
    return found


def _grace(kind: str) -> timedelta:
    return timedelta(seconds=next((rule["grace_seconds"] for rule in rules_of(kind) if rule["type"] == "dose"), 0))


def _share(durations: Sequence[timedelta], within: timedelta) -> str:
    return f"{100 * sum(each <= within for each in durations) / len(durations):.1f} %"


def _middle(durations: Sequence[timedelta], share: float) -> str:
    seconds = durations[min(len(durations) - 1, int(share * len(durations)))].total_seconds()
    return f"{seconds:.0f} s" if seconds < 180 else f"{seconds / 60:.0f} min"


def _is_number(text: str) -> bool:
    return text.replace(".", "").removesuffix(" %").isdecimal()
