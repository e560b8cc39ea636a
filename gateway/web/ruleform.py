"""The form of a rule: its controls are made from the fields of the rule's type, and its answers make the rule's data again.

Rules
    Minutes where the data has seconds; a device's words where it has event types. A field that has no control (what
    narrows a rule to certain values, or asks for words of other devices) stays as it is.
    What cannot be read is handed on as it was typed: whoever checks the rule says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from annotated_types import Ge, Le
from babel.dates import get_day_names

from alerts.describe import TRACKS, event_text
from alerts.model import Severity, Track
from alerts.render import SEVERITIES, translations
from alerts.rulecheck import EVENT_FIELDS
from alerts.rules import RuleType, rule_types
from alerts.schedule import Window
from devices.health import HEALTH_EVENTS
from devices.kinds import Kind
from devices.vkp import ALERT_CODES, code_list
from devices.words import N_

Answers = Mapping[str, Sequence[str]]
"""A form's answers: every name with all its values."""

LABELS = {
    "on": N_("When the device says"),
    "inform_on": N_("Noted on the open alert"),
    "met_by": N_("What is expected"),
    "answered_by": N_("What answers it, because another rule raises it"),
    "after": N_("After the device has said"),
    "enters": N_("It begins with"),
    "leaves": N_("It ends with"),
    "unless": N_("Unless one of these comes"),
    "grace_seconds": N_("Minutes to wait after the planned time"),
    "early_seconds": N_("Minutes before the planned time that count, too"),
    "within_seconds": N_("Within how many minutes"),
    "for_seconds": N_("For how many minutes"),
    "count": N_("How many times"),
    "days": N_("Within how many days"),
    "below": N_("Below"),
    "above": N_("Above"),
    "clear_at": N_("Good again at"),
    "window": N_("Time of day"),
    "since": N_("Not before"),
    "by": N_("Not later than"),
    "weekdays": N_("Days"),
    "severity": N_("Severity"),
    "track": N_("Who deals with it"),
    "vkp_code": N_("VKP code"),
}
NUMBERS = ("count", "days", "below", "above", "clear_at")
TIMES = ("since", "by")
LAST = ("severity", "track", "vkp_code")
"""What is raised comes after when it is."""
NO_CODE = N_("none")

WRONG = {
    "missing": N_("Something has to be chosen or filled in here."),
    "range": N_("This is outside the limits."),
    "choice": N_("Choose one of these."),
    "event": N_("The device does not say this."),
    "field": N_("The device does not report this."),
    "vkp": N_("There is no such VKP code."),
}
"""What is wrong with a field, by its code."""
CANNOT_BE_READ = N_("This cannot be read.")


@dataclass(frozen=True, slots=True)
class Option:
    """Something to choose."""

    value: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Control:
    """One field of the form. ``shape``: one (radio buttons), many (check boxes), select, number, time or window.

    ``value`` and ``until`` are texts as they are shown; ``until`` is the end of a window. ``rest``: what is seldom chosen.
    ``least``, ``most``: limits of a
    number. ``wrong``: what is wrong with what was answered.
    """

    name: str
    label: str
    shape: str
    value: str = ""
    until: str = ""
    options: tuple[Option, ...] = ()
    rest: tuple[Option, ...] = ()
    least: str = ""
    most: str = ""
    wrong: str = ""


def controls(
    spec: Mapping[str, Any], kind: Kind, language: str, wrong: Sequence[Mapping[str, str]] = ()
) -> list[Control]:
    """The form of a rule's data, with what is wrong with it beside each field."""
    maker = _Maker(spec, kind, language)
    fields = rule_types()[spec["type"]].model_fields
    ordered = [*(name for name in fields if name not in LAST), *LAST]
    made = [control for name in ordered for control in maker.control(name)]
    return [replace(each, wrong=_wrong(each.name, wrong, language)) for each in made]


def read(answers: Answers, spec: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """The rule's data as answered; ``spec`` is what the form began with."""
    found: dict[str, Any] = {**spec, "enabled": "on" in answers.get("enabled", ())}
    for control in controls(spec, kind, "en"):
        found[control.name] = _READ[control.shape](answers, control, spec)
    return found


# Making ---------------------------------------------------------------------------------------------------------------


class _Maker:
    def __init__(self, spec: Mapping[str, Any], kind: Kind, language: str) -> None:
        self._spec = spec
        self._kind = kind
        self._language = language
        self._ = translations(language).gettext

    def control(self, name: str) -> Iterator[Control]:
        """None for a field that stays as it is."""
        value = self._spec.get(name)
        if name not in LABELS or (value is None and name in ("below", "above", "by", "within_seconds")):
            return
        if name == "after" and not value:
            return
        if name in ("since", "weekdays") and self._spec.get("by") is None:
            return
        label = self._(LABELS[name])
        if name in EVENT_FIELDS:
            every = self._events(value or ())
            seldom = tuple(each for each in every if each.value in HEALTH_EVENTS and not each.chosen)
            yield Control(name, label, "many", options=tuple(each for each in every if each not in seldom), rest=seldom)
        elif name.endswith("_seconds"):
            least, most = _limits(self._spec, name)
            yield Control(name, label, "minutes", _minutes(value), least=_minutes(least), most=_minutes(most))
        elif name in NUMBERS:
            least, most = _limits(self._spec, name)
            yield Control(name, label, "number", _plain(value), least=_plain(least), most=_plain(most))
        elif name in TIMES:
            yield Control(name, label, "time", str(value or "")[:5])
        elif name == "weekdays":
            yield Control(name, label, "many", options=self._days(value or ()))
        elif name == "window":
            yield self._window(label, value)
        else:
            yield Control(name, label, "select" if name == "vkp_code" else "one", options=self._choices(name, value))

    def _window(self, label: str, value: Any) -> Control:
        window = value if isinstance(value, Mapping) else {}
        days = self._days(window.get("weekdays", range(7)))
        return Control(
            "window", label, "window", str(window.get("from_time", ""))[:5], str(window.get("to_time", ""))[:5], days
        )

    def _events(self, chosen: Sequence[str]) -> tuple[Option, ...]:
        names = [*self._kind.events, *(each for each in chosen if each not in self._kind.events)]
        texts = [(event_text(name, self._kind.name, self._language), name) for name in names]
        return tuple(Option(name, text, name in chosen) for text, name in texts)

    def _days(self, chosen: Sequence[int]) -> tuple[Option, ...]:
        names = get_day_names("abbreviated", locale=self._language)
        picked = {str(each) for each in chosen}
        return tuple(Option(str(day), names[day], str(day) in picked) for day in range(7))

    def _choices(self, name: str, value: Any) -> tuple[Option, ...]:
        if name == "severity":
            texts = {str(int(each)): self._(SEVERITIES[each]) for each in sorted(Severity, reverse=True)}
        elif name == "track":
            texts = {str(each): self._(TRACKS[each]) for each in Track}
        else:
            texts = {"": self._(NO_CODE), **{code: f"{code} {text}" for code, text in code_list(ALERT_CODES).items()}}
        now = "" if value is None else str(value)
        return tuple(Option(each, text, each == now) for each, text in texts.items())


def _limits(spec: Mapping[str, Any], name: str) -> tuple[float | None, float | None]:
    field = rule_types()[spec["type"]].model_fields[name]
    metadata = field.metadata or _inner(rule_types()[spec["type"]], name)
    least = next((each.ge for each in metadata if isinstance(each, Ge)), None)
    most = next((each.le for each in metadata if isinstance(each, Le)), None)
    return least, most  # type: ignore[return-value]


def _inner(rule_type: type[RuleType], name: str) -> Sequence[Any]:
    """The limits of a field that may also be left out."""
    for each in getattr(rule_type.model_fields[name].annotation, "__args__", ()):
        if getattr(each, "__metadata__", None):
            return [part for info in each.__metadata__ for part in getattr(info, "metadata", [info])]
    return ()


def _minutes(seconds: Any) -> str:
    return _plain(seconds / 60) if isinstance(seconds, int | float) else "" if seconds is None else str(seconds)


def _plain(number: Any) -> str:
    if isinstance(number, int | float):
        return f"{round(number, 2):g}" if abs(number) < 1e6 else str(int(number))
    return "" if number is None else str(number)


def _wrong(name: str, wrong: Sequence[Mapping[str, str]], language: str) -> str:
    told = [WRONG.get(each["code"], CANNOT_BE_READ) for each in wrong if each["field"].split(".")[0] == name]
    return " ".join(translations(language).gettext(text) for text in dict.fromkeys(told))


# Reading --------------------------------------------------------------------------------------------------------------


def _read_one(answers: Answers, control: Control, spec: Mapping[str, Any]) -> Any:
    answered = _only(answers, control.name)
    if answered is None:
        return spec.get(control.name)
    number = control.name == "severity" and answered.lstrip("-").isdigit()
    return int(answered) if number else answered or None


def _read_many(answers: Answers, control: Control, spec: Mapping[str, Any]) -> Any:
    chosen = answers.get(control.name, ())
    if control.name == "weekdays":
        return [int(each) for each in chosen if each.isdigit()]
    before = [each for each in spec.get(control.name, ()) if each in chosen]
    offered = [option.value for option in (*control.options, *control.rest)]
    return [*before, *(each for each in offered if each in chosen and each not in before)]


def _read_minutes(answers: Answers, control: Control, spec: Mapping[str, Any]) -> Any:
    answered = _only(answers, control.name)
    if answered is None or answered == control.value:
        return spec.get(control.name)
    minutes = _number(answered)
    return answered if minutes is None else round(minutes * 60)


def _read_number(answers: Answers, control: Control, spec: Mapping[str, Any]) -> Any:
    answered = _only(answers, control.name)
    if answered is None or answered == control.value:
        return spec.get(control.name)
    number = _number(answered)
    if number is None:
        return answered
    return int(number) if number.is_integer() else number


def _read_time(answers: Answers, control: Control, spec: Mapping[str, Any]) -> Any:
    answered = _only(answers, control.name)
    return spec.get(control.name) if answered is None else answered


def _read_window(answers: Answers, _control: Control, spec: Mapping[str, Any]) -> Any:
    since, until = _only(answers, "window.from_time"), _only(answers, "window.to_time")
    if since is None and until is None:
        return spec.get("window")
    if not since and not until:
        return None
    days = [int(each) for each in answers.get("window.weekdays", ()) if each.isdigit()]
    return {"from_time": since, "to_time": until, "weekdays": days or list(Window.model_fields["weekdays"].default)}


_READ = {
    "one": _read_one,
    "select": _read_one,
    "many": _read_many,
    "minutes": _read_minutes,
    "number": _read_number,
    "time": _read_time,
    "window": _read_window,
}


def _only(answers: Answers, name: str) -> str | None:
    given = answers.get(name, ())
    return given[-1].strip() if given else None


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
