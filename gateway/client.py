"""A client of the API, in Python: one method an endpoint, made of the values that the API itself gives and takes.

    async with Client("https://gateway.example") as gateway:
        await gateway.sign_in(schemas.SignIn(username="tek", password="…"))
        device = await gateway.register_device(schemas.DeviceRequest(site="stavanger", address="fall-7", kind="fall_alarm"))
        async for alert in gateway.all_alerts(schemas.AlertQuery(track="technical")):
            print(alert.title, alert.zone)

Rules
    A method is called as its operation is in ``/openapi.json``. What it cannot do is raised:

        ClientError
        ├── ProblemError     the gateway said no: ``status``, ``reason``, ``detail``, how to ``mend`` it
        └── Unreachable      there was no answer; whether it was done is not known

    An answer and a command have an Idempotency-Key. The client makes one for each call; give your own to try again after
    :class:`Unreachable` without doing it twice. Lists come page by page, or one by one with ``all_…``. Nothing is retried
    here, and nothing waits longer than ``timeout`` seconds; changes stream for as long as the session is in force.
    It needs httpx and pydantic, and no part of the server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar
from uuid import UUID, uuid4

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.api import schemas

API = "/api/v1"
Answer = TypeVar("Answer")
Query = TypeVar("Query", bound=schemas.Paged)
_ANY_LENGTH = httpx.Timeout(10, read=60)
"""Of the stream of changes: the gateway says something every quarter of a minute."""


class ClientError(Exception):
    """Something that was asked of the gateway did not work."""


class ProblemError(ClientError):
    """The gateway said no, and why. ``problem``: as it said it."""

    def __init__(self, problem: schemas.Problem) -> None:
        super().__init__(
            f"{problem.status} {problem.reason}: {problem.detail}" + (f" ({problem.mend})" if problem.mend else "")
        )
        self.problem = problem
        self.status, self.reason = problem.status, problem.reason
        self.detail, self.mend = problem.detail, problem.mend


class Unreachable(ClientError):
    """There was no answer."""


class Client:
    """The API of one gateway, for whoever signs in or has a ``token``. ``transport``: how requests are made, for tests."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 30,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, transport=transport)
        if token is not None:
            self._carry(token)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connections. The session goes on until ``sign_out`` or its end."""
        await self._http.aclose()

    # Sessions -------------------------------------------------------------------------------------------------------

    async def sign_in(self, body: schemas.SignIn) -> schemas.SessionView:
        """Begin a session; every other call is made in it."""
        begun = await self._call(schemas.SessionView, "POST", "/sessions", body)
        self._carry(begun.token)
        return begun

    async def sign_out(self) -> None:
        await self._send("DELETE", "/sessions/current")
        del self._http.headers["Authorization"]

    async def me(self) -> schemas.Me:
        return await self._call(schemas.Me, "GET", "/me")

    async def set_language(self, body: schemas.Language) -> None:
        await self._send("PUT", "/me/language", body)

    async def signed_in_at(self) -> list[schemas.SignedInView]:
        return await self._call(list[schemas.SignedInView], "GET", "/me/sessions")

    async def end_session(self, uid: UUID) -> None:
        await self._send("DELETE", f"/me/sessions/{uid}")

    # Contacts -------------------------------------------------------------------------------------------------------

    async def contacts(self) -> schemas.ContactList:
        return await self._call(schemas.ContactList, "GET", "/me/contacts")

    async def add_contact(self, body: schemas.ContactRequest) -> schemas.ContactView:
        return await self._call(schemas.ContactView, "POST", "/me/contacts", body)

    async def order_contacts(self, body: schemas.ContactOrder) -> schemas.ContactList:
        return await self._call(schemas.ContactList, "PUT", "/me/contacts/order", body)

    async def set_quiet_hours(self, uid: UUID, body: schemas.QuietHours) -> schemas.ContactView:
        return await self._call(schemas.ContactView, "PATCH", f"/me/contacts/{uid}", body)

    async def remove_contact(self, uid: UUID, *, confirmed: bool = False) -> None:
        """``confirmed``: also if nothing else reaches you while you serve."""
        await self._send("DELETE", f"/me/contacts/{uid}", query=schemas.RemovalQuery(confirmed=confirmed))

    async def test_contact(self, uid: UUID) -> schemas.ContactView:
        return await self._call(schemas.ContactView, "POST", f"/me/contacts/{uid}/test")

    async def call_off_test(self, uid: UUID) -> schemas.ContactView:
        return await self._call(schemas.ContactView, "DELETE", f"/me/contacts/{uid}/test")

    # Alerts ---------------------------------------------------------------------------------------------------------

    async def alerts(self, query: schemas.AlertQuery | None = None) -> schemas.AlertPage:
        return await self._call(schemas.AlertPage, "GET", "/alerts", query=query)

    def all_alerts(self, query: schemas.AlertQuery | None = None) -> AsyncIterator[schemas.AlertSummary]:
        return _each(self.alerts, query or schemas.AlertQuery(), lambda page: page.alerts)

    async def alert(self, uid: UUID) -> schemas.AlertDetail:
        return await self._call(schemas.AlertDetail, "GET", f"/alerts/{uid}")

    async def alert_path(self, uid: UUID) -> schemas.AlertPath:
        """Leg by leg."""
        return await self._call(schemas.AlertPath, "GET", f"/alerts/{uid}/path")

    async def answer(self, uid: UUID, body: schemas.AnswerRequest, key: str | None = None) -> schemas.AnswerReply:
        return await self._call(schemas.AnswerReply, "POST", f"/alerts/{uid}/answers", body, key=key or str(uuid4()))

    async def ask(self, uid: UUID, body: schemas.CommandRequest, key: str | None = None) -> schemas.CommandView:
        """Ask a device in the home of an alert for something."""
        return await self._call(schemas.CommandView, "POST", f"/alerts/{uid}/commands", body, key=key or str(uuid4()))

    async def changes(self) -> AsyncIterator[str]:
        """The names of server-sent events, as they come: ``changed`` when something you may see has changed. It ends with
        the session; where the connection is lost, Unreachable is raised: look again, then listen again."""
        try:
            async with self._http.stream("GET", f"{API}/changes", timeout=_ANY_LENGTH) as reply:
                if reply.is_error:
                    await reply.aread()
                    raise _problem(reply)
                async for line in reply.aiter_lines():
                    if line.startswith("event:"):
                        yield line.removeprefix("event:").strip()
        except httpx.HTTPError as error:
            raise Unreachable(f"the stream of changes broke: {error!r}") from error

    async def commands(self, query: schemas.CommandQuery | None = None) -> schemas.CommandPage:
        return await self._call(schemas.CommandPage, "GET", "/commands", query=query)

    def all_commands(self, query: schemas.CommandQuery | None = None) -> AsyncIterator[schemas.CommandItem]:
        return _each(self.commands, query or schemas.CommandQuery(), lambda page: page.commands)

    async def command(self, uid: UUID) -> schemas.CommandItem:
        return await self._call(schemas.CommandItem, "GET", f"/commands/{uid}")

    # Pages, by their keys -------------------------------------------------------------------------------------------

    async def page(self, key: str) -> schemas.PageView:
        return await self._call(schemas.PageView, "GET", f"/pages/{key}")

    async def page_received(self, key: str) -> schemas.PageView:
        return await self._call(schemas.PageView, "POST", f"/pages/{key}/received")

    async def page_shown(self, key: str) -> schemas.PageView:
        return await self._call(schemas.PageView, "POST", f"/pages/{key}/shown")

    async def claim_page(self, key: str, body: schemas.PageClaim) -> schemas.PageClaimed:
        """Take the page's alert, in the name of its person."""
        return await self._call(schemas.PageClaimed, "POST", f"/pages/{key}/claim", body)

    # Homes ----------------------------------------------------------------------------------------------------------

    async def residents(self, query: schemas.ResidentQuery | None = None) -> schemas.ResidentPage:
        return await self._call(schemas.ResidentPage, "GET", "/residents", query=query)

    def all_residents(self, query: schemas.ResidentQuery | None = None) -> AsyncIterator[schemas.ResidentItem]:
        return _each(self.residents, query or schemas.ResidentQuery(), lambda page: page.residents)

    async def resident(self, uid: UUID) -> schemas.ResidentDetail:
        return await self._call(schemas.ResidentDetail, "GET", f"/residents/{uid}")

    async def access_log(self, uid: UUID, query: schemas.AccessLogQuery | None = None) -> schemas.AccessLog:
        return await self._call(schemas.AccessLog, "GET", f"/residents/{uid}/access-log", query=query)

    async def add_resident(self, body: schemas.ResidentRequest) -> schemas.ResidentDetail:
        return await self._call(schemas.ResidentDetail, "POST", "/residents", body)

    async def change_resident(self, uid: UUID, body: schemas.ResidentChange) -> schemas.ResidentDetail:
        return await self._call(schemas.ResidentDetail, "PATCH", f"/residents/{uid}", body)

    async def move_in(self, uid: UUID, body: schemas.MoveIn) -> schemas.ResidentDetail:
        return await self._call(schemas.ResidentDetail, "POST", f"/residents/{uid}/move-in", body)

    async def move_out(self, uid: UUID, body: schemas.MoveOut) -> schemas.ResidentDetail:
        return await self._call(schemas.ResidentDetail, "POST", f"/residents/{uid}/move-out", body)

    async def dwellings(self, query: schemas.DwellingQuery | None = None) -> schemas.DwellingPage:
        return await self._call(schemas.DwellingPage, "GET", "/dwellings", query=query)

    def all_dwellings(self, query: schemas.DwellingQuery | None = None) -> AsyncIterator[schemas.DwellingItem]:
        return _each(self.dwellings, query or schemas.DwellingQuery(), lambda page: page.dwellings)

    async def dwelling(self, uid: UUID) -> schemas.DwellingDetail:
        return await self._call(schemas.DwellingDetail, "GET", f"/dwellings/{uid}")

    async def add_dwelling(self, body: schemas.DwellingRequest) -> schemas.DwellingDetail:
        return await self._call(schemas.DwellingDetail, "POST", "/dwellings", body)

    async def change_dwelling(self, uid: UUID, body: schemas.DwellingChange) -> schemas.DwellingDetail:
        return await self._call(schemas.DwellingDetail, "PATCH", f"/dwellings/{uid}", body)

    # What devices said ----------------------------------------------------------------------------------------------

    async def observations(self, query: schemas.ObservationQuery) -> schemas.ObservationPage:
        return await self._call(schemas.ObservationPage, "GET", "/observations", query=query)

    def all_observations(self, query: schemas.ObservationQuery) -> AsyncIterator[schemas.ObservationView]:
        return _each(self.observations, query, lambda page: page.items)

    async def buckets(self, query: schemas.BucketQuery) -> schemas.BucketList:
        return await self._call(schemas.BucketList, "GET", "/observations/buckets", query=query)

    async def counted(self, query: schemas.CountedQuery) -> schemas.CountedList:
        return await self._call(schemas.CountedList, "GET", "/observations/counted", query=query)

    # Devices --------------------------------------------------------------------------------------------------------

    async def devices(self, query: schemas.DeviceQuery | None = None) -> schemas.DevicePage:
        return await self._call(schemas.DevicePage, "GET", "/devices", query=query)

    def all_devices(self, query: schemas.DeviceQuery | None = None) -> AsyncIterator[schemas.DeviceItem]:
        return _each(self.devices, query or schemas.DeviceQuery(), lambda page: page.devices)

    async def device(self, uid: UUID) -> schemas.DeviceDetail:
        return await self._call(schemas.DeviceDetail, "GET", f"/devices/{uid}")

    async def register_device(self, body: schemas.DeviceRequest) -> schemas.DeviceItem:
        return await self._call(schemas.DeviceItem, "POST", "/devices", body)

    async def change_device(self, uid: UUID, body: schemas.DeviceChange) -> schemas.DeviceItem:
        return await self._call(schemas.DeviceItem, "PATCH", f"/devices/{uid}", body)

    async def fit_device(self, uid: UUID, body: schemas.FitRequest) -> schemas.FittingView:
        return await self._call(schemas.FittingView, "POST", f"/devices/{uid}/fit", body)

    async def move_device(self, uid: UUID, body: schemas.FitRequest) -> schemas.FittingView:
        return await self._call(schemas.FittingView, "POST", f"/devices/{uid}/move", body)

    async def take_down_device(self, uid: UUID, body: schemas.TakeDown) -> schemas.FittingView:
        return await self._call(schemas.FittingView, "POST", f"/devices/{uid}/take-down", body)

    async def doses(self, uid: UUID) -> schemas.DoseList:
        return await self._call(schemas.DoseList, "GET", f"/devices/{uid}/doses")

    async def set_dose(self, uid: UUID, body: schemas.DoseRequest) -> schemas.DoseView:
        return await self._call(schemas.DoseView, "POST", f"/devices/{uid}/doses", body)

    async def end_dose(self, uid: UUID, body: schemas.DoseEnd) -> schemas.DoseView:
        return await self._call(schemas.DoseView, "POST", f"/doses/{uid}/end", body)

    # Silences -------------------------------------------------------------------------------------------------------

    async def silences(self, query: schemas.SilenceQuery | None = None) -> schemas.SilencePage:
        return await self._call(schemas.SilencePage, "GET", "/silences", query=query)

    def all_silences(self, query: schemas.SilenceQuery | None = None) -> AsyncIterator[schemas.SilenceView]:
        return _each(self.silences, query or schemas.SilenceQuery(), lambda page: page.silences)

    async def silence_count(self) -> schemas.SilenceCount:
        return await self._call(schemas.SilenceCount, "GET", "/silences/count")

    async def silence_draft(self, query: schemas.SilenceFor) -> schemas.SilenceDraft:
        """What can be silenced of a device, a resident or a zone."""
        return await self._call(schemas.SilenceDraft, "GET", "/silences/draft", query=query)

    async def silence(self, uid: UUID) -> schemas.SilenceDetail:
        return await self._call(schemas.SilenceDetail, "GET", f"/silences/{uid}")

    async def set_silence(self, body: schemas.SilenceRequest) -> schemas.SilenceDetail:
        """Silence something, or say that a resident is away."""
        return await self._call(schemas.SilenceDetail, "POST", "/silences", body)

    async def consent(self, uid: UUID, body: schemas.SilenceSeen) -> schemas.SilenceDetail:
        """Agree to a silence that somebody else has asked for."""
        return await self._call(schemas.SilenceDetail, "POST", f"/silences/{uid}/consent", body)

    async def extend(self, uid: UUID, body: schemas.SilenceLonger) -> schemas.SilenceDetail:
        return await self._call(schemas.SilenceDetail, "POST", f"/silences/{uid}/extend", body)

    async def end_silence(self, uid: UUID, body: schemas.SilenceSeen) -> schemas.SilenceDetail:
        """End it now, or say that a resident is back."""
        return await self._call(schemas.SilenceDetail, "POST", f"/silences/{uid}/end", body)

    # Rules ----------------------------------------------------------------------------------------------------------

    async def rules(self, kind: str | None = None) -> schemas.RuleList:
        return await self._call(schemas.RuleList, "GET", "/rules", more={"kind": kind} if kind else {})

    async def rule(self, uid: UUID) -> schemas.RuleDetail:
        return await self._call(schemas.RuleDetail, "GET", f"/rules/{uid}")

    async def set_rule(self, body: schemas.RuleRequest) -> schemas.RuleView:
        return await self._call(schemas.RuleView, "PUT", "/rules", body)

    async def preview_rule(self, body: schemas.RuleRequest) -> schemas.Preview:
        return await self._call(schemas.Preview, "POST", "/rules/preview", body)

    async def withdraw_rule(self, uid: UUID, body: schemas.WithdrawRequest) -> schemas.RuleView:
        return await self._call(schemas.RuleView, "POST", f"/rules/{uid}/withdraw", body)

    async def rule_types(self) -> list[schemas.RuleType]:
        return await self._call(list[schemas.RuleType], "GET", "/rule-types")

    # Staff and sites ------------------------------------------------------------------------------------------------

    async def zones(self) -> list[schemas.ZoneView]:
        return await self._call(list[schemas.ZoneView], "GET", "/zones")

    async def people(self, query: schemas.StaffQuery | None = None) -> schemas.StaffPage:
        return await self._call(schemas.StaffPage, "GET", "/people", query=query)

    def all_people(self, query: schemas.StaffQuery | None = None) -> AsyncIterator[schemas.StaffItem]:
        return _each(self.people, query or schemas.StaffQuery(), lambda page: page.people)

    async def person(self, uid: UUID) -> schemas.StaffItem:
        return await self._call(schemas.StaffItem, "GET", f"/people/{uid}")

    async def policies(self) -> list[schemas.PolicyView]:
        return await self._call(list[schemas.PolicyView], "GET", "/policies")

    async def policy(self, uid: UUID) -> schemas.PolicyDetail:
        return await self._call(schemas.PolicyDetail, "GET", f"/policies/{uid}")

    async def policy_options(self, query: schemas.PolicyScopeRequest | None = None) -> schemas.PolicyOptions:
        return await self._call(schemas.PolicyOptions, "GET", "/policy-options", query=query)

    async def add_policy(self, body: schemas.PolicyRequest) -> schemas.PolicyView:
        return await self._call(schemas.PolicyView, "POST", "/policies", body=body)

    async def change_policy(self, uid: UUID, body: schemas.PolicyChange) -> schemas.PolicyView:
        return await self._call(schemas.PolicyView, "PUT", f"/policies/{uid}", body=body)

    async def withdraw_policy(self, uid: UUID, body: schemas.WithdrawRequest) -> schemas.PolicyView:
        return await self._call(schemas.PolicyView, "POST", f"/policies/{uid}/withdraw", body=body)

    async def rehearsal(self, query: schemas.RehearsalQuery) -> schemas.Rehearsal:
        return await self._call(schemas.Rehearsal, "GET", "/rehearsal", query=query)

    async def reach(self) -> schemas.ReachView:
        return await self._call(schemas.ReachView, "GET", "/reach")

    async def teams(self) -> list[schemas.TeamView]:
        return await self._call(list[schemas.TeamView], "GET", "/teams")

    async def team(self, uid: UUID) -> schemas.TeamView:
        return await self._call(schemas.TeamView, "GET", f"/teams/{uid}")

    async def add_team(self, body: schemas.TeamRequest) -> schemas.TeamView:
        return await self._call(schemas.TeamView, "POST", "/teams", body=body)

    async def change_team(self, uid: UUID, body: schemas.TeamChange) -> schemas.TeamView:
        return await self._call(schemas.TeamView, "PUT", f"/teams/{uid}", body=body)

    async def withdraw_team(self, uid: UUID, body: schemas.WithdrawRequest) -> schemas.TeamView:
        return await self._call(schemas.TeamView, "POST", f"/teams/{uid}/withdraw", body=body)

    async def sites(self) -> list[schemas.SiteView]:
        return await self._call(list[schemas.SiteView], "GET", "/sites")

    # Statistics -----------------------------------------------------------------------------------------------------

    async def fleet_health(self, query: schemas.FleetQuery | None = None) -> schemas.FleetHealth:
        return await self._call(schemas.FleetHealth, "GET", "/statistics/fleet", query=query)

    async def fleet_health_csv(self, query: schemas.FleetQuery | None = None) -> str:
        return (await self._send("GET", "/statistics/fleet.csv", query=query)).text

    async def activity(self, query: schemas.ActivityQuery) -> schemas.ActivityMap:
        return await self._call(schemas.ActivityMap, "GET", "/statistics/activity", query=query)

    async def activity_csv(self, query: schemas.ActivityQuery) -> str:
        return (await self._send("GET", "/statistics/activity.csv", query=query)).text

    async def alert_statistics(self, query: schemas.AlertStatisticsQuery | None = None) -> schemas.AlertStatistics:
        return await self._call(schemas.AlertStatistics, "GET", "/statistics/alerts", query=query)

    async def alert_statistics_csv(self, query: schemas.AlertStatisticsQuery | None = None) -> str:
        return (await self._send("GET", "/statistics/alerts.csv", query=query)).text

    async def answer_times(self, query: schemas.AnswerTimesQuery | None = None) -> schemas.AnswerTimes:
        return await self._call(schemas.AnswerTimes, "GET", "/statistics/answers", query=query)

    async def answer_times_csv(self, query: schemas.AnswerTimesQuery | None = None) -> str:
        return (await self._send("GET", "/statistics/answers.csv", query=query)).text

    async def device_frequency(self, query: schemas.FrequencyQuery | None = None) -> schemas.DeviceFrequencies:
        return await self._call(schemas.DeviceFrequencies, "GET", "/statistics/devices", query=query)

    async def device_frequency_csv(self, query: schemas.FrequencyQuery | None = None) -> str:
        return (await self._send("GET", "/statistics/devices.csv", query=query)).text

    async def resident_frequency(self, query: schemas.FrequencyQuery | None = None) -> schemas.ResidentFrequencies:
        return await self._call(schemas.ResidentFrequencies, "GET", "/statistics/residents", query=query)

    async def resident_frequency_csv(self, query: schemas.FrequencyQuery | None = None) -> str:
        return (await self._send("GET", "/statistics/residents.csv", query=query)).text

    # Rosters --------------------------------------------------------------------------------------------------------

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

    # Phones ---------------------------------------------------------------------------------------------------------

    async def push_key(self) -> schemas.PushKey:
        return await self._call(schemas.PushKey, "GET", "/push/key")

    async def push_subscribe(self, body: schemas.PushRequest) -> schemas.PushPhone:
        return await self._call(schemas.PushPhone, "PUT", "/push/subscription", body)

    async def push_unsubscribe(self, uid: UUID) -> None:
        await self._send("DELETE", f"/push/subscription/{uid}")

    async def push_test(self, uid: UUID) -> None:
        await self._send("POST", f"/push/subscription/{uid}/test")

    # Quarantine and trials ------------------------------------------------------------------------------------------

    async def quarantine(
        self, query: schemas.QuarantineQuery | None = None, cursor: str | None = None, limit: int = 50
    ) -> schemas.QuarantinePage:
        more = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        return await self._call(schemas.QuarantinePage, "GET", "/quarantine", query=query, more=more)

    async def decode_again(self, uid: UUID) -> schemas.DecodedAgain:
        return await self._call(schemas.DecodedAgain, "POST", f"/quarantine/{uid}/decode")

    async def decode_all_again(
        self, query: schemas.QuarantineQuery | None = None, cursor: str | None = None
    ) -> schemas.DecodedAgainAll:
        more = {"cursor": cursor} if cursor else {}
        return await self._call(schemas.DecodedAgainAll, "POST", "/quarantine/decode", query=query, more=more)

    async def let_pass(self, body: schemas.LetPass) -> schemas.ClockView:
        """Only where the clock is controlled."""
        return await self._call(schemas.ClockView, "POST", "/clock", body)

    # Parts ----------------------------------------------------------------------------------------------------------

    def _carry(self, token: str) -> None:
        self._http.headers["Authorization"] = f"Bearer {token}"

    async def _call(
        self,
        answer: type[Answer],
        method: str,
        path: str,
        body: BaseModel | None = None,
        *,
        query: BaseModel | None = None,
        more: dict[str, Any] | None = None,
        key: str | None = None,
    ) -> Answer:
        reply = await self._send(method, path, body, query=query, more=more, key=key)
        try:
            return TypeAdapter(answer).validate_json(reply.content)
        except ValidationError as error:
            raise ClientError(f"{method} {path}: not an answer that this client knows: {error}") from error

    async def _send(
        self,
        method: str,
        path: str,
        body: BaseModel | None = None,
        *,
        query: BaseModel | None = None,
        more: dict[str, Any] | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        asked = (
            query.model_dump(mode="json", exclude_none=True, exclude_unset=True, by_alias=True)
            if query is not None
            else {}
        )
        try:
            reply = await self._http.request(
                method,
                API + path,
                params={**asked, **(more or {})},
                json=body.model_dump(mode="json", exclude_unset=True) if body is not None else None,
                headers={"Idempotency-Key": key} if key else None,
            )
        except httpx.HTTPError as error:
            raise Unreachable(f"{method} {path}: no answer: {error!r}") from error
        if reply.is_error:
            raise _problem(reply)
        return reply


class _Page(Protocol):
    @property
    def next_cursor(self) -> str | None: ...


Page = TypeVar("Page", bound=_Page)


async def _each(
    read: Callable[[Query], Awaitable[Page]], query: Query, items: Callable[[Page], list[Answer]]
) -> AsyncIterator[Answer]:
    """Every item of every page from this one on."""
    while True:
        page = await read(query)
        for item in items(page):
            yield item
        if page.next_cursor is None:
            return
        query = query.model_copy(update={"cursor": page.next_cursor})


def _problem(reply: httpx.Response) -> ProblemError:
    """What is no problem of ours is one all the same: a proxy in between may have answered."""
    try:
        return ProblemError(schemas.Problem.model_validate_json(reply.content))
    except ValidationError:
        title = reply.reason_phrase or "error"
        return ProblemError(
            schemas.Problem(title=title, status=reply.status_code, detail=reply.text[:200] or title, reason="http")
        )
