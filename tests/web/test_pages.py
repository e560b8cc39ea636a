"""What holds for all pages, and how it works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from gateway.api import schemas
from gateway.web import pages
from gateway.web.how import BUTTONS
from gateway.web.views import LABELS
from tests.web import fake, fake_alerts, fake_people, fake_signs

TEMPLATES = Path(pages.__file__).parent / "templates"
FALL = fake_alerts.alert().id


# How it works ---------------------------------------------------------------------------------------------------------


async def test_how_it_works_tells_the_steps_of_this_installation(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    (urgent, *_) = front.ladder_policies
    slower = urgent.model_copy(update={"repeat_seconds": 240, "steps": urgent.steps[1:]})
    front.ladder_policies = [slower]
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", (await nurse.get("/how-it-works")).text))
    for told in (
        "Pleie · fra Alvorlig med en gang alle på vakt etter 2 min soneleder",
        "så hvert 4 min",
        "på 10 min (på vei 30 min",
    ):
        assert told in page
    assert "første på vakt" not in page


async def test_whoever_is_not_signed_in_reads_how_it_works_but_no_steps(guest: httpx.AsyncClient) -> None:
    page = await guest.get("/how-it-works")
    assert page.status_code == 200
    assert "Logg inn for å se trinnene" in page.text
    assert "soneleder" not in page.text
    assert 'href="/how-it-works"' in (await guest.get("/sign-in")).text


def test_how_it_works_explains_every_button_but_undo() -> None:
    assert {name for name, _ in BUTTONS} >= {text for answer, text in LABELS.items() if answer != "undo_close"}


async def test_how_it_works_leads_to_where_one_sees_to_it_that_one_is_called(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get("/how-it-works")).text
    assert "slått det på under «Denne telefonen»" in page
    for at, name in (("/phone", "Denne telefonen"), ("/me/contacts", "Mine kontaktmåter")):
        assert f'<dt><a href="{at}">{name}</a></dt>' in page


# Safety ---------------------------------------------------------------------------------------------------------------


async def test_nothing_that_people_or_devices_write_becomes_a_page(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    evil = "<script>alert(1)</script>\"' onload=x"
    told = fake_signs.evidence("<img src=x>", 4, **dict[str, Any]({"<b>": evil, "dose_at": "<i>"}))
    changed = fake_alerts.alert(
        resident=evil,
        address=evil,
        zone=evil,
        condition=evil,
        evidence=[told],
        resident_details=schemas.ResidentView(id=UUID(int=1), name=evil, phone=evil, notes=evil),
        unanswered_since=fake_people.NOW,
        holder=schemas.PersonRef(id=UUID(int=9), name=evil),
        offered_to=fake_people.ME,
        mine=True,
    )
    front.alerts = [changed]
    for path in ("/alerts", f"/alerts/{FALL}", f"/alerts/{FALL}?fragment=1"):
        page = (await nurse.get(path)).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "<b>" not in page
        assert "&lt;script&gt;" in page
        assert not re.search(r'="[^"]*"\' onload', page)


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_no_template_has_script_or_style_of_its_own(template: Path) -> None:
    text = template.read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|\| *safe\b|https?://", text)


async def test_no_page_is_kept_in_a_cache(nurse: httpx.AsyncClient) -> None:
    for path in ("/alerts", f"/alerts/{FALL}", "/sites", "/quarantine", "/sign-in"):
        assert (await nurse.get(path)).headers.get("cache-control", "no-store") == "no-store"


async def test_static_files_change_their_address_with_their_content(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get("/alerts")).text
    for address in re.findall(r'"(/static/[^"]+)"', page):
        assert re.search(r"\?v=[0-9a-f]{12}$", address)
        assert (await nurse.get(address)).status_code == 200


# The stream -----------------------------------------------------------------------------------------------------------


async def test_the_stream_is_for_those_signed_in(guest: httpx.AsyncClient) -> None:
    assert (await guest.get("/events")).status_code == 401
