"""Ten kills of gateways, database and broker under load, on real servers; then what is stored is spoilt by hand, and seen."""

from __future__ import annotations

from gateway.embedded import EmbeddedPostgres
from tests.support import parts
from tests.support.databases import short_folder
from tests.support.processes import Word, rows
from tests.torture import stored
from tests.torture.plan import How
from tests.torture.run import CONNECTIONS, Options, Outcome, torture
from tests.torture.verdict import judge

AT_ONCE = Options(
    times=2, seed=2, gateways=1, devices=30, rate=100, longest_pause=0.5, hows=frozenset({How.KILL}), heals_within=0
)
TEN_KILLS = Options(
    times=10, seed=2, devices=120, rate=100, longest_pause=1.0, hows=frozenset({How.KILL}), alarm_share=0.08
)


async def test_ten_kills_lose_nothing_and_what_is_spoilt_is_found() -> None:
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    with short_folder() as folder, EmbeddedPostgres(folder / "postgres") as postgres:
        outcome = await torture(folder, postgres, TEN_KILLS, print)
        print(outcome, outcome.figures)
        assert not outcome.findings, [str(each) for each in outcome.findings[:10]]
        figures = outcome.figures
        assert figures["kills"] == figures["blows"] == figures["planned"] == 10
        assert figures["receipted"] > 500
        assert figures["sendings"] > figures["said"], "something had to be sent again"
        assert outcome.told.memory.promised, "the broker's word counted in the first part"
        assert outcome.told.memory.states.promised.total() > 10
        assert any(each.retained for each in outcome.stored.idless), "the broker had kept a state"
        gates = sorted(outcome.told.memory.states.last)[:CONNECTIONS]
        assert not any(outcome.stored.online[each] for each in gates), "the last will was the last word"
        assert figures["joined"] > 5
        assert figures["alarms"] > 20
        assert figures["mails"] > 5
        await _spoil(postgres.url, outcome)


async def test_a_run_that_does_not_heal_ends_and_counts_what_was_struck() -> None:
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    with short_folder() as folder, EmbeddedPostgres(folder / "postgres") as postgres:
        outcome = await torture(folder, postgres, AT_ONCE, print)
    assert (outcome.figures["blows"], outcome.figures["planned"], outcome.figures["kills"]) == (1, 2, 1)
    assert "every blow falls: 1 of 2 did not" in [str(each) for each in outcome.findings]
    assert " in 1 of 2 blows (1 times kill −9)" in str(outcome)


async def _spoil(url: str, outcome: Outcome) -> None:
    """What the database refuses is forced upon it: its keys and triggers go first."""
    memory = outcome.told.memory
    lost, doubled, altered, moved = sorted(word for word in memory.receipted if not memory.said[word].alarm)[:4]
    state, other = next(iter(memory.states.promised)), next(iter(memory.states.last))
    joined = next(each for each in outcome.stored.entries if each.code == "evidence_joined" and each.device)
    alarm = next(word for word in sorted(memory.said) if memory.said[word].alarm and word.address != joined.device)
    for table in ("observation", "device_health"):
        await rows(url, f"DELETE FROM {table} WHERE {_IS}", lost.address, lost.message_id)
        await rows(
            url,
            f"""INSERT INTO {table} (device_id, kind, message_class, type, message_id, occurred_at, received_at, flags, fields)
                SELECT device_id, kind, message_class, type, message_id, occurred_at, received_at, flags, fields
                FROM {table} WHERE {_IS}""",
            doubled.address, doubled.message_id,
        )  # fmt: skip
        await rows(
            url,
            f"UPDATE {table} SET fields = fields || '{{\"rssi\": 1}}' WHERE {_IS}",
            altered.address,
            altered.message_id,
        )
        await rows(
            url,
            f"UPDATE {table} SET occurred_at = occurred_at + interval '1 s' WHERE {_IS}",
            moved.address,
            moved.message_id,
        )
    await rows(url, "DELETE FROM device_health WHERE message_id IS NULL AND " + _DEVICE, state.address)
    await rows(url, f"UPDATE device_state SET online = NOT online WHERE {_DEVICE}", other)
    await rows(
        url,
        """DELETE FROM page WHERE alert_id = %s AND attempt = (
               SELECT (params ->> 'attempt')::integer FROM alert_entry WHERE alert_id = %s AND seq > %s
               AND params ->> 'attempt' IS NOT NULL ORDER BY seq LIMIT 1)""",
        joined.alert_id, joined.alert_id, joined.seq,
    )  # fmt: skip
    await rows(url, "ALTER TABLE alert_entry DISABLE TRIGGER USER")
    of_device = "alert_id IN (SELECT a.id FROM alert a JOIN device d ON d.id = a.device_id WHERE d.address = %s)"
    await rows(url, f"DELETE FROM alert_entry WHERE {of_device}", alarm.address)
    await rows(url, f"DELETE FROM page WHERE {of_device}", alarm.address)
    told = [
        str(each) for each in judge(outcome.told, await stored.read(url, [each for each, _ in outcome.stored.prints]))
    ]
    for invariant, about in (
        ("a receipt is a promise", _named(lost)),
        ("stored once", _named(doubled)),
        ("stored as said", f"{_named(altered)} ({memory.said[altered].type}) has the fields"),
        ("stored as said", f"{_named(moved)} ({memory.said[moved].type}) has the time"),
        ("an acknowledgement is a promise", str(state)),
        ("the newest state counts", other),
        ("every event pages", f"line {joined.seq} (evidence_joined) of alert {joined.alert_id}"),
        ("an alarm is raised", _named(alarm)),
        ("an alert finds a person", alarm.address),
        ("what is written stays", "alert_entry can be changed"),
        ("what is written stays", "the timelines as they stood"),
    ):
        assert any(each.startswith(invariant) and about in each for each in told), (invariant, about, told)


def _named(word: Word) -> str:
    return f"{word.address} message {word.message_id}"


_DEVICE = "device_id = (SELECT id FROM device WHERE address = %s)"
_IS = f"{_DEVICE} AND message_id = %s"
