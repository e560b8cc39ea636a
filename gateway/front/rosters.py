"""Rosters: who is on duty when, what is planned and changed, absences, check-in, calendars."""

from __future__ import annotations

import asyncio
from uuid import UUID

from alerts.rulebook import Rulebook
from gateway import absences, checking, duties, feeding, pagetests, patterning, rostering
from gateway.access import ANYBODY, PLANNERS, RESPONDERS, Who
from gateway.api import schemas
from gateway.front.calls import Calls
from gateway.store import audit
from gateway.store.db import Connection


class RosterCalls(Calls):
    """What people can look up and change about who is on duty."""

    async def roster(self, who: Who, zone: UUID) -> schemas.RosterView:
        who.require(ANYBODY)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: duties.roster(each, who, zone, now, local))

    async def duty(self, who: Who, zone: UUID, query: schemas.DutyQuery) -> schemas.DutyView:
        who.require(ANYBODY)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: duties.duty(each, who, zone, query, now, local))

    async def my_duty(self, who: Who) -> schemas.MyDuty:
        who.require(ANYBODY)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: duties.mine(each, who, now, local))

    # Plans ----------------------------------------------------------------------------------------------------------

    async def add_shift(self, who: Who, zone: UUID, request: schemas.ShiftRequest) -> schemas.ShiftView:
        who.require(PLANNERS)
        now = self._clock.now()
        return await self._database.run(lambda each: rostering.add_shift(each, who, zone, request, now))

    async def end_shift(self, who: Who, uid: UUID, request: schemas.EndRequest) -> schemas.ShiftView:
        who.require(PLANNERS)
        now = self._clock.now()
        return await self._database.run(lambda each: rostering.end_shift(each, who, uid, request, now))

    async def add_rotation(self, who: Who, zone: UUID, request: schemas.RotationRequest) -> schemas.RotationView:
        who.require(PLANNERS)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: patterning.add_rotation(each, who, zone, request, now, local))

    async def end_rotation(self, who: Who, uid: UUID, request: schemas.EndRequest) -> schemas.RotationView:
        who.require(PLANNERS)
        now = self._clock.now()
        return await self._database.run(lambda each: rostering.end_rotation(each, who, uid, request, now))

    async def add_pattern(self, who: Who, zone: UUID, request: schemas.PatternRequest) -> list[schemas.ShiftView]:
        who.require(PLANNERS)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: patterning.add_pattern(each, who, zone, request, now, local))

    async def end_pattern(self, who: Who, zone: UUID, request: schemas.PatternEnd) -> schemas.RosterView:
        who.require(PLANNERS)
        now, local = self._clock.now(), self._cache.local

        async def work(connection: Connection) -> schemas.RosterView:
            await patterning.end_pattern(connection, who, zone, request, now, local)
            return await duties.roster(connection, who, zone, now, local)

        return await self._database.run(work)

    async def preview_plan(self, who: Who, zone: UUID, request: schemas.PlanPreview) -> schemas.DutyView:
        """Who would be on duty; nothing is set."""
        who.require(PLANNERS)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: patterning.preview(each, who, zone, request, now, local))

    async def import_calendar(self, who: Who, zone: UUID, request: schemas.ImportRequest) -> schemas.ImportView:
        who.require(PLANNERS)
        now, local = self._clock.now(), self._cache.local
        await self._database.run(lambda each: feeding.planned_zone(each, who, zone))
        read = await asyncio.to_thread(feeding.read, request, local)
        return await self._database.run(
            lambda each: feeding.import_calendar(each, who, zone, request, read, now, local)
        )

    async def set_check_in(self, who: Who, zone: UUID, request: schemas.CheckInSetting) -> schemas.RosterView:
        who.require(PLANNERS)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: rostering.set_check_in(each, who, zone, request, now, local))

    # Changes --------------------------------------------------------------------------------------------------------

    async def add_override(self, who: Who, zone: UUID, request: schemas.OverrideRequest) -> schemas.OverrideView:
        who.require(PLANNERS)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: rostering.add_override(each, who, zone, request, now, local))

    async def withdraw_override(self, who: Who, uid: UUID, request: schemas.VersionRequest) -> schemas.OverrideView:
        who.require(PLANNERS)
        now = self._clock.now()
        return await self._database.run(lambda each: rostering.withdraw_override(each, who, uid, request, now))

    async def propose_swap(self, who: Who, zone: UUID, request: schemas.SwapRequest) -> schemas.SwapView:
        who.require(ANYBODY)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: rostering.propose_swap(each, who, zone, request, now, local))

    async def answer_swap(self, who: Who, uid: UUID, request: schemas.SwapAnswer) -> schemas.SwapView:
        who.require(ANYBODY)
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: rostering.answer_swap(each, who, uid, request, now, local))

    async def absences(self, who: Who) -> list[schemas.AbsenceView]:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._database.run(lambda each: absences.every(each, who, now))

    async def report_absence(self, who: Who, request: schemas.AbsenceRequest) -> schemas.AbsenceView:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._database.run(lambda each: absences.report(each, who, request, now))

    async def change_absence(self, who: Who, uid: UUID, request: schemas.AbsenceChange) -> schemas.AbsenceView:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._database.run(lambda each: absences.change(each, who, uid, request, now))

    # Check-in -------------------------------------------------------------------------------------------------------

    async def check_in_due(self, who: Who) -> list[schemas.CheckInView]:
        """Where they have to check in; nowhere, mostly."""
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: duties.check_in(each, who, now, local))

    async def check_in(self, who: Who) -> schemas.MyDuty:
        who.require(RESPONDERS)
        now, local = self._clock.now(), self._cache.local

        async def work(connection: Connection, book: Rulebook) -> schemas.MyDuty:
            there = await checking.check_in(connection, who.person_id, now, local)
            if there is not None:
                tested = await pagetests.at_shift(connection, who.person_id, there, now, book, self._reaching.testing)
                await audit.announce(connection, tested)
            return await duties.mine(connection, who, now, local)

        return await self._ruling(work)

    async def check_out(self, who: Who) -> schemas.MyDuty:
        who.require(RESPONDERS)
        now, local = self._clock.now(), self._cache.local

        async def work(connection: Connection, book: Rulebook) -> schemas.MyDuty:
            await checking.check_out(connection, who.person_id, now)
            await audit.announce(connection, await pagetests.rings_again(connection, who.person_id, now, book))
            return await duties.mine(connection, who, now, local)

        return await self._ruling(work)

    # Calendars ------------------------------------------------------------------------------------------------------

    async def feeds(self, who: Who) -> list[schemas.FeedView]:
        who.require(ANYBODY)
        return await self._database.run(lambda each: feeding.feeds(each, who))

    async def add_feed(self, who: Who, request: schemas.FeedRequest) -> schemas.FeedView:
        who.require(ANYBODY)
        now = self._clock.now()
        return await self._database.run(lambda each: feeding.add_feed(each, who, request, now))

    async def revoke_feed(self, who: Who, uid: UUID) -> None:
        who.require(ANYBODY)
        now = self._clock.now()
        await self._database.run(lambda each: feeding.revoke_feed(each, who, uid, now))

    async def calendar(self, token: str) -> str:
        """What a secret address shows."""
        now, local = self._clock.now(), self._cache.local
        return await self._database.run(lambda each: feeding.calendar(each, token, now, local))
