"""What the pages tell people to type, typed: against a real gateway, a real broker and a real database."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from gateway.embedded import Broker
from tests.docs.checkout import checkout, environment, with_environment
from tests.docs.reference import PROTOCOL, ROOT
from tests.docs.shell import blocks, lines, run
from tests.support import parts
from tests.support.databases import Server
from tests.support.processes import PASSWORD, GatewayProcess, alerts, command, eventually, rows, seeded


async def test_connect_a_device_and_call_the_api(migrated_url: str, own_broker: Broker, tmp_path: Path) -> None:
    """The two pages one after the other, as somebody reads them: what the one makes happen, the other sees."""
    parts.program("Mosquitto's tools (apt: mosquitto-clients)", "mosquitto_pub")
    parts.program("curl (apt: curl)", "curl")
    await seeded(migrated_url, residents=5)
    folder = checkout(tmp_path / "checkout")
    with_environment(folder)
    with GatewayProcess(tmp_path, database_url=migrated_url, mqtt_port=own_broker.port) as gateway:
        gateway.start()
        await gateway.connected()

        def page(name: str) -> list[str]:
            ports = {"1883": str(own_broker.port), "8080": str(gateway.port)}
            return [re.sub("|".join(ports), lambda port: ports[port.group()], each) for each in blocks(ROOT / name)]

        shown = next(each for each in lines(PROTOCOL) if each.startswith("hjemmevakt decode"))
        assert '"impact_g": 4.2' in run(f".venv/bin/{shown}", folder, environment(folder))

        decoded, refused, contracts, listen, send, device = page("docs/connect.md")
        typed = environment(folder)
        assert '"type": "fall"' in run(decoded, folder, typed)
        assert "not understood: time" in run(refused, folder, typed)
        assert "var/contracts/asyncapi.json" in run(contracts, folder, typed)
        assert json.loads((folder / "var/contracts/openapi.json").read_text("utf-8"))["paths"]

        patiently = listen.replace("sleep 1\n", "sleep 10\n")  # until it has subscribed, on a busy machine
        assert patiently != listen
        receipt = json.loads(run(patiently + send, folder, typed))
        gateway.kill9()
        waiting = asyncio.create_task(asyncio.to_thread(run, device, folder, typed))
        await asyncio.sleep(3)
        assert not waiting.done(), "it keeps its alarm while nobody stores it"
        gateway.start()
        assert "receipt" in await waiting
        (fall,) = await alerts(migrated_url, "fall")
        said = await rows(migrated_url, "SELECT message_id FROM said WHERE type = 'fall' ORDER BY received_at")
        assert said[0]["message_id"] == receipt["id"]
        assert len(said) == 2, "the command's, and the program's"

        async def came_and_went() -> bool:
            told = await rows(migrated_url, "SELECT fields FROM said WHERE type = 'presence' ORDER BY received_at")
            online = [each["fields"]["online"] for each in told]
            return online[:1] == [True] and online[-1:] == [False]

        await eventually(came_and_went, "the program said that it is there, and that it goes")
        whole = "\n".join(page("docs/api.md"))
        answered = run(whole, folder, {**typed, "PASSWORD": PASSWORD})
        assert str(fall["uid"]) in answered
        assert '"stage":"claimed"' in answered.replace(" ", "")
        assert '"reason": "request"' in answered, "what goes wrong is told"
        assert (await alerts(migrated_url, "fall"))[0]["stage"] == "claimed"


async def test_a_backup_is_made_and_brought_back_as_the_page_says(
    plain_url: str, database_server: Server, tmp_path: Path
) -> None:
    await seeded(plain_url, residents=3)
    backup, restore = (each.replace("/backups/", f"{tmp_path}/") for each in blocks(ROOT / "docs/operations.md"))
    assert "--into postgresql://hjemmevakt@db.example/hjemmevakt_new" in restore
    typed = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HJEMMEVAKT_DATA_FOLDER": str(tmp_path),
    }
    with database_server.fresh("template0") as restored:
        run(backup, tmp_path, {**typed, "HJEMMEVAKT_DATABASE_URL": plain_url})
        run(restore.split(" --into")[0], tmp_path, {**typed, "HJEMMEVAKT_DATABASE_URL": restored})
        counted = "SELECT (SELECT count(*) FROM device) AS devices, (SELECT count(*) FROM rule) AS rules"
        assert await rows(restored, counted) == await rows(plain_url, counted)
        assert (await command("migrate", "--check", database_url=restored)).out.endswith("up to date\n")
