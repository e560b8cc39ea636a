"""Contacts at the seam of `gateway.web.seam`: somebody's own in every state, a link for a phone, and a test to confirm."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from alerts.alert import Stage
from alerts.contacts import State
from alerts.delivery import PageState
from alerts.model import Severity
from gateway.api import schemas
from gateway.errors import Conflict, Gone, Invalid, NotFound

AT = datetime(2026, 11, 22, 1, 50, tzinfo=UTC)
TOKEN = "t" * 43
USED_UP = "u" * 43
ANOTHERS = "a" * 43
"""Links for phones: one that holds, one that was used, and one of a colleague."""
WAITING, CONFIRMED, OVER, AN_ALARM = ("w" * 43, "c" * 43, "o" * 43, "r" * 43)
"""Keys of pages: tests, and one that is none."""
WHOSE = schemas.PersonRef(id=UUID(int=1), name="Ingrid Aase")


def contact(number: int, channel: str, state: State, **more: Any) -> schemas.ContactView:
    known = {
        "id": UUID(int=700 + number),
        "channel": channel,
        "address": "",
        "state": state,
        "set_up": True,
        **dict.fromkeys(("reason", "broken_at", "confirmed_at", "tested_at", "test_until", "added_at")),
        **dict.fromkeys(("opened_at", "machine")),
        **dict.fromkeys(("quiet_from", "quiet_to")),
    }
    return schemas.ContactView.model_validate({**known, **more})


def every_state() -> list[schemas.ContactView]:
    """One contact in each state, and the app."""
    quiet = {"quiet_from": time(22), "quiet_to": time(7)}
    waits = {"tested_at": AT, "test_until": AT + timedelta(minutes=30)}
    broken = {"reason": "550 5.1.1 no such user", "broken_at": AT}
    phone = {"machine": "iPhone", "added_at": AT - timedelta(days=20), "opened_at": AT - timedelta(minutes=5)}
    return [
        contact(1, "web_push", State.WORKS, confirmed_at=AT, **phone),
        contact(2, "sms", State.WAITS, address="+4740000001", **waits, **quiet),
        contact(3, "voice", State.UNCONFIRMED, address="+4740000001", tested_at=AT),
        contact(4, "email", State.BROKEN, address="ingrid.aase@stavanger.example", **broken),
        contact(5, "pigeon", State.NOT_TESTED, address="loft 4", set_up=False),
        contact(6, "in_app", State.NOT_TESTED),
    ]


def _page(state: PageState, *, wanted: bool = False, test: bool = True) -> schemas.PageView:
    return schemas.PageView(
        state=state,
        wanted=wanted,
        test=test,
        severity=Severity.MODERATE,
        zone="Eiganes og Tasta",
        raised_at=AT,
        url=f"/alerts/{UUID(int=17)}",
    )


@dataclass
class FakeContacts:
    """``contacted``: what was asked to be changed, in order; ``contact_refusal``: why to refuse, but where it is confirmed."""

    my_contacts: list[schemas.ContactView] = field(default_factory=every_state, kw_only=True)
    by_phone: bool = field(default=True, kw_only=True)
    contacted: list[tuple[str, Any]] = field(default_factory=list, kw_only=True)
    contact_refusal: str | None = field(default=None, kw_only=True)
    pages: dict[str, schemas.PageView] = field(
        default_factory=lambda: {
            WAITING: _page(PageState.SHOWN, wanted=True),
            CONFIRMED: _page(PageState.ANSWERED),
            OVER: _page(PageState.WITHDRAWN),
            AN_ALARM: _page(PageState.SHOWN, wanted=True, test=False),
        },
        kw_only=True,
    )

    async def contacts(self, who: Any) -> schemas.ContactList:
        may_add = ["email", "ntfy", "sms", "voice"]
        return schemas.ContactList(contacts=self.my_contacts, may_add=may_add, by_phone=self.by_phone, told_after=300)

    def _note(self, what: str, told: Any = None) -> None:
        if self.contact_refusal is not None:
            raise Conflict(self.contact_refusal, "refused")
        self.contacted.append((what, told))

    async def add_contact(self, who: Any, request: schemas.ContactRequest) -> schemas.ContactView:
        if request.address == "nowhere":
            raise Invalid("address", "the address must be another")
        self._note("add", (request.channel, request.address))
        return self.my_contacts[0]

    async def order_contacts(self, who: Any, request: schemas.ContactOrder) -> schemas.ContactList:
        self._note("order", [str(each)[-3:] for each in request.ids])
        return await self.contacts(who)

    async def set_quiet_hours(self, who: Any, uid: UUID, request: schemas.QuietHours) -> schemas.ContactView:
        self._note("quiet", (request.quiet_from, request.quiet_to))
        return self.my_contacts[0]

    async def remove_contact(self, who: Any, uid: UUID, *, confirmed: bool = False) -> None:
        if confirmed:
            self.contact_refusal = None
        self._note("remove", (uid, confirmed))

    async def test_contact(self, who: Any, uid: UUID) -> schemas.ContactView:
        self._note("test", uid)
        return self.my_contacts[0]

    async def call_off_test(self, who: Any, uid: UUID) -> schemas.ContactView:
        self._note("call_off", uid)
        return self.my_contacts[0]

    async def make_phone_link(self, who: Any) -> schemas.PhoneLink:
        self._note("phone_link")
        return schemas.PhoneLink(url=f"https://vakt.example/add-phone/{TOKEN}", until=AT + timedelta(minutes=10))

    async def phone_link(self, token: str, who: Any) -> schemas.PersonRef:
        if token == ANOTHERS and who is not None:
            raise Conflict("somebody_else", "somebody else is signed in on this phone")
        if token not in (TOKEN, ANOTHERS):
            raise Gone("phone_link", "this link has been used")
        return WHOSE

    async def signed_in_at(self, who: Any) -> list[schemas.SignedInView]:
        made = [("Mozilla/5.0 (X11; Linux x86_64)", True), ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0)", False)]
        until = AT + timedelta(hours=12)
        return [
            schemas.SignedInView(id=UUID(int=800 + n), agent=agent, since=AT, until=until, this=this)
            for n, (agent, this) in enumerate(made)
        ]

    async def end_session(self, who: Any, uid: UUID) -> None:
        self._note("end_session", uid)

    async def page(self, key: str) -> schemas.PageView:
        if key not in self.pages:
            raise NotFound("page", "no such page")
        return self.pages[key]

    async def claim_page(self, key: str, request: schemas.PageClaim) -> schemas.PageClaimed:
        if not self.pages[key].wanted:
            raise Gone("over", "it is over")
        self.pages[key] = self.pages[key].model_copy(update={"state": PageState.ANSWERED, "wanted": False})
        return schemas.PageClaimed(stage=Stage.CLOSED, due_at=None, url=self.pages[key].url)

    async def people(self, who: Any, query: schemas.StaffQuery) -> schemas.StaffPage:
        zone = schemas.Named(id=UUID(int=501), name="Eiganes og Tasta")
        role = schemas.RoleView(role="responder", zone=zone, since=None, until=None)
        ways = [
            [schemas.ContactState(channel=each.channel, state=each.state) for each in every_state()],
            [],
        ]
        people = [
            schemas.StaffItem(id=UUID(int=900 + n), name=name, roles=[role], reachable=bool(known), contacts=known)
            for n, (name, known) in enumerate(zip(("Kari Nordbø", "Ole-Jakob Tjensvoll"), ways, strict=True))
        ]
        return schemas.StaffPage(people=people, next_cursor=None)
