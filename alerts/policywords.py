"""A policy in plain words: what it is called, which alerts it is for, and what its steps do. Pure; English is the message id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from alerts.choosing import Because, Verdict
from alerts.conditions import known
from alerts.describe import days_text, span
from alerts.finding import Missed
from alerts.model import Severity, Track
from alerts.policy import Policy, PolicyStep, StageLimits, Target
from alerts.reach import Gap
from alerts.render import SEVERITIES, translations
from alerts.timeline import TARGETS, channel_text
from devices.vkp import ALERT_CODES, code_list
from devices.words import N_

NAMES = {
    "care_urgent": N_("Care, urgent"),
    "care": N_("Care"),
    "technical": N_("Technical"),
    "technical_urgent": N_("Technical, urgent"),
    "reach": N_("Nobody to call"),
}
"""Of the policies that a municipality starts with."""

TRACKS = {Track.CARE: N_("Care"), Track.TECHNICAL: N_("Technical")}

VERDICTS = {
    Verdict.CHOSEN: N_("It applies"),
    Verdict.LESS_NEAR: N_("set for something wider"),
    Verdict.LESS_SPECIFIC: N_("less specific"),
    Verdict.OLDER: N_("as specific, and set earlier"),
    Verdict.OTHER_TRACK: N_("for others who deal with it"),
    Verdict.ELSEWHERE: N_("for another place"),
    Verdict.OTHER_CODE: N_("for something else"),
    Verdict.OTHER_SEVERITY: N_("for another severity"),
    Verdict.OTHER_TIME: N_("for another time of day"),
}
"""Why a policy is not the one."""

BECAUSE = {
    Because.RESIDENT: N_("it is set for the resident"),
    Because.ZONE: N_("it is set for the zone, or one around it"),
    Because.WHOLE: N_("it is for everywhere"),
    Because.CODE: N_("it is for what has happened"),
    Because.TIME: N_("it is for this time of day"),
    Because.SEVERITY: N_("it is for this severity"),
    Because.LAST_RESORT: N_("nothing is for this alert, and somebody must be called"),
}

MISSED = {
    Missed.NO_ROLE: N_("has no role then"),
    Missed.AWAY: N_("is away then"),
    Missed.OFF_DUTY: N_("is not on duty then"),
    Missed.NOT_CHECKED_IN: N_("has not checked in"),
    Missed.NO_CONTACT: N_("cannot be reached: no contact that works"),
    Missed.NO_SUCH_CONTACT: N_("has no contact of this kind"),
}

GAPS = {
    Gap.NOBODY: N_("Nobody at all is reached"),
    Gap.ONE: N_("Only one person is reached"),
    Gap.FIRST_STEP: N_("The first step reaches nobody"),
}


def title(policy: Policy, language: str) -> str:
    """What a policy is called."""
    name = NAMES.get(policy.name)
    return translations(language).gettext(name) if name else policy.name


def applies(policy: Policy, language: str) -> str:
    """Which alerts it is for, where it is set."""
    _ = translations(language).gettext
    told = [_(TRACKS[policy.track]), *_severities(policy, language)]
    if policy.codes:
        told.append(", ".join(code_text(each, language) for each in policy.codes))
    if policy.window is not None:
        window = policy.window
        text = _(N_("between {since} and {until}"))
        clock = text.format(since=f"{window.from_time:%H:%M}", until=f"{window.to_time:%H:%M}")
        told.append(clock + days_text(window.weekdays, language))
    return " · ".join(told)


def code_text(code: str, language: str) -> str:
    """A condition in words; a VKP code with the words of the national list."""
    vkp = code_list(ALERT_CODES)
    if code in vkp:
        return f"{code} {vkp[code]}"
    if code[:1].isdigit():
        return f"{code}.*"
    return known()[code].text(language) if code in known() else code.replace("_", " ")


def step_text(step: PolicyStep, names: Mapping[UUID, str], language: str) -> str:
    """Whom a step calls, and how. ``names``: of persons and teams by outer id."""
    _ = translations(language).gettext
    target = _(TARGETS[step.target])
    if step.id is not None:
        text = {Target.PERSON: "{name}", Target.TEAM: _(N_("team {name}"))}[step.target]
        target = text.format(name=names.get(step.id, "–"))
    told = [target]
    if step.only_on_duty:
        told.append(_(N_("only on duty")))
    if step.contacts:
        kinds = [channel_text(each, language) for each in step.contacts]
        told.append(_(N_("else ")).join(kinds) if step.first_contact else ", ".join(kinds))
    elif step.first_contact:
        told.append(_(N_("by their first contact")))
    return ", ".join(told)


def after_text(seconds: float, language: str) -> str:
    """How long after the alert was raised."""
    if seconds == 0:
        return translations(language).gettext(N_("at once"))
    return translations(language).gettext(N_("after {span}")).format(span=span(seconds, language))


def tried_text(tried: Sequence[tuple[str, float]], language: str) -> str:
    """Contacts in words, each with how many seconds after the page it is tried, in that order."""
    _ = translations(language).gettext
    told, before = list[str](), 0.0
    for contact, after in tried:
        then = _(N_("then, {span} later: {contact}")).format(span=span(after - before, language), contact=contact)
        told.append(then if after > before else contact)
        before = after
    return ", ".join(told)


def steps_text(policy: Policy, names: Mapping[UUID, str], language: str) -> list[str]:
    """Each step with its time, and what comes after the last."""
    _ = translations(language).gettext
    told, after = list[str](), 0
    for step in policy.steps:
        told.append(f"{after_text(after, language)}: {step_text(step, names, language)}")
        after += step.wait_seconds
    if policy.rounds > 1:
        told.append(_(N_("all of it {number} times")).format(number=policy.rounds))
    repeats = policy.wait_after(len(policy.ladder) - 1, policy.min_severity)
    told.append(
        _(N_("then the last step again every {span}, until somebody answers")).format(span=span(repeats, language))
    )
    return told


def limits_text(policy: Policy, language: str) -> list[str]:
    """How long somebody who has answered may say nothing: for all severities, then from which one on otherwise."""
    _ = translations(language).gettext
    told = [_limits(policy.limits, language)]
    for each in policy.severity_limits:
        text = _(N_("from {severity}")).format(severity=_(SEVERITIES[each.severity]))
        told.append(f"{text}: {_limits(each, language)}")
    return told


def _limits(limits: StageLimits, language: str) -> str:
    _ = translations(language).gettext
    lengths = {name: span(getattr(limits, name), language) for name in StageLimits.model_fields}
    return _(N_("taken {claimed}, on the way {on_way}, on site {arrived}; {accept} to accept a hand-over")).format_map(
        lengths
    )


def _severities(policy: Policy, language: str) -> Sequence[str]:
    _ = translations(language).gettext
    least, most = _(SEVERITIES[policy.min_severity]), _(SEVERITIES[policy.max_severity])
    if policy.min_severity == policy.max_severity:
        return [least]
    if policy.min_severity == Severity.NOT_REPORTED:
        return [] if policy.max_severity == Severity.CRITICAL else [_(N_("up to {severity}")).format(severity=most)]
    if policy.max_severity == Severity.CRITICAL:
        return [_(N_("from {severity}")).format(severity=least)]
    return [_(N_("from {least} up to {most}")).format(least=least, most=most)]
