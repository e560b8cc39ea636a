"""A voice call through a provider's HTTP interface: it says what and where, twice, and "press 1 to take it".

Rules
    That a call was answered is no receipt: a voicemail answers, too. Somebody who presses a key has heard it.
    Busy, no answer and failed are told at once, so that the next way to reach that person is tried.
    The words are severity and zone: whoever else picks up the phone learns no more. Those of a test are that it is one.

Sources of what the preset says
    twilio   https://www.twilio.com/docs/voice/api/call-resource (``Twiml``, ``Timeout``, call status values),
             https://www.twilio.com/docs/voice/twiml/gather, /docs/voice/twiml/say; error codes 21211, 21214 and 21217 of
             https://www.twilio.com/docs/api/errors. Others take the same calls and the same TwiML: set ``url``.
             46elks has calls, too, but plays recordings only (https://46elks.se/docs/voice-ivr).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import model_validator

from alerts.channels import Outgoing
from alerts.channels import _twiml as twiml
from alerts.channels._callback import signed_url
from alerts.channels._dialled import Dialled
from alerts.channels._http import plain
from alerts.channels._provider import Account, Inbound, Provider, Reports
from alerts.delivery import Failed, SendResult
from alerts.render import translations
from devices.words import N_

RING_SECONDS = "25"
"""Before most voicemails pick up."""
LONGEST_SUBJECT = 300
"""Letters: TwiML may have 4,000, and the words come twice."""
SPOKEN = N_("This is the home care alarm. {alert}. Press 1 to take it.")
SPOKEN_TEST = N_("This is the home care alarm. {alert}. Press 1 to confirm.")

PRESETS: dict[str, Provider] = {
    "twilio": Provider(
        url="https://api.twilio.com",
        path="/2010-04-01/Accounts/{username}/Calls.json",
        encoding="form",
        body={
            "To": "{to}",
            "From": "{sender}",
            "Twiml": "{twiml}",
            "Timeout": RING_SECONDS,
            "StatusCallback": "{status_url}",
        },
        id_at="sid",
        code_at="code",
        why_at=("message",),
        no_such_number=frozenset({"21211", "21217"}),
        reports=Reports(state="CallStatus", failed=frozenset({"busy", "no-answer", "failed", "canceled"})),
        inbound=Inbound(text="Digits", id="CallSid", answer="twiml"),
        signature="twilio",
    ),
}


class Voice(Dialled):
    """One call to one number."""

    name = "voice"

    class Config(Account):
        """``callback_secret`` is needed: what somebody presses has to come back."""

        PRESETS: ClassVar[Mapping[str, Provider]] = PRESETS
        EXTRA: ClassVar[frozenset[str]] = frozenset({"twiml", "pressed_url"})

        @model_validator(mode="after")
        def _keys_reach_us(self) -> Self:
            if self.callback_secret is None or self.service.inbound is None:
                raise ValueError("a call needs callback_secret, and a provider that tells which key was pressed")
            return self

    config: Config

    async def send(self, outgoing: Outgoing) -> SendResult:
        if not outgoing.base_url:
            return Failed("a call needs the address under which this gateway is reached (public_url)")
        text = plain(text_of(outgoing))
        url = signed_url(outgoing.base_url, self._callback_secret, self.name, "pressed", outgoing.page_id)
        extra = {"pressed_url": url, "twiml": twiml.asked(text, outgoing.language, url)}
        return await self.deliver(outgoing, text, extra)

    def reply(self, text: str, language: str) -> tuple[str, str]:
        answer = self.service.inbound.answer if self.service.inbound else "none"
        if answer == "twiml":
            return twiml.said(text, language)
        return "text/plain", text if answer == "text" else ""


def text_of(outgoing: Outgoing) -> str:
    """What the voice says."""
    alert = " ".join(outgoing.subject.split())[:LONGEST_SUBJECT]
    return translations(outgoing.language).gettext(SPOKEN_TEST if outgoing.test else SPOKEN).format(alert=alert)


CHANNEL = Voice
