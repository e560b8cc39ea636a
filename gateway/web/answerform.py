"""The forms of an alert: what they say, as the API takes it. Pure.

What is not chosen is said so in words for people; what no form of ours could have sent cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from gateway.api.schemas import LONGEST_PAUSE, AnswerRequest, CommandRequest
from gateway.errors import Invalid

ANSWERED_WITH = ("answer", "to", "cause", "cause_code", "action", "version", "reason", "minutes", "note")
PAUSES = (5, 10, 20, LONGEST_PAUSE)
"""Minutes to choose from."""


def read(form: Mapping[str, str]) -> AnswerRequest:
    given = {name: form[name] for name in ANSWERED_WITH if name in form}
    try:
        answer = AnswerRequest.model_validate(given)
    except ValidationError as wrong:
        raise Invalid("choose", "the form cannot be read") from wrong
    needed = {
        "close": (answer.cause, answer.action),
        "hand_over": (answer.to,),
        "pause": (answer.reason, answer.minutes),
    }
    if None in needed.get(answer.answer, ()):
        raise Invalid("choose", "something has to be chosen first")
    return answer


def read_command(form: Mapping[str, str]) -> CommandRequest:
    try:
        return CommandRequest.model_validate({name: form.get(name) for name in ("device", "command", "reason")})
    except ValidationError as wrong:
        raise Invalid("choose", "the form cannot be read") from wrong
