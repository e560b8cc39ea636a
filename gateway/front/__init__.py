"""The front: all that the API and the pages call. Each call is one transaction; what cannot be done is a Problem."""

from __future__ import annotations

from gateway.front.alerts import AlertCalls
from gateway.front.callbacks import CallbackCalls
from gateway.front.contacts import ContactCalls
from gateway.front.desk import DeskCalls
from gateway.front.fitting import FittingCalls
from gateway.front.homes import HomeCalls
from gateway.front.observations import ObservationCalls
from gateway.front.pages import PageCalls
from gateway.front.policies import PolicyCalls
from gateway.front.push import PushCalls
from gateway.front.rosters import RosterCalls
from gateway.front.rules import RuleCalls
from gateway.front.signing import SigningCalls
from gateway.front.silences import SilenceCalls
from gateway.front.staffing import StaffingCalls
from gateway.front.statistics import StatisticsCalls
from gateway.front.technical import TechnicalCalls


class Front(
    SigningCalls,
    AlertCalls,
    TechnicalCalls,
    RuleCalls,
    PolicyCalls,
    DeskCalls,
    ObservationCalls,
    HomeCalls,
    FittingCalls,
    StaffingCalls,
    RosterCalls,
    SilenceCalls,
    StatisticsCalls,
    PushCalls,
    PageCalls,
    CallbackCalls,
    ContactCalls,
):
    """What people can do with the gateway."""
