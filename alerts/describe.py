"""A rule in plain words, from its data: when, and what then. Pure; English is the message id.

Each type of rule has its sentence; what narrows it (a time of day, a field, what was said before) follows. Words of
devices stand in «», as the device's kind has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

from babel.dates import get_day_names

from alerts.model import Track
from alerts.render import SEVERITIES, condition_text, translations
from alerts.rules import RuleType
from alerts.rules.compound import Compound, Given
from alerts.rules.dose import Dose
from alerts.rules.immediate import Immediate
from alerts.rules.missed import Missed
from alerts.rules.rate import Rate
from alerts.rules.repeat import Repeat
from alerts.rules.silence import Silence
from alerts.rules.state import State
from alerts.rules.threshold import Threshold
from alerts.rules.window import Window
from alerts.schedule import Window as TimeOfDay
from alerts.words import said
from devices.health import HEALTH_WORDS
from devices.kinds import kinds
from devices.words import N_

TRACKS = {Track.CARE: N_("to care staff"), Track.TECHNICAL: N_("to technical services")}
TELLS = {
    "home_occupied": N_("Whoever deals with the alert is told that somebody seems to be at home."),
    "home_empty": N_("Whoever deals with the alert is told that nobody seems to be at home."),
}
EVERY_DAY = 7


@dataclass(frozen=True, slots=True)
class Described:
    """``when``: the sentence; ``then``: what is raised. ``off``: whether the rule is switched off."""

    when: str
    then: str
    off: bool

    def __str__(self) -> str:
        return f"{self.when} {self.then}"


def describe(spec: RuleType, kind: str, language: str) -> Described:
    """A rule of a kind, as somebody reads it."""
    teller = _Teller(kind, language)
    return Described(teller.when(spec), teller.then(spec), not spec.enabled)


def span(seconds: float, language: str) -> str:
    """A duration in the largest units that say it exactly."""
    _ = translations(language).gettext
    days, rest = divmod(int(seconds), 24 * 3600)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = (
        (days, N_("{number} d")),
        (hours, N_("{number} h")),
        (minutes, N_("{number} min")),
        (rest, N_("{number} s")),
    )
    return " ".join(_(text).format(number=number) for number, text in parts if number) or _("at once")


class _Teller:
    def __init__(self, kind: str, language: str) -> None:
        self._kind = kind
        self._language = language
        self._ = translations(language).gettext

    def when(self, spec: RuleType) -> str:
        sentence = _SENTENCES.get(type(spec))
        told = sentence(self, spec) if sentence else str(spec.model_dump(mode="json", exclude_defaults=True))
        narrowed = "".join(f", {each}" for each in self._narrowed(spec))
        return f"{told}{narrowed}."

    def then(self, spec: RuleType) -> str:
        tells = getattr(spec, "tells", None)
        if tells is not None:
            return self._(TELLS[tells])
        title = condition_text(spec.condition, self._kind, self._language)
        code = f" (VKP {spec.vkp_code})" if spec.vkp_code else ""
        severity = self._(SEVERITIES[spec.severity]).lower()
        return f"→ {title}{code}, {severity}, {self._(TRACKS[spec.track])}"

    # A sentence a type -----------------------------------------------------------------------------------------------

    def immediate(self, spec: Immediate | Window) -> str:
        return self._(N_("When {events}")).format(events=self._events(spec.on))

    def state(self, spec: State) -> str:
        text = N_("When {events} has lasted {span} without {ending}")
        ending = self._events([each for each in spec.leaves if each not in spec.enters] or spec.leaves)
        return self._(text).format(events=self._events(spec.enters), span=self._span(spec.for_seconds), ending=ending)

    def dose(self, spec: Dose) -> str:
        text = N_("When a planned dose has neither {events} within {span} (or the time that the schedule itself gives)")
        return self._(text).format(events=self._events(spec.met_by), span=self._span(spec.grace_seconds))

    def missed(self, spec: Missed) -> str:
        if spec.by is not None:
            text = N_("When {events} has not come between {since} and {by}")
            told = {"since": _clock(spec.since), "by": _clock(spec.by)}
            return self._(text).format(events=self._events(spec.met_by), **told) + days_text(
                spec.weekdays, self._language
            )
        text = N_("When {events} is not followed by {ending} within {span}")
        ending, span = self._events(spec.met_by), self._span(spec.within_seconds or 0)
        return self._(text).format(events=self._events(spec.after), ending=ending, span=span)

    def silence(self, _spec: Silence) -> str:
        return self._(N_("When the device has said nothing for longer than it may"))

    def threshold(self, spec: Threshold) -> str:
        below = spec.below is not None
        text = (
            N_("When {field} is below {limit}, until it is {good} again")
            if below
            else N_("When {field} is above {limit}, until it is {good} again")
        )
        limit = spec.below if below else spec.above
        field, unit = self.field(spec.field), self._unit(spec.field)
        return self._(text).format(field=field, limit=unit.format(f"{limit:g}"), good=unit.format(f"{spec.clear_at:g}"))

    def rate(self, spec: Rate) -> str:
        text = N_("When {events} comes {count} times or more within {days} days")
        return self._(text).format(events=self._events(spec.on), count=spec.count, days=spec.days)

    def repeat(self, spec: Repeat) -> str:
        text = N_("When {events} comes {count} times or more within {span}; more people are called at once")
        return self._(text).format(events=self._events(spec.on), count=spec.count, span=self._span(spec.within_seconds))

    def compound(self, spec: Compound) -> str:
        begun = self._(N_("When {events}")).format(events=self._events(spec.on))
        if not spec.within_seconds:
            return begun
        if not spec.unless:
            return begun + self._(N_(", {span} later")).format(span=self._span(spec.within_seconds))
        text = N_(" and nothing of {ending} within {span}")
        return begun + self._(text).format(ending=self._events(spec.unless), span=self._span(spec.within_seconds))

    # What narrows it -------------------------------------------------------------------------------------------------

    def _narrowed(self, spec: RuleType) -> Iterable[str]:
        window: TimeOfDay | None = getattr(spec, "window", None)
        if window is not None:
            text = self._(N_("between {since} and {until}"))
            told = text.format(since=_clock(window.from_time), until=_clock(window.to_time))
            yield told + days_text(window.weekdays, self._language)
        only_if: Mapping[str, Sequence[Any]] = getattr(spec, "only_if", {})
        for name, values in only_if.items():
            either = self._either(self.value(name, each) for each in values)
            yield self._(N_("if “{field}” is {values}")).format(field=self.field(name), values=either)
        except_if: Mapping[str, Sequence[Any]] = getattr(spec, "except_if", {})
        for name, values in except_if.items():
            either = self._either(self.value(name, each) for each in values)
            yield self._(N_("unless “{field}” is {values}")).format(field=self.field(name), values=either)
        for given in getattr(spec, "given", ()):
            yield self._given(given)
        if spec.while_away == "rest":
            yield self._(N_("not while the resident is away"))
        if spec.per == "dwelling":
            yield self._(N_("one alert for the whole home"))

    def _given(self, given: Given) -> str:
        text = self._(N_("if the last of {all} within {span} was {meant}"))
        return text.format(
            all=self._events(given.of), span=self._span(given.within_seconds), meant=self._events(given.is_one_of)
        )

    # Words ------------------------------------------------------------------------------------------------------------

    def field(self, name: str) -> str:
        own = kinds()[self._kind].words.fields if self._kind in kinds() else {}
        words = own.get(name) or HEALTH_WORDS.fields.get(name)
        return self._(words) if words else name.replace("_", " ")

    def value(self, name: str, value: Any) -> str:
        if isinstance(value, bool):
            return self._(N_("Yes")) if value else self._(N_("No"))
        words = kinds()[self._kind].words.values.get(name, {}).get(str(value)) if self._kind in kinds() else None
        return self._(words) if words else str(value)

    def _unit(self, name: str) -> str:
        own = kinds()[self._kind].words.units if self._kind in kinds() else {}
        return own.get(name) or HEALTH_WORDS.units.get(name) or "{}"

    def _events(self, names: Iterable[str]) -> str:
        return self._either(f"«{event_text(name, self._kind, self._language)}»" for name in names)

    def _either(self, texts: Iterable[str]) -> str:
        *first, last = [*texts] or [""]
        return self._(N_("{first} or {last}")).format(first=", ".join(first), last=last) if first else last

    def _span(self, seconds: float) -> str:
        return span(seconds, self._language)


_SENTENCES: Mapping[type[RuleType], Callable[[_Teller, Any], str]] = {
    Immediate: _Teller.immediate,
    Window: _Teller.immediate,
    State: _Teller.state,
    Dose: _Teller.dose,
    Missed: _Teller.missed,
    Silence: _Teller.silence,
    Threshold: _Teller.threshold,
    Rate: _Teller.rate,
    Repeat: _Teller.repeat,
    Compound: _Teller.compound,
}


def days_text(weekdays: Sequence[int], language: str) -> str:
    """Weekdays (Monday is 0) in brackets after a time of day; nothing where it is every day."""
    if len(weekdays) == EVERY_DAY:
        return ""
    names = get_day_names("abbreviated", locale=language)
    return f" ({', '.join(names[day] for day in weekdays)})"


def event_text(name: str, kind: str, language: str) -> str:
    """An event as its kind has it: an own type, or ``kind/type`` of another kind, which is named."""
    other, _, event = name.rpartition("/")
    if not other or other == kind:
        return said(event, kind, language)
    known = kinds().get(other)
    where = translations(language).gettext(known.words.name) if known else other.replace("_", " ")
    return f"{where}: {said(event, other, language)}"


def _clock(at: time) -> str:
    return f"{at:%H:%M}"
