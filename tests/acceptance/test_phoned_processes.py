"""SMS from a gateway as people run it: the provider is busy, the gateway is killed, and somebody is reached and answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from alerts.channels._callback import signed_url
from gateway.embedded import LOOPBACK, Broker
from tests.alerts.http_servers import Got, Service, serving
from tests.support.processes import GatewayProcess, Homes, alerts, command, devices_of, eventually, rows, seeded

SECRET, PASSWORD = "a secret of this gateway", "the-password-at-the-provider"


def account(url: str) -> dict[str, Any]:
    return {
        "callback_secret": SECRET,
        "sms_provider": "46elks",
        "sms_url": url,
        "sms_username": "u1",
        "sms_password": PASSWORD,
        "sms_sender": "+4759440000",
        "sms_replies": True,
    }


async def everybody_has_a_number(url: str) -> None:
    """And no other way to be reached."""
    await seeded(url, residents=3)
    await rows(url, "UPDATE contact SET active = false")
    await rows(
        url,
        """INSERT INTO contact (uid, person_id, channel, address)
           SELECT gen_random_uuid(), id, 'sms', '9' || lpad(id::text, 7, '0') FROM person""",
    )


async def test_an_sms_outlives_a_busy_provider_and_a_killed_gateway(
    migrated_url: str, broker: Broker, tmp_path: Path
) -> None:
    await everybody_has_a_number(migrated_url)
    devices = await devices_of(migrated_url)
    fall_alarm = next(address for address, kind in devices.items() if kind == "fall_alarm")
    busy = Service(503, headers={"Retry-After": "1"})
    with serving(busy) as service:
        settings = account(service.url)
        with GatewayProcess(tmp_path, database_url=migrated_url, mqtt_port=broker.port, **settings) as gateway:
            ours = f"http://{LOOPBACK}:{gateway.port}"
            gateway.start(public_url=ours)
            await gateway.connected()
            async with Homes(broker, {fall_alarm: "fall_alarm"}).connected() as homes:
                homes.say(fall_alarm, "fall", impact_g=4.5)

                async def asked() -> list[Got]:
                    return service.got

                (first, *_) = await eventually(asked, "the provider is asked")
                gateway.kill9()
                service.got.clear()
                service.status, service.body, service.headers = 200, b'{"id": "s1"}', {}
                gateway.start(public_url=ours)
                (again, *_) = await eventually(asked, "the provider is asked again")
            assert again.said == first.said, "the same words to the same number, with the same address to report at"
            assert again.said["message"].endswith(f"/alerts/{(await alerts(migrated_url, 'fall'))[0]['uid']}")
            number = again.said["to"]

            async with httpx.AsyncClient() as provider:
                reported = await provider.post(again.said["whendelivered"], data={"id": "s1", "status": "delivered"})
                assert reported.status_code == 204, reported.text
                inbound = signed_url(ours, SECRET, "sms", "inbound")
                said = {"from": number, "message": "1", "id": "in-1"}
                assert (await provider.post(inbound.replace("sig=", "sig=0"), data=said)).status_code == 403
                answered = await provider.post(inbound, data=said)
            assert answered.text.startswith("Du har varselet i "), answered.text
            (alert,) = await alerts(migrated_url, "fall")
            assert alert["stage"] == "claimed"
            received = await rows(migrated_url, "SELECT 1 FROM page WHERE received_at IS NOT NULL")
            assert len(received) == 1
            assert (
                'hjemmevakt_called_back_total{channel="sms",outcome="taken"} 1.0'
                in (await gateway.get("/metrics")).text
            )
            assert await gateway.stop() == 0
        written = (tmp_path / "gateway.log").read_text("utf-8")
        for secret in (PASSWORD, SECRET, number, number.removeprefix("+47")):
            assert secret not in written


async def test_the_addresses_for_a_provider_are_shown_and_a_wrong_setting_is_a_line() -> None:
    shown = await command("callbacks", public_url="https://vakt.example.org", **account("https://sms.example.org"))
    assert shown.out == signed_url("https://vakt.example.org", SECRET, "sms", "inbound") + "\n"
    none = await command("callbacks")
    assert (none.code, len(none.lines)) == (2, 1), none.err
    wrong = await command("serve", **{**account("http://sms.example.org"), "sms_sender": "Hjemmetjenesten i Stavanger"})
    assert wrong.code == 2
    assert [line.split()[2] for line in wrong.lines] == ["sms_url", "sms_sender"], wrong.err
    assert PASSWORD not in wrong.err
