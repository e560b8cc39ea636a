"""Rosters, as planners and responders keep them through the API: what is taken, and what is refused and why."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from gateway.api import schemas
from gateway.client import Client
from gateway.embedded import Broker
from tests.gateway.api.test_register import refusal, zone
from tests.gateway.served import Served, problem, served

OSLO = ZoneInfo("Europe/Oslo")
MORNING = datetime(2026, 3, 9, 7, tzinfo=OSLO)
"""The Monday after the stories begin."""
EIGHT = timedelta(hours=8)

TURNUS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//planner//
BEGIN:VEVENT
UID:one
DTSTART;TZID=Europe/Oslo:20260310T{hour}0000
DTEND;TZID=Europe/Oslo:20260310T230000
ATTENDEE:mailto:berit@example.org
SUMMARY:Kveld
END:VEVENT
BEGIN:VEVENT
UID:two
DTSTART;TZID=Europe/Oslo:20260311T150000
DTEND;TZID=Europe/Oslo:20260311T230000
ATTENDEE;CN=Ukjent:mailto:ukjent@example.org
SUMMARY:Kveld
END:VEVENT
END:VCALENDAR
"""


class Zone:
    """«Sone» with its staff, as the stories speak of them."""

    def __init__(self, it: Served, uid: UUID, clients: dict[str, Client], staff: dict[str, UUID]) -> None:
        self.it, self.uid, self.clients, self.staff = it, uid, clients, staff

    async def serving(self, since: datetime, role: schemas.Serving = "responder") -> list[tuple[str, str]]:
        """Who serves at a time, and why."""
        asked = schemas.DutyQuery(since=since, until=since + timedelta(seconds=1), role=role)
        (span,) = (await self.clients["Siri"].duty(self.uid, asked)).spans
        return [(each.name, each.why) for each in span.on_duty]

    def swap(self, mine: datetime, theirs: datetime, other: str = "Ola", **more: Any) -> schemas.SwapRequest:
        return schemas.SwapRequest(
            other=self.staff[other],
            mine=schemas.Stretch(begins=mine, ends=mine + EIGHT),
            theirs=schemas.Stretch(begins=theirs, ends=theirs + EIGHT),
            **more,
        )


async def arranged(it: Served) -> Zone:
    """Kari serves from 7 to 15, Ola from 15 to 23, every day; Berit works here and is on no roster."""
    await it.town.person("Berit", "responder")
    await it.town.contact("Berit", "email", "berit@example.org")
    await it.town.off_duty("Kari", "Ola")
    names = ("Kari", "Ola", "Berit", "Siri", "Liv", "Ada")
    staff = {name: UUID(await it.uid(name)) for name in names}
    found = Zone(it, await zone(it, "Sone"), {name: await it.client(name) for name in names}, staff)
    for name, start in (("Kari", 7), ("Ola", 15)):
        for day in range(7):
            await found.clients["Siri"].add_shift(found.uid, shift(staff[name], day, start))
    return found


def shift(person: UUID, weekday: int, start: int, **more: Any) -> schemas.ShiftRequest:
    first = datetime(2026, 1, 1).date()
    return schemas.ShiftRequest(
        person=person, weekday=weekday, start=time(start), end=time(start + 8), from_date=first, **more
    )


async def refused(call: Awaitable[object]) -> str:
    return await refusal(call)


async def test_what_is_planned_and_changed_and_by_whom(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        sone = await arranged(it)
        siri, kari, ola, ada = (sone.clients[name] for name in ("Siri", "Kari", "Ola", "Ada"))
        assert await sone.serving(MORNING) == [("Kari", "pattern")]

        # Who does not work here, or may not plan here.
        assert await refused(siri.add_shift(sone.uid, shift(sone.staff["Liv"], 0, 7))) == "422 person"
        assert await refused(siri.add_shift(await zone(it, "Kommune"), shift(sone.staff["Kari"], 0, 7))) == "404 zone"
        reply = await it.http.post(
            f"/api/v1/rosters/{sone.uid}/shifts",
            json={"person": str(sone.staff["Kari"]), "start": "07:00", "end": "15:00", "from_date": "2026-01-01"},
            headers=await it.bearer("Siri"),
        )
        assert "give one of them" in problem(reply, 422)["detail"]

        # Turns, and until when.
        turns = schemas.RotationRequest(
            name="Bakvakt", persons=(sone.staff["Berit"], sone.staff["Ola"]), first_day=MORNING.date(), hand_over=time(7),
            start=time(7), end=time(15), position=5,
        )  # fmt: skip
        rotation = await siri.add_rotation(sone.uid, turns)
        assert [await sone.serving(MORNING + timedelta(weeks=week)) for week in (0, 1)] == [
            [("Kari", "pattern"), ("Berit", "rotation")],
            [("Kari", "pattern"), ("Ola", "rotation")],
        ]
        ended = schemas.EndRequest(last_day=MORNING.date(), version=rotation.version)
        assert (await ada.end_rotation(rotation.id, ended)).version == 2
        assert await refused(siri.end_rotation(rotation.id, ended)) == "409 stale"
        assert await sone.serving(MORNING + timedelta(weeks=1)) == [("Kari", "pattern")]

        # One by another, and as it was.
        instead = schemas.OverrideRequest(
            leaves=sone.staff["Kari"],
            comes=sone.staff["Berit"],
            begins=MORNING + timedelta(hours=2),
            ends=MORNING + EIGHT,
        )
        tuesday = {"begins": instead.begins + timedelta(days=1), "ends": instead.ends + timedelta(days=1)}
        made = await siri.add_override(sone.uid, instead.model_copy(update=tuesday))
        at = made.begins + timedelta(hours=1)
        assert await sone.serving(at) == [("Berit", "override")]
        assert await refused(siri.add_override(sone.uid, instead.model_copy(update=tuesday))) == "409 not_on_duty_then"
        nobody = instead.model_copy(update={**tuesday, "leaves": None, "comes": sone.staff["Berit"]})
        assert await refused(siri.add_override(sone.uid, nobody)) == "409 two_places"
        over = instead.model_copy(update={"begins": it.town.now - EIGHT, "ends": it.town.now})
        assert await refused(siri.add_override(sone.uid, over)) == "422 ends"
        await siri.withdraw_override(made.id, schemas.VersionRequest(version=made.version))
        assert await sone.serving(at) == [("Kari", "pattern")]

        # A swap holds once the other has accepted, and is seen by both.
        wednesday, thursday = (MORNING + timedelta(days=days) for days in (2, 3))
        evening = thursday + EIGHT
        assert await refused(kari.propose_swap(sone.uid, sone.swap(wednesday, wednesday))) == "409 not_on_duty_then"
        assert (
            await refused(kari.propose_swap(sone.uid, sone.swap(wednesday, evening, asks=sone.staff["Ola"])))
            == "403 not_yours"
        )
        proposed = await kari.propose_swap(sone.uid, sone.swap(wednesday, evening))
        again = await kari.propose_swap(sone.uid, sone.swap(wednesday, evening))
        assert await sone.serving(wednesday) == [("Kari", "pattern")]
        assert [each.answers for each in (await ola.my_duty()).swaps] == [["accept", "decline"]] * 2
        accept = schemas.SwapAnswer(answer="accept", version=1)
        assert await refused(kari.answer_swap(proposed.id, accept)) == "403 not_yours"
        await ola.answer_swap(proposed.id, accept)
        assert await refused(ola.answer_swap(proposed.id, accept)) == "409 answered"
        assert await refused(ola.answer_swap(again.id, accept)) == "409 not_on_duty_then", "it is given away already"
        assert [await sone.serving(each) for each in (wednesday, evening)] == [[("Ola", "swap")], [("Kari", "swap")]]
        mine = [(each.begins, each.why) for each in (await kari.my_duty()).shifts if each.why != "pattern"]
        assert mine == [(evening, "swap")]
        await siri.answer_swap(proposed.id, schemas.SwapAnswer(answer="withdraw", version=2))
        assert await sone.serving(wednesday) == [("Kari", "pattern")]

        # Away: by oneself, covered by who plans; why is for them alone.
        friday = MORNING + timedelta(days=4)
        away = await kari.report_absence(schemas.AbsenceRequest(begins=friday, ends=friday + EIGHT))
        assert await sone.serving(friday) == []
        assert await refused(kari.report_absence(schemas.AbsenceRequest(begins=friday))) == "409 away_already"
        covered = schemas.AbsenceChange(version=1, cover=sone.staff["Berit"])
        assert await refused(kari.change_absence(away.id, covered)) == "403 not_yours"
        wrong = schemas.AbsenceChange(version=1, cover=sone.staff["Liv"])
        assert await refused(siri.change_absence(away.id, wrong)) == "422 cover"
        await siri.change_absence(away.id, covered)
        assert await refused(siri.change_absence(away.id, covered)) == "409 stale"
        assert await sone.serving(friday) == [("Berit", "cover")]
        kinds = [(await sone.clients[name].roster(sone.uid)).absences[0].kind for name in ("Siri", "Kari", "Ola")]
        assert kinds == ["sick", "sick", None]
        assert await refused(sone.clients["Liv"].change_absence(away.id, covered)) == "404 person"

        actions = {row["action"] for row in await it.town.rows("SELECT action FROM audit")}
        assert {
            f"roster.{each}" for each in ("shift_added", "rotation_ended", "override_withdrawn", "swap_accepted")
        } < actions


async def test_calendars_in_and_out(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        sone = await arranged(it)
        siri, berit = sone.clients["Siri"], sone.clients["Berit"]

        def wanted(*, hour: int = 15, **more: Any) -> schemas.ImportRequest:
            given = {
                "calendar": TURNUS.format(hour=hour),
                "source": "turnus",
                "since": "2026-03-01",
                "until": "2026-04-01",
            }
            return schemas.ImportRequest.model_validate({**given, **more})

        at = datetime(2026, 3, 10, 22, tzinfo=OSLO)
        looked = await siri.import_calendar(sone.uid, wanted())
        assert (looked.applied, [each.person.name for each in looked.added], looked.unknown) == (
            False,
            ["Berit"],
            ["ukjent@example.org"],
        )
        assert await sone.serving(at) == [("Ola", "pattern")], "it was only looked at"
        await siri.import_calendar(sone.uid, wanted(apply=True))
        assert ("Berit", "planned") in await sone.serving(at)
        known: dict[str, Any] = {"people": {"ukjent@example.org": str(sone.staff["Kari"])}}
        moved = await siri.import_calendar(sone.uid, wanted(hour=16, apply=True, **known))
        assert [(each.person.name, each.begins.astimezone(OSLO).hour, each.was and each.was.begins.astimezone(OSLO).hour) for each in moved.moved] == [("Berit", 16, 15)]  # fmt: skip
        assert ([each.person.name for each in moved.added], moved.unknown, moved.kept) == (["Kari"], [], 0)
        empty: dict[str, Any] = {"calendar": "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nEND:VCALENDAR\n"}
        other = await siri.import_calendar(sone.uid, wanted(**empty, source="another"))
        assert (other.removed, other.kept) == ([], 0), "what another source brought is none of its business"
        assert await refused(siri.import_calendar(sone.uid, wanted(calendar="nonsense"))) == "422 calendar"
        strange: dict[str, Any] = {"people": {"x": str(sone.staff["Liv"])}}
        assert await refused(siri.import_calendar(sone.uid, wanted(**strange))) == "422 people"

        await it.town.rows(
            "UPDATE assignment SET during = tstzrange(%s, NULL) WHERE person_id = %s",
            it.town.now,
            it.town.staff["Berit"],
        )
        made = await berit.add_feed(schemas.FeedRequest())
        assert made.address is not None
        shown = await it.http.get(made.address)
        assert (shown.status_code, shown.headers["content-type"].split(";")[0]) == (200, "text/calendar")
        assert ("DTSTART:20260310T150000Z" in shown.text, "På vakt: Sone" in shown.text) == (True, True)
        whole = await berit.add_feed(schemas.FeedRequest(zone=sone.uid))
        assert whole.address is not None
        assert "SUMMARY:Ola" in (await it.http.get(whole.address)).text
        back = await siri.import_calendar(sone.uid, wanted(calendar=shown.text, source="phone"))
        assert [each.person.name for each in back.added] == ["Berit"], "what goes out comes in again"
        assert [each.address for each in await berit.feeds()] == [None, None]
        assert await refused(sone.clients["Ola"].revoke_feed(made.id)) == "404 feed"
        await berit.revoke_feed(made.id)
        assert (await it.http.get(made.address)).status_code == 404
        await it.town.rows("DELETE FROM assignment WHERE person_id = %s", it.town.staff["Berit"])
        assert (await it.http.get(whole.address)).status_code == 404, "who works here no more sees no more"
