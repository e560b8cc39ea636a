"""Ten kills of gateways, database and broker under load, on real servers; then what is stored is spoilt by hand, and seen."""

from __future__ import annotations

from gateway.embedded import EmbeddedPostgres
from tests.support import parts
from tests.support.databases import short_folder
from tests.support.processes import Word, rows
from tests.torture import stored
from tests.torture.plan import How
from tests.torture.run import Options, Outcome, torture
from tests.torture.verdict import judge

TEN_KILLS = Options(times=10, seed=2, devices=120, rate=100, longest_pause=1.5, hows=frozenset({How.KILL}))


async def test_ten_kills_lose_nothing_and_what_is_spoilt_is_found() -> None:
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    with short_folder() as folder, EmbeddedPostgres(folder / "postgres") as postgres:
        outcome = await torture(folder, postgres, TEN_KILLS, print)
        print(outcome, outcome.figures)
        assert not outcome.findings, [str(each) for each in outcome.findings[:10]]
        figures = outcome.figures
        assert figures["kills"] == 10
        assert figures["receipted"] > 500
        assert figures["sendings"] > figures["said"], "something had to be sent again"
        assert outcome.told.promised, "the broker's word counted in the first part"
        assert figures["alarms"] > 5
        assert figures["mails"] > 5
        await _spoil(postgres.url, outcome)


async def _spoil(url: str, outcome: Outcome) -> None:
    """What the database refuses is forced upon it: its keys and triggers go first."""
    memory = outcome.told.memory
    lost, doubled = sorted(word for word in memory.receipted if not memory.said[word].alarm)[:2]
    alarm = next(word for word, said in sorted(memory.said.items()) if said.alarm)
    for table in ("observation", "device_health"):
        await rows(url, f"DELETE FROM {table} WHERE {_IS}", lost.address, lost.message_id)
        await rows(
            url,
            f"""INSERT INTO {table} (device_id, kind, message_class, type, message_id, occurred_at, received_at, flags, fields)
                SELECT device_id, kind, message_class, type, message_id, occurred_at, received_at, flags, fields
                FROM {table} WHERE {_IS}""",
            doubled.address, doubled.message_id,
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
        ("an alarm is raised", _named(alarm)),
        ("an alert finds a person", alarm.address),
        ("what is written stays", "alert_entry can be changed"),
        ("what is written stays", "the timelines as they stood"),
    ):
        assert any(each.startswith(invariant) and about in each for each in told), (invariant, about, told)


def _named(word: Word) -> str:
    return f"{word.address} message {word.message_id}"


_IS = "device_id = (SELECT id FROM device WHERE address = %s) AND message_id = %s"
