"""A provider of SMS or calls as data: what it is asked, what its answer means, how it calls back. A new one is an entry of a table.

Theory
    ``body`` is what is sent, with ``{names}`` in its texts: of the page (``to`` +4790123456, ``digits`` without the plus,
    ``text``, ``page``, ``language``, ``status_url``, and what the channel adds), of the account (``username``, ``password``,
    ``sender``, ``sender_type`` MSISDN, SHORTNUMBER or ALPHANUMERIC) and ``options`` that only this provider asks for. A field that comes out empty is left out.

    Taken is an answer with 2xx and something at ``id_at``. Elsewhere ``why_at`` and ``code_at`` say why not; codes in
    ``no_such_number`` are about the number, which breaks the contact.

    Names of places: ``a.b.0`` is the first of the list ``b`` in ``a``. Of a form each field is a place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    field_validator,
    model_validator,
)

from alerts.channels import TIME_OUT, Outgoing
from alerts.channels._callback import CalledBack, Reported, Said, is_ours, is_twilios, signed_url
from alerts.channels._http import Answer, Ask, ask, at, plain, refused, service_url
from alerts.delivery import Failed, HandedOver, Receipt, SendResult
from alerts.phone import e164, told

_NAME = re.compile(r"\{(\w+)\}")
SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
"""A number, a short number, or a name of at most eleven letters (3GPP TS 23.040, 9.1.2.5)."""
_OF_A_PAGE = frozenset({"to", "digits", "text", "page", "language", "status_url"})
_OF_THE_ACCOUNT = frozenset({"username", "password", "sender", "sender_type"})
SHORTEST_SECRET = 16


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Reports(_Data):
    """How it tells what became of a message: at ``state`` one of ``received`` or ``failed``; all else is nothing new.

    ``reference``: where the page's id stands, which the address has otherwise. ``code``: where it says why, and
    ``no_such_number`` which of that is about the number.
    """

    state: str
    received: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    reference: str = ""
    code: str = ""
    no_such_number: frozenset[str] = frozenset()


class Inbound(_Data):
    """How it tells what somebody answered. ``prefix``: where a keyword stands that the text begins with.

    ``answer``: how a text in our answer reaches them: as it is, as TwiML, or not at all.
    """

    text: str
    number: str = ""
    id: str = ""
    prefix: str = ""
    answer: Literal["text", "twiml", "none"] = "none"


class Provider(_Data):
    """See above. ``url``: where it is, empty where each customer has an own; ``path`` below that.

    ``signature``: whether it signs what it calls back.
    """

    url: str = ""
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/._~{}-]*$")]
    method: Literal["POST", "PUT"] = "POST"
    auth: Literal["basic", "bearer", "none"] = "basic"
    encoding: Literal["form", "json"]
    body: dict[str, JsonValue]
    id_at: Annotated[str, Field(min_length=1)]
    why_at: tuple[str, ...] = ()
    code_at: str = ""
    no_such_number: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    reports: Reports | None = None
    inbound: Inbound | None = None
    signature: Literal["none", "twilio"] = "none"

    @field_validator("url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        return service_url(url) if url else url

    @model_validator(mode="after")
    def _no_password_in_the_address(self) -> Self:
        if "password" in _NAME.findall(self.path):
            raise ValueError("a password does not stand in an address: addresses are logged on their way")
        return self

    def names(self) -> Iterator[str]:
        """What it asks for."""
        yield from _NAME.findall(self.path)
        yield from _names(self.body)


def _sender(value: str) -> str:
    if not SENDER.fullmatch(value):
        raise ValueError("must be a number as +4790123456, a short number, or a name of at most 11 letters and digits")
    return value


def _kind_of(sender: str) -> str:
    if sender.startswith("+"):
        return "MSISDN"
    return "SHORTNUMBER" if sender.isdecimal() else "ALPHANUMERIC"


class Account(_Data):
    """Settings of whoever has an account there. ``callback_secret``: with it the provider is asked to call back."""

    PRESETS: ClassVar[Mapping[str, Provider]] = {}
    EXTRA: ClassVar[frozenset[str]] = frozenset()
    """Names that this channel adds to those of a page."""

    provider: str
    custom: Provider | None = None
    url: str = ""
    username: str = ""
    password: SecretStr = SecretStr("")
    sender: Annotated[str, AfterValidator(_sender)]
    options: dict[str, str] = {}
    callback_secret: Annotated[SecretStr, Field(min_length=SHORTEST_SECRET)] | None = None
    time_out_seconds: Annotated[float, Field(gt=0, le=60)] = TIME_OUT

    @field_validator("url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        return service_url(url) if url else url

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.provider == "custom" and self.custom is None:
            raise ValueError("provider custom needs its description in custom")
        if self.provider != "custom" and self.provider not in self.PRESETS:
            raise ValueError(
                f"there is no provider {self.provider!r:.40}; there are {', '.join((*self.PRESETS, 'custom'))}"
            )
        service = self.service
        if not (self.url or service.url):
            raise ValueError(f"the address of {self.provider} is each customer's own: set url to what they gave you")
        if missing := service.options - self.options.keys():
            raise ValueError(f"options of {self.provider} are missing: {', '.join(sorted(missing))}")
        known = _OF_A_PAGE | _OF_THE_ACCOUNT | self.EXTRA | self.options.keys()
        asked = set(service.names())
        if unknown := asked - known:
            raise ValueError(f"nothing is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
        if (service.auth != "none" or "password" in asked) and not self.password.get_secret_value():
            raise ValueError("the password is missing")
        if (service.auth == "basic" or "username" in asked) and not self.username:
            raise ValueError("the username is missing")
        return self

    @property
    def service(self) -> Provider:
        found = self.custom if self.provider == "custom" else self.PRESETS.get(self.provider)
        assert found is not None
        return found


class Dialled:
    """What the channels to a telephone number have in common. ``name``: the channel's, as in its addresses."""

    name: ClassVar[str]

    def __init__(self, config: Account) -> None:
        self.config = config
        self.service = config.service

    async def deliver(self, outgoing: Outgoing, text: str, extra: Mapping[str, str] | None = None) -> SendResult:
        """Hand a text over to the provider."""
        try:
            to = e164(outgoing.address)
        except ValueError as error:
            return Failed(f"address {error}", permanent=True, contact_broken=True)
        names = self._names(outgoing, to, plain(text)) | dict(extra or {})
        answer = await ask(self._asked(names), self.config.time_out_seconds)
        return answer if isinstance(answer, Failed) else self._meant(answer)

    def proven(self, call: CalledBack) -> bool:
        secret = self._callback_secret
        if not secret or not is_ours(call, secret):
            return False
        return self.service.signature == "none" or is_twilios(call, self.config.password.get_secret_value())

    def report(self, call: CalledBack) -> Reported | None:
        told_so = self.service.reports
        if told_so is None:
            return None
        page = at(call.said, told_so.reference) if told_so.reference else call.page
        state, code = at(call.said, told_so.state).lower(), at(call.said, told_so.code)
        if not page or not state:
            raise ValueError(f"a report needs {told_so.reference or 'page'} and {told_so.state}")
        if state in told_so.received:
            return Reported(page, Receipt.RECEIVED)
        if state in told_so.failed:
            return Reported(page, Receipt.FAILED, f"{state} {code}".strip(), code in told_so.no_such_number)
        return None

    def inbound(self, call: CalledBack) -> Said | None:
        told_so = self.service.inbound
        if told_so is None:
            return None
        number = told(at(call.said, told_so.number)) or ""
        text = at(call.said, told_so.text).strip()
        prefix = at(call.said, told_so.prefix).strip()
        if prefix and text.casefold().startswith(prefix.casefold()):
            text = text[len(prefix) :].strip()
        return Said(text, number, call.page, at(call.said, told_so.id)) if number or call.page else None

    def standing_urls(self, base_url: str) -> list[str]:
        """Addresses to be set up at the provider once: for what people write, and for reports that name the page themselves."""
        reports, secret = self.service.reports, self._callback_secret
        known = {
            "status": bool(reports and reports.reference),
            "inbound": bool(self.service.inbound and self.service.inbound.number),
        }
        return [signed_url(base_url, secret, self.name, what) for what, wanted in known.items() if wanted and secret]

    def status_url(self, outgoing: Outgoing) -> str:
        """Where the provider tells what became of a page; empty where it is not asked to."""
        secret = self._callback_secret
        if not secret or not outgoing.base_url or self.service.reports is None:
            return ""
        return signed_url(outgoing.base_url, secret, self.name, "status", outgoing.page_id)

    @property
    def _callback_secret(self) -> str:
        secret = self.config.callback_secret
        return secret.get_secret_value() if secret else ""

    def _names(self, outgoing: Outgoing, to: str, text: str) -> dict[str, str]:
        return {
            **self.config.options,
            "to": to,
            "digits": to.removeprefix("+"),
            "text": text,
            "page": outgoing.page_id,
            "language": outgoing.language,
            "status_url": self.status_url(outgoing),
            "username": self.config.username,
            "password": self.config.password.get_secret_value(),
            "sender": self.config.sender,
            "sender_type": _kind_of(self.config.sender),
        }

    def _asked(self, names: Mapping[str, str]) -> Ask:
        service, password = self.service, self.config.password.get_secret_value()
        body = _filled(service.body, names)
        return Ask(
            service.method,
            f"{self.config.url or service.url}{_filled(service.path, names)}",
            headers={"Authorization": f"Bearer {password}"} if service.auth == "bearer" else {},
            auth=(self.config.username, password) if service.auth == "basic" else None,
            json=body if service.encoding == "json" else None,
            form=body if service.encoding == "form" else None,
            secrets=(password, self._callback_secret, names["status_url"]),
        )

    def _meant(self, answer: Answer) -> SendResult:
        id_ = answer.at(self.service.id_at)
        if answer.is_success and id_:
            return HandedOver(f"taken as {id_:.64}")
        why = next((said for place in self.service.why_at if (said := answer.at(place))), "")
        code = answer.at(self.service.code_at)
        told_so = " ".join(each for each in (code, why) if each)
        if answer.is_success and not told_so:
            told_so = "this is not the answer of the provider"
        return refused(answer, told_so, broken=code in self.service.no_such_number)


def _names(template: Any) -> Iterator[str]:
    if isinstance(template, str):
        yield from _NAME.findall(template)
    elif isinstance(template, Mapping):
        for each in template.values():
            yield from _names(each)
    elif isinstance(template, Sequence):
        for each in template:
            yield from _names(each)


def _filled(template: Any, names: Mapping[str, str]) -> Any:
    """The template with its names replaced, once: what a text brings along is no template. Empty fields are left out."""
    if isinstance(template, str):
        return _NAME.sub(lambda found: names[found[1]], template)
    if isinstance(template, Mapping):
        filled = {name: _filled(each, names) for name, each in template.items()}
        return {name: each for name, each in filled.items() if each not in ("", [])}
    if isinstance(template, list):
        return [each for each in (_filled(part, names) for part in template) if each != ""]
    return template
