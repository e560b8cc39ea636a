"""The way of an alert over HTTP: every leg with its time, for whoever oversees and may see the alert; and the same in the metrics."""

from __future__ import annotations

from collections import Counter

from gateway.embedded import Broker
from gateway.metrics import METRICS
from tests.gateway.served import problem, served


def legs_of(channel: str) -> Counter[str]:
    """How many legs were counted so far, by name."""
    found: Counter[str] = Counter()
    for metric in METRICS.registry.collect():
        for sample in metric.samples:
            if sample.name == "hjemmevakt_page_leg_seconds_count" and sample.labels["channel"] == channel:
                found[sample.labels["leg"]] += int(sample.value)
    return found


async def test_every_leg_has_its_time_and_is_counted(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        counted = legs_of("in_app")
        fall = await it.fall()
        event = it.town.now
        await it.town.passes(seconds=20)
        await it.detail("Kari", fall)
        await it.town.passes(seconds=10)
        await it.answer("Kari", fall, "claim")
        path = await (await it.client("Siri")).alert_path(fall)

        assert (path.severity, path.zone, path.stage) == (40, "Sone", "claimed")
        assert path.stored_at is not None
        assert (path.occurred_at, path.raised_at) == (event, event)
        (page,) = path.pages
        assert page.person is not None
        assert (page.person.name, page.channel, page.state) == ("Kari", "in_app", "answered")
        assert page.queued_at == page.leased_at == page.handed_over_at == event
        assert page.received_at is None
        assert page.shown_at is not None
        assert page.answered_at is not None
        assert [(each - event).total_seconds() for each in (page.shown_at, page.answered_at)] == [20, 30]
        assert path.timeline[0].code == "raised"
        assert "claimed" in {entry.code for entry in path.timeline}
        after = legs_of("in_app")
        for leg in ("first_page", "handed_over", "shown", "answered"):
            assert after[leg] == counted[leg] + 1, leg


async def test_what_was_withdrawn_says_when(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        await it.town.passes(seconds=61)
        await it.answer("Ola", fall, "claim")
        path = await (await it.client("Siri")).alert_path(fall)
        states = {each.person.name: (each.state, each.ended_at == it.town.now) for each in path.pages if each.person}
        assert states["Kari"] == ("withdrawn", True)
        assert states["Ola"] == ("answered", False)


async def test_it_has_nothing_that_was_written_or_said_and_the_look_is_noted(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall, note = await it.fall(), "hun er lagt inn på Våland"
        (ola,) = await it.town.rows("SELECT uid FROM person WHERE id = %s", it.town.staff["Ola"])
        await it.answer("Kari", fall, "claim")
        await it.answer("Kari", fall, "hand_over", to=str(ola["uid"]))
        declined = await it.answer("Ola", fall, "decline", note=note)
        assert declined.status_code == 200, declined.text
        assert note in (await it.get("Siri", f"/alerts/{fall}")).text
        looks = "SELECT params FROM audit WHERE action = 'resident.viewed' AND actor_id = %s"
        siri = it.town.staff["Siri"]
        before = len(await it.town.rows(looks, siri))
        path = await (await it.client("Siri")).alert_path(fall)
        assert len(path.timeline) > 2
        assert {each.note for each in path.timeline} == {None}
        assert not [each for each in path.timeline if "evidence" in each.params]
        assert len(await it.town.rows(looks, siri)) == before + 1


async def test_it_is_for_whoever_oversees_and_may_see_the_alert(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        fall = await it.fall()
        assert (await it.get("Ada", f"/alerts/{fall}/path")).status_code == 200
        assert "Beboer" not in (await it.get("Vakt", f"/alerts/{fall}/path")).text
        problem(await it.get("Kari", f"/alerts/{fall}/path"), 403, "role")
        problem(await it.get("Tek", f"/alerts/{fall}/path"), 404, "alert")
