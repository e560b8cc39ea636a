"""A lead's desk on a real gateway: a team and its policy, a pattern looked at and set, and figures of what came of it; by page alone."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import httpx

from gateway.embedded import Broker
from tests.gateway.served import Served, served
from tests.support.town import PASSWORD
from tests.web.test_policy_pages import text
from tests.web.test_rule_pages import fields

OSLO = ZoneInfo("Europe/Oslo")
KEEPING = ("/teams/edit?zone={zone}", "/rosters/patterns/edit?zone={zone}", "/rosters/rotations/edit?zone={zone}")
SEEN_BY = {
    "Kari": {"/rosters/patterns"},
    "Siri": {"/figures", "/teams", "/rosters/patterns", *KEEPING},
    "Vakt": {"/figures", "/teams", "/rosters/patterns"},
    "Tek": {"/figures", "/rosters/patterns"},
    "Ada": {"/figures", "/teams", "/rosters/patterns", *KEEPING},
}
"""Of these pages, which are for whom."""


async def at_desk(it: Served, name: str) -> None:
    """Whoever is signed in from now on."""
    it.http.cookies.clear()
    it.http.headers["Origin"] = "http://gateway.test"
    reply = await it.http.post("/sign-in", data={"username": name.lower(), "password": PASSWORD})
    assert reply.status_code == 303, reply.text


async def send(it: Served, path: str, form: dict[str, list[str]], **more: object) -> httpx.Response:
    given = {**form, **{name.replace("__", "."): [str(value)] for name, value in more.items()}}
    body = urlencode([(name, value) for name, values in given.items() for value in values])
    return await it.http.post(path, content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})


async def zone(it: Served, name: str) -> str:
    (row,) = await it.town.rows("SELECT uid FROM zone WHERE name = %s", name)
    return str(row["uid"])


async def test_each_page_is_for_those_whom_it_concerns(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        sone, oy = await zone(it, "Sone"), await zone(it, "Øy")
        for name, seen in SEEN_BY.items():
            await at_desk(it, name)
            for path in sorted(SEEN_BY["Ada"]):
                reply = await it.http.get(path.format(zone=sone))
                assert reply.status_code == (200 if path in seen else 403), (name, path)
        await at_desk(it, "Siri")
        assert (await it.http.get(f"/teams/edit?zone={oy}")).status_code in (403, 404), "a zone of others"
        form = fields((await it.http.get(f"/rosters/patterns/edit?zone={sone}")).text, "pattern-form")
        kari = await it.uid("Kari")
        day = it.town.now.astimezone(OSLO).date() + timedelta(days=2)
        elsewhere = await send(
            it, "/rosters/patterns/edit", form, zone=oy, person=kari, from_date=day, w0__d0__start="08:00", w0__d0__end="09:00", do="save"
        )  # fmt: skip
        assert elsewhere.status_code == 404
        assert await it.town.rows("SELECT 1 FROM roster_shift WHERE start_time = '08:00' AND from_date = %s", day) == []


async def test_a_lead_plans_by_page_alone(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        town = it.town
        home = await town.home()
        sone = await zone(it, "Sone")
        await at_desk(it, "Siri")

        # A team, called by a policy, which holds it.
        form = fields((await it.http.get(f"/teams/edit?zone={sone}")).text, "team-form")
        made = await send(
            it, "/teams/edit", form, name="Nattpatruljen", members__0__person=await it.uid("Ola"), do="save"
        )
        assert made.status_code == 303, text(made)
        team = made.headers["location"]
        policy = fields((await it.http.get(f"/policies/edit?zone={sone}")).text, "policy-form")
        whom = f"team:{team.rpartition('/')[2]}"
        saved = await send(it, "/policies/edit", policy, name="Natt først", steps__0__whom=whom, do="save")
        assert saved.status_code == 303, text(saved)
        assert "Brukes av: Natt først" in text(await it.http.get(team))
        withdraw = fields((await it.http.get(team)).text, "withdraw")
        refused = await send(it, f"{team}/withdraw", withdraw)
        assert (refused.status_code, "Endre dem først" in text(refused)) == (409, True)
        taken = await send(
            it, "/teams/edit", form, name="Nattpatruljen", members__0__person=await it.uid("Ola"), do="save"
        )
        assert (taken.status_code, 'id="wrong-name"' in taken.text) == (409, True)
        changed = fields((await it.http.get(f"/teams/edit?team={team.rpartition('/')[2]}")).text, "team-form")
        twice = (
            await send(it, "/teams/edit", changed, name="Nattvakten", do="save"),
            await send(it, "/teams/edit", changed, do="save"),
        )
        assert [each.status_code for each in twice] == [303, 409], "the second was made of what is no more"
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Ola"]

        # A pattern: looked at, nothing saved; then saved; then changed, and the one before ends.
        form = fields((await it.http.get(f"/rosters/patterns/edit?zone={sone}")).text, "pattern-form")
        first = (town.now + timedelta(days=7)).astimezone(OSLO).date()
        await town.person("Berit", "responder")
        plan = {"person": await it.uid("Berit"), "from_date": first, "position": 7}
        every = {f"w0__d{day}__{name}": at for day in range(7) for name, at in (("start", "22:15"), ("end", "06:45"))}
        before = await town.rows("SELECT count(*) AS n FROM roster_shift")
        looked = await send(it, "/rosters/patterns/edit", form, **plan, **every, do="preview")
        assert (looked.status_code, "fra 22:15" in text(looked)) == (200, True)
        assert await town.rows("SELECT count(*) AS n FROM roster_shift") == before
        done = await send(it, "/rosters/patterns/edit", form, **plan, **every, do="save")
        assert done.status_code == 303, text(done)
        page = (await it.http.get(done.headers["location"])).text
        pattern = next(
            each.partition('"')[0]
            for each in page.split('href="')
            if "pattern=" in each and _is_of(page, each, "22:15")
        )
        again = fields((await it.http.get(pattern.replace("&amp;", "&"))).text, "pattern-form")
        changed_ = await send(
            it,
            "/rosters/patterns/edit",
            again,
            from_date=first + timedelta(days=7),
            w0__d6__start="",
            w0__d6__end="",
            do="save",
        )
        assert changed_.status_code == 303, text(changed_)
        rows = await town.rows(
            "SELECT to_date, count(*) AS n FROM roster_shift WHERE start_time = '22:15' GROUP BY 1 ORDER BY 1"
        )
        assert [(each["to_date"], each["n"]) for each in rows] == [(first + timedelta(days=6), 7), (None, 6)]

        # What came of the alert is in the figures.
        alert = (await town.alert("fall"))["uid"]
        await town.answers("Ola", alert, "claim")
        await town.done("Ola", alert)
        figures = await it.http.get(f"/figures?period=week&day={town.now.astimezone(OSLO).date()}")
        assert ("Beboer" in figures.text, "Av 1 lukkede omsorgsvarsler" in text(figures)) == (True, True)
        table = next(each.partition('"')[0] for each in figures.text.split('href="') if "answers.csv" in each)
        csv = await it.http.get(table.replace("&amp;", "&"))
        assert (csv.status_code, csv.headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert csv.text.splitlines()[1].startswith("1,0,1,")


def _is_of(page: str, link: str, start: str) -> bool:
    """Whether the card with a link has a shift that starts then."""
    card = page[: page.index(link)].rpartition('<li class="card"')[2]
    return start in card
