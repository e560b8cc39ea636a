"""Who is reached: steps that are empty, people who cannot be reached, and the same person twice."""

from __future__ import annotations

from gateway.embedded import Broker
from tests.support.mail import MailServer
from tests.support.world import world


async def test_a_step_that_reaches_nobody_is_skipped_at_once(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        await town.off_duty("Kari", "Ola")
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        assert await town.news() == ["Siri"]
        skipped = await town.entries(fall, "step_skipped")
        assert [each["target"] for each in skipped] == ["first_on_duty", "all_on_duty"]
        await town.passes(minutes=2)
        assert await town.news() == ["Vakt"]


async def test_who_is_on_duty_is_found_when_a_step_fires(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.unreachable("Kari")
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Ola"]  # all on duty: she who is first has no phone

        await town.rows("UPDATE person SET active = false WHERE name = 'Siri'")
        await town.person("Liv", "lead")
        await town.passes(minutes=2)
        assert await town.news() == ["Liv"]


async def test_where_nobody_can_be_reached_it_is_tried_every_minute_and_health_is_red(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        everybody = ("Kari", "Ola", "Siri", "Vakt", "Tek")
        await town.unreachable(*everybody)
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        assert await town.health() == ("red", ["unanswered"])
        await town.passes(minutes=3)
        assert await town.news() == []
        assert len(await town.entries(fall, "nobody_reachable")) == 4
        await town.reachable("Ola")
        await town.passes(seconds=59)
        assert await town.news() == []
        await town.passes(seconds=1)
        assert await town.news() == ["Ola"]

        # Whoever answers is enough, and is called for again when silent.
        await town.unreachable("Ola")
        await town.answers("Ola", fall, "claim")
        assert await town.health() == ("ok", [])
        await town.passes(minutes=10)
        assert await town.health() == ("red", ["unanswered"])


async def test_one_person_in_two_steps_is_paged_twice_on_both_contacts(
    migrated_url: str, broker: Broker, smtp: MailServer
) -> None:
    async with world(migrated_url, broker, smtp, public_url="https://vakt.example.org/") as town:
        await town.contact("Kari", "email", "kari@example.org")
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        assert await town.news() == ["Kari", "Kari (email)"]
        await town.passes(minutes=1)
        assert sorted(await town.news()) == ["Kari", "Kari (email)", "Ola"]

        first, second = smtp.messages
        assert first["X-Envelope-To"] == second["X-Envelope-To"] == "kari@example.org"
        assert first["Message-ID"] != second["Message-ID"]
        body = first.get_content()
        assert f"https://vakt.example.org/alerts/{fall}" in body
        assert (first["Subject"], "12:00" in body) == ("Kritisk varsel i Sone", True)
        whole = (str(first) + body).lower()
        for secret in ("beboer", "granveien", "51 00 00 00", "nøkkelboks", "fall", "4.1", str(home.fall_alarm.address)):
            assert secret not in whole, secret


async def test_without_a_mail_server_a_mail_address_is_no_way_to_be_reached(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        await town.unreachable("Kari")
        await town.contact("Kari", "email", "kari@example.org")
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Ola"]


async def test_technical_alerts_are_for_technical_staff_and_clear_themselves(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        await town.person("Trond", "technical", "Sone", position=0)
        home = await town.home()
        await town.says(home.fall_alarm, "battery_low", battery=9.0)
        battery = await town.alert("battery_low", track="technical")
        assert (battery["severity"], battery["resident_id"]) == (20, home.resident)
        assert await town.alerts() == []
        assert await town.news() == ["Trond"]
        await town.passes(hours=1)
        assert sorted(await town.news()) == ["Tek", "Trond"]
        await town.passes(hours=12)
        assert sorted(await town.news()) == ["Tek", "Trond"]
        assert await town.health() == ("degraded", ["unanswered_technical"])  # nobody lies on a floor: not red

        shown = await town.gateway.front.alert_list(await town.who("Kari"), "open", None, 50)
        assert shown.alerts == []
        shown = await town.gateway.front.alert_list(await town.who("Tek"), "open", None, 50)
        assert [each.condition for each in shown.alerts] == ["battery_low"]
        await town.answers("Trond", battery["uid"], "claim")
        await town.done("Trond", battery["uid"])
