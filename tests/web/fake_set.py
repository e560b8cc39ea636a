"""What people set, at the seam of `gateway.web.seam`: rules, policies and silences; and the devices that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from alerts.policy import DEFAULT_POLICIES, Policy
from gateway.api import schemas
from gateway.desk import ladders
from gateway.errors import Conflict, NotAllowed
from tests.web import fake_policies, fake_said
from tests.web.fake_alerts import battery
from tests.web.fake_answers import in_language
from tests.web.fake_people import NOW, Who, oversees
from tests.web.fake_policies import FakePolicies
from tests.web.fake_rules import FakeRules
from tests.web.fake_silences import DOOR, FakeSilences


@dataclass
class FakeSet:
    """What the pages can set. ``ladder_policies``: what alerts climb by."""

    ladder_policies: Sequence[Policy] = DEFAULT_POLICIES
    policed: FakePolicies = field(default_factory=FakePolicies)
    ruled: FakeRules = field(default_factory=FakeRules)
    silenced: FakeSilences = field(default_factory=FakeSilences)

    # Policies ---------------------------------------------------------------------------------------------------------

    async def ladders(self, who: Who) -> list[schemas.Ladder]:
        return ladders([(each, "") for each in self.ladder_policies], language=who.language)

    async def policies(self, who: Who) -> list[schemas.PolicyView]:
        return self.policed.listed(who.language)

    async def policy(self, who: Who, uid: UUID) -> schemas.PolicyDetail:
        return self.policed.detail(uid, who.language)

    async def policy_options(self, who: Who, scope: schemas.PolicyScopeRequest) -> schemas.PolicyOptions:
        return self.policed.options(scope, who.language)

    async def add_policy(self, who: Who, request: schemas.PolicyRequest) -> schemas.PolicyView:
        return self.policed.add(request, who.language)

    async def change_policy(self, who: Who, uid: UUID, request: schemas.PolicyChange) -> schemas.PolicyView:
        return self.policed.change(request, who.language)

    async def withdraw_policy(self, who: Who, uid: UUID, version: int) -> schemas.PolicyView:
        return self.policed.withdraw(uid, version, who.language)

    async def rehearsal(self, who: Who, query: schemas.RehearsalQuery) -> schemas.Rehearsal:
        self.policed.asked.append(query)
        return fake_policies.rehearsal(query, who.language)

    async def reach(self, who: Who) -> schemas.ReachView:
        oversees(who)
        return fake_policies.reach(who.language)

    # Rules and devices ------------------------------------------------------------------------------------------------

    async def rules(self, who: Who, kind: str | None) -> schemas.RuleList:
        return schemas.RuleList(rules=self.ruled.of_kind(kind or "fall_alarm", who.language))

    async def rule(self, who: Who, uid: UUID) -> schemas.RuleDetail:
        return self.ruled.detail(who.language)

    async def rule_draft(self, who: Who, kind: str, name: str, scope: schemas.ScopeRequest) -> schemas.RuleDraft:
        return self.ruled.draft(kind, name, scope)

    async def set_rule(self, who: Who, request: schemas.RuleRequest) -> schemas.RuleView:
        return self.ruled.save(request, who.language)

    async def withdraw_rule(self, who: Who, uid: UUID, version: int) -> schemas.RuleView:
        if self.ruled.stale:
            raise Conflict("stale", "changed")
        self.ruled.withdrawn.append((uid, version))
        return self.ruled.detail(who.language)

    async def preview_rule(self, who: Who, request: schemas.RuleRequest) -> schemas.Preview:
        return self.ruled.preview(request, NOW)

    async def devices(self, who: Who, query: schemas.DeviceQuery) -> schemas.DevicePage:
        if not who.roles & {"technical", "lead", "admin"}:
            raise NotAllowed("role", "for technical services")
        shown = [each for each in self.ruled.devices(NOW, who.language) if query.q in each.address]
        return schemas.DevicePage(devices=list(shown), next_cursor=None)

    async def device_count(self, who: Who, query: schemas.DeviceQuery) -> schemas.DeviceCount:
        return schemas.DeviceCount(silent=1, attention=2)

    async def device_zones(self, who: Who) -> list[schemas.Named]:
        return [schemas.Named(id=UUID(int=400), name="Eiganes og Tasta")]

    async def observations(self, who: Who, query: schemas.ObservationQuery) -> schemas.ObservationPage:
        return fake_said.page(query, NOW, who.language)

    async def buckets(self, who: Who, query: schemas.BucketQuery) -> schemas.BucketList:
        return fake_said.counted(query, NOW, who.language)

    async def device(self, who: Who, uid: UUID) -> schemas.DeviceDetail:
        if not who.roles & {"technical", "lead", "admin"}:
            raise NotAllowed("role", "for technical services")
        return self.ruled.device(NOW, who.language).model_copy(
            update={
                "alerts": [in_language(battery(), who.language)],
                "silences": self.silenced.every(NOW, who.language)[:1],
            }
        )

    # Silences ---------------------------------------------------------------------------------------------------------

    async def silences(self, who: Who, query: schemas.SilenceQuery) -> schemas.SilencePage:
        ended = query.state == "ended"
        found = [each for each in self.silenced.every(NOW, who.language) if (each.state == "ended") is ended]
        return schemas.SilencePage(silences=list(found), next_cursor=None)

    async def silence_count(self, who: Who) -> schemas.SilenceCount:
        return schemas.SilenceCount(silences=3, waiting=2, events=4)

    async def silence(self, who: Who, uid: UUID) -> schemas.SilenceDetail:
        return self.silenced.one(uid, NOW, who.language)

    async def silence_draft(self, who: Who, asked: schemas.SilenceFor) -> schemas.SilenceDraft:
        oversees(who)
        return self.silenced.draft(asked, NOW, who.language)

    async def set_silence(self, who: Who, request: schemas.SilenceRequest) -> schemas.SilenceDetail:
        if self.silenced.refuse is not None:
            raise Conflict(self.silenced.refuse, "refused")
        self.silenced.asked.append(request)
        return self.silenced.one(DOOR, NOW, who.language)

    async def consent(self, who: Who, uid: UUID, seen: schemas.SilenceSeen) -> schemas.SilenceDetail:
        return self.silenced.do("consent", uid, NOW, who.language)

    async def extend(self, who: Who, uid: UUID, request: schemas.SilenceLonger) -> schemas.SilenceDetail:
        self.silenced.longer.append(request)
        return self.silenced.do("extend", uid, NOW, who.language)

    async def end_silence(self, who: Who, uid: UUID, seen: schemas.SilenceSeen) -> schemas.SilenceDetail:
        return self.silenced.do("end", uid, NOW, who.language)
