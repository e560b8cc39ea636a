"""ntfy: push through any ntfy server, the public one or one's own. The contact's address is the topic.

Rules
    Serious and critical go out with the highest priority, which people let through "do not disturb".
    A topic is known to whoever guesses it: without a login that guards it, a short one is refused (``shortest_topic``).
    Buttons: open the alert, and take it. The second needs no sign-in, and the notification goes when it worked.
    ``sequence_id`` is the page's: a page that is tried again replaces itself, and one that is of no interest any more is
    deleted by it. Servers before 2.16 show another notification, and refuse to delete.

Sources: https://docs.ntfy.sh/publish/ (publish as JSON, priority, action buttons, updating and deleting notifications,
picking a topic); codes 40009 and 40010, "topic invalid" and "topic name is not allowed", of server/errors.go.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from alerts.channels import TIME_OUT, Outgoing
from alerts.channels._http import Ask, ask, plain, refused, service_url
from alerts.delivery import Failed, HandedOver, SendResult
from alerts.model import Severity
from alerts.render import translations
from devices.words import N_

TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
NO_SUCH_TOPIC = frozenset({"40009", "40010"})
UNGUESSABLE = 16
OPEN, TAKE, RAISED = N_("Open"), N_("I take it"), N_("Raised at {time}.")
CONFIRM, SENT = N_("It came"), N_("Sent at {time}.")
"""Of a test."""


class Ntfy:
    """One notification a page."""

    class Config(BaseModel):
        """``token``, or ``username`` and ``password``: who we are to the server.

        ``shortest_topic``: letters. Lower it where only people who are let in can read a topic, on a server of your own.
        """

        model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

        url: Annotated[str, AfterValidator(service_url)]
        token: SecretStr | None = None
        username: str | None = None
        password: SecretStr | None = None
        shortest_topic: Annotated[int, Field(ge=1, le=64)] = UNGUESSABLE
        time_out_seconds: Annotated[float, Field(gt=0, le=60)] = TIME_OUT

        @model_validator(mode="after")
        def _credentials_are_whole(self) -> Self:
            if (self.username is None) != (self.password is None):
                raise ValueError("username and password come together or not at all")
            if self.token is not None and self.username is not None:
                raise ValueError("give a token, or username and password, and not both")
            return self

    def __init__(self, config: Config) -> None:
        self.config = config

    def check_address(self, address: str) -> str:
        """The topic. Not stripped when it is sent to: what was stored passed here."""
        topic = address.strip()
        if not TOPIC.fullmatch(topic):
            raise ValueError("must be a topic of letters, digits, - and _")
        if len(topic) < self.config.shortest_topic:
            raise ValueError(f"must be a topic of at least {self.config.shortest_topic} letters, which nobody guesses")
        return topic

    async def send(self, outgoing: Outgoing) -> SendResult:
        try:
            self.check_address(outgoing.address)
        except ValueError as error:
            return Failed(f"address {error}", permanent=True, contact_broken=True)
        asked = self._asked("POST", "/", _message(outgoing), outgoing.page_key)
        answer = await ask(asked, self.config.time_out_seconds)
        if isinstance(answer, Failed):
            return answer
        if answer.is_success and answer.at("id"):
            return HandedOver(f"taken as {answer.at('id'):.64}")
        why = answer.at("error") or ("this is not the answer of an ntfy server" if answer.is_success else "")
        return refused(answer, why, broken=answer.at("code") in NO_SUCH_TOPIC)

    async def recall(self, outgoing: Outgoing) -> SendResult:
        """Deletes the notification on every phone that has it."""
        try:
            self.check_address(outgoing.address)
        except ValueError as error:
            return Failed(f"address {error}", permanent=True, contact_broken=True)
        asked = self._asked("DELETE", f"/{outgoing.address}/{outgoing.page_id}")
        answer = await ask(asked, self.config.time_out_seconds)
        if isinstance(answer, Failed):
            return answer
        return HandedOver("deleted") if answer.is_success else refused(answer, answer.at("error"))

    def _asked(self, method: str, path: str, json: Any = None, key: str = "") -> Ask:
        token, password = self.config.token, self.config.password
        return Ask(
            method,
            f"{self.config.url}{path}",
            headers={"Authorization": f"Bearer {token.get_secret_value()}"} if token else {},
            auth=(self.config.username or "", password.get_secret_value()) if password else None,
            json=json,
            secrets=(key, *(each.get_secret_value() for each in (token, password) if each)),
        )


def _message(outgoing: Outgoing) -> dict[str, Any]:
    _ = translations(outgoing.language).gettext
    told = _(SENT if outgoing.test else RAISED).format(time=outgoing.at) if outgoing.at else outgoing.text
    return {
        "topic": outgoing.address,
        "sequence_id": outgoing.page_id,
        "title": plain(" ".join(outgoing.subject.split())),
        "message": plain(told) or " ",
        "priority": _priority(outgoing.severity),
        "tags": ["rotating_light" if outgoing.severity >= Severity.SERIOUS else "warning"],
        **({"click": outgoing.url} if outgoing.url else {}),
        "actions": _actions(outgoing),
    }


def _actions(outgoing: Outgoing) -> list[dict[str, Any]]:
    _ = translations(outgoing.language).gettext
    actions: list[dict[str, Any]] = []
    if outgoing.base_url and outgoing.page_key:
        claim = f"{outgoing.base_url}/api/v1/pages/{outgoing.page_key}/claim"
        label = _(CONFIRM if outgoing.test else TAKE)
        actions.append({"action": "http", "label": label, "url": claim, "method": "POST", "clear": True})
    if outgoing.url:
        actions.append({"action": "view", "label": _(OPEN), "url": outgoing.url})
    return actions


def _priority(severity: Severity) -> int:
    if severity >= Severity.SERIOUS:
        return 5
    return 4 if severity >= Severity.MODERATE else 3


CHANNEL = Ntfy
