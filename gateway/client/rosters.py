"""Rosters and duty."""

from __future__ import annotations

from uuid import UUID

from gateway.api import schemas
from gateway.client.calls import Calls


class RosterCalls(Calls):
    async def roster(self, uid: UUID) -> schemas.RosterView:
        """What is planned for a zone."""
        return await self._call(schemas.RosterView, "GET", f"/rosters/{uid}")

    async def duty(self, uid: UUID, query: schemas.DutyQuery | None = None) -> schemas.DutyView:
        """Who is on duty for a zone."""
        return await self._call(schemas.DutyView, "GET", f"/rosters/{uid}/duty", query=query)

    async def set_check_in(self, uid: UUID, body: schemas.CheckInSetting) -> schemas.RosterView:
        return await self._call(schemas.RosterView, "PUT", f"/rosters/{uid}/check-in", body)

    async def add_shift(self, uid: UUID, body: schemas.ShiftRequest) -> schemas.ShiftView:
        return await self._call(schemas.ShiftView, "POST", f"/rosters/{uid}/shifts", body)

    async def end_shift(self, uid: UUID, body: schemas.EndRequest) -> schemas.ShiftView:
        return await self._call(schemas.ShiftView, "POST", f"/shifts/{uid}/end", body)

    async def add_rotation(self, uid: UUID, body: schemas.RotationRequest) -> schemas.RotationView:
        return await self._call(schemas.RotationView, "POST", f"/rosters/{uid}/rotations", body)

    async def add_pattern(self, uid: UUID, body: schemas.PatternRequest) -> list[schemas.ShiftView]:
        return await self._call(list[schemas.ShiftView], "POST", f"/rosters/{uid}/patterns", body)

    async def end_pattern(self, uid: UUID, body: schemas.PatternEnd) -> schemas.RosterView:
        return await self._call(schemas.RosterView, "POST", f"/rosters/{uid}/patterns/end", body)

    async def preview_plan(self, uid: UUID, body: schemas.PlanPreview) -> schemas.DutyView:
        """Who would be on duty; nothing is set."""
        return await self._call(schemas.DutyView, "POST", f"/rosters/{uid}/preview", body)

    async def end_rotation(self, uid: UUID, body: schemas.EndRequest) -> schemas.RotationView:
        return await self._call(schemas.RotationView, "POST", f"/rotations/{uid}/end", body)

    async def add_override(self, uid: UUID, body: schemas.OverrideRequest) -> schemas.OverrideView:
        return await self._call(schemas.OverrideView, "POST", f"/rosters/{uid}/overrides", body)

    async def withdraw_override(self, uid: UUID, body: schemas.VersionRequest) -> schemas.OverrideView:
        return await self._call(schemas.OverrideView, "POST", f"/overrides/{uid}/withdraw", body)

    async def propose_swap(self, uid: UUID, body: schemas.SwapRequest) -> schemas.SwapView:
        return await self._call(schemas.SwapView, "POST", f"/rosters/{uid}/swaps", body)

    async def answer_swap(self, uid: UUID, body: schemas.SwapAnswer) -> schemas.SwapView:
        return await self._call(schemas.SwapView, "POST", f"/swaps/{uid}/answer", body)

    async def import_calendar(self, uid: UUID, body: schemas.ImportRequest) -> schemas.ImportView:
        return await self._call(schemas.ImportView, "POST", f"/rosters/{uid}/import", body)

    async def absences(self) -> list[schemas.AbsenceView]:
        return await self._call(list[schemas.AbsenceView], "GET", "/absences")

    async def report_absence(self, body: schemas.AbsenceRequest) -> schemas.AbsenceView:
        return await self._call(schemas.AbsenceView, "POST", "/absences", body)

    async def change_absence(self, uid: UUID, body: schemas.AbsenceChange) -> schemas.AbsenceView:
        return await self._call(schemas.AbsenceView, "PATCH", f"/absences/{uid}", body)

    async def my_duty(self) -> schemas.MyDuty:
        return await self._call(schemas.MyDuty, "GET", "/me/duty")

    async def check_in(self) -> schemas.MyDuty:
        return await self._call(schemas.MyDuty, "POST", "/me/check-in")

    async def check_out(self) -> schemas.MyDuty:
        return await self._call(schemas.MyDuty, "POST", "/me/check-out")

    async def feeds(self) -> list[schemas.FeedView]:
        return await self._call(list[schemas.FeedView], "GET", "/feeds")

    async def add_feed(self, body: schemas.FeedRequest) -> schemas.FeedView:
        return await self._call(schemas.FeedView, "POST", "/feeds", body)

    async def revoke_feed(self, uid: UUID) -> None:
        await self._send("DELETE", f"/feeds/{uid}")
