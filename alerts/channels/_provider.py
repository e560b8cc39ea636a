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

from alerts.channels import TIME_OUT
from alerts.channels._http import service_url

NAME = re.compile(r"\{(\w+)\}")
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
        if "password" in NAME.findall(self.path):
            raise ValueError("a password does not stand in an address: addresses are logged on their way")
        return self

    def names(self) -> Iterator[str]:
        """What it asks for."""
        yield from NAME.findall(self.path)
        yield from _names(self.body)


def _sender(value: str) -> str:
    if not SENDER.fullmatch(value):
        raise ValueError("must be a number as +4790123456, a short number, or a name of at most 11 letters and digits")
    return value


def kind_of(sender: str) -> str:
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


def _names(template: Any) -> Iterator[str]:
    if isinstance(template, str):
        yield from NAME.findall(template)
    elif isinstance(template, Mapping):
        for each in template.values():
            yield from _names(each)
    elif isinstance(template, Sequence):
        for each in template:
            yield from _names(each)
