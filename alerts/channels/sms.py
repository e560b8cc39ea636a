"""SMS through a provider's HTTP interface. Which provider is data: see :mod:`alerts.channels._provider`.

Rules
    One SMS where it can be one: 160 letters of the GSM alphabet (3GPP TS 23.038), which has the Norwegian ones. What it has
    not would cost half of that and more: accents are taken off, signs replaced; a text in another script stays as it is.
    The link comes last, so that no phone takes a full stop for a part of it.
    ``Reply 1`` is offered only where a reply reaches us: with ``replies``, and a number to reply to.

Sources of what the presets say
    twilio   https://www.twilio.com/docs/messaging/api/message-resource; error codes 21211, 21614 and 21635 of
             https://www.twilio.com/docs/api/errors; states of https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
    46elks   https://46elks.se/docs/send-sms, /docs/sms-delivery-reports, /docs/receive-sms
    link     LINK Mobility, SMS REST API: MT and Delivery Reports 2.4 (2025, https://www.linkmobility.com/developer/), and for its
             result codes the open library digitalcreations/sms_link. The address, ``platform`` and ``partner`` come with the
             account; ``gate`` names the address for reports that their support has set up. How they tell of replies is in a
             document that we have not seen
    sveve    https://sveve.no/apidok (send, dlr, mottak). The addresses for reports and replies are set up by their support;
             what somebody wrote comes without an id, and their answer is sent where ``%HTTP_PUSH_RESPONSE%`` stands
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import model_validator

from alerts.channels import Outgoing
from alerts.channels._dialled import Dialled
from alerts.channels._provider import Account, Inbound, Provider, Reports
from alerts.channels._twiml import message
from alerts.delivery import SendResult
from alerts.render import translations
from devices.words import N_

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("^{}\\[~]|€")
"""Each of these takes two."""
ALIKE = str.maketrans(
    {"–": "-", "—": "-", "«": '"', "»": '"', "“": '"', "”": '"', "’": "'", "‘": "'", "…": "...", "\xa0": " "}
)
LONGEST_SUBJECT = 300

SHORT = N_("{alert}, {time}.")
REPLY, REPLY_TO_TEST = N_("Reply 1 to take it."), N_("Reply 1 to confirm.")

PRESETS: dict[str, Provider] = {
    "twilio": Provider(
        url="https://api.twilio.com",
        path="/2010-04-01/Accounts/{username}/Messages.json",
        encoding="form",
        body={"To": "{to}", "From": "{sender}", "Body": "{text}", "StatusCallback": "{status_url}"},
        id_at="sid",
        code_at="code",
        why_at=("message",),
        no_such_number=frozenset({"21211", "21614", "21635"}),
        reports=Reports(
            state="MessageStatus",
            received=frozenset({"delivered", "read"}),
            failed=frozenset({"undelivered", "failed", "canceled"}),
            code="ErrorCode",
            no_such_number=frozenset({"21211", "21614", "21635"}),
        ),
        inbound=Inbound(number="From", text="Body", id="MessageSid", answer="twiml"),
        signature="twilio",
    ),
    "46elks": Provider(
        url="https://api.46elks.com",
        path="/a1/sms",
        encoding="form",
        body={"to": "{to}", "from": "{sender}", "message": "{text}", "whendelivered": "{status_url}"},
        id_at="id",
        reports=Reports(state="status", received=frozenset({"delivered"}), failed=frozenset({"failed"})),
        inbound=Inbound(number="from", text="message", id="id", answer="text"),
    ),
    "link": Provider(
        path="/sms/send",
        encoding="json",
        body={
            "source": "{sender}",
            "sourceTON": "{sender_type}",
            "destination": "{to}",
            "userData": "{text}",
            "platformId": "{platform}",
            "platformPartnerId": "{partner}",
            "refId": "{page}",
            "useDeliveryReport": True,
            "deliveryReportGates": ["{gate}"],
        },
        id_at="messageId",
        code_at="resultCode",
        why_at=("description",),
        options=frozenset({"platform", "partner", "gate"}),
        reports=Reports(
            reference="refId",
            state="resultCode",
            received=frozenset({"1001", "1007"}),
            failed=frozenset({"0", "2", "4", "5", "6", "1002", "1004", "1006", "1010", "2104", "2105", "2106", "2107"}),
            code="resultCode",
            no_such_number=frozenset({"2104"}),
        ),
    ),
    "sveve": Provider(
        url="https://sveve.no",
        path="/SMS/SendMessage",
        auth="none",
        encoding="json",
        body={
            "user": "{username}",
            "passwd": "{password}",
            "to": "{digits}",
            "msg": "{text}",
            "from": "{sender}",
            "ref": "{page}",
            "f": "json",
        },
        id_at="response.ids.0",
        why_at=("response.fatalError", "response.errors.0.message"),
        reports=Reports(
            reference="ref", state="status", received=frozenset({"true"}), failed=frozenset({"false"}), code="errorCode"
        ),
        inbound=Inbound(number="number", text="msg", prefix="prefix", answer="text"),
    ),
}


class Sms(Dialled):
    """One message to one number."""

    name = "sms"

    class Config(Account):
        """``replies``: what people answer comes to us, so that they are asked to."""

        PRESETS: ClassVar[Mapping[str, Provider]] = PRESETS

        replies: bool = False

        @model_validator(mode="after")
        def _replies_reach_us(self) -> Self:
            if self.replies and not re.fullmatch(r"\+?\d+", self.sender):
                raise ValueError("nobody can reply to a name: with replies, sender must be a number")
            if self.replies and (self.callback_secret is None or self.service.inbound is None):
                raise ValueError("replies need callback_secret, and a provider that tells of them")
            return self

    config: Config

    async def send(self, outgoing: Outgoing) -> SendResult:
        return await self.deliver(outgoing, text_of(outgoing, replies=self.config.replies))

    def reply(self, text: str, language: str) -> tuple[str, str]:
        answer = self.service.inbound.answer if self.service.inbound else "none"
        if not text or answer == "none":
            return "text/plain", ""
        return message(gsm(text)) if answer == "twiml" else ("text/plain", gsm(text))


def text_of(outgoing: Outgoing, *, replies: bool) -> str:
    """What an SMS says: what and where, since when, how to answer, and the link last."""
    _ = translations(outgoing.language).gettext
    alert = " ".join(outgoing.subject.split())[:LONGEST_SUBJECT]
    told = _(SHORT).format(alert=alert, time=outgoing.at) if outgoing.at else alert
    first = f"{told} {_(REPLY_TO_TEST if outgoing.test else REPLY)}" if replies else told
    return gsm(f"{first}\n{outgoing.url}".strip())


def gsm(text: str) -> str:
    """In the GSM alphabet, where a text can be read in it."""
    letters = "".join(_nearest(each) for each in text.translate(ALIKE))
    return letters if "\x00" not in letters else text


def _nearest(letter: str) -> str:
    """Itself, without its accents, a question mark for a sign; NUL for a letter of another script."""
    if letter in BASIC or letter in EXTENSION:
        return letter
    bare = "".join(each for each in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(each))
    if bare and all(each in BASIC for each in bare):
        return bare
    return SAMI.get(letter) or ("\x00" if letter.isalpha() else "?")


SAMI = {"Đ": "D", "đ": "d", "Ŋ": "N", "ŋ": "n", "Ŧ": "T", "ŧ": "t"}
"""Letters of Sámi place names that have no accent to take off."""


CHANNEL = Sms
