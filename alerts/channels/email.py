"""E-mail through an SMTP server. An address that the server says does not exist is a broken contact; all else is retried.

Rules
    The answer to the message decides: once the server has taken it, it is handed over, whatever the farewell says.
    ``time_out_seconds`` holds for the whole conversation, so that a server that drips bytes does not hold a page.
    One page, one recipient: an address is an address and cannot bring a second one, a name or a header along.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from ipaddress import ip_address
from typing import Annotated, Literal, Self

import aiosmtplib
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from alerts.channels import TIME_OUT, Outgoing
from alerts.delivery import Failed, HandedOver, SendResult
from alerts.model import Severity

NO_SUCH_ADDRESS = frozenset({550, 551, 553, 556})
"""Replies that are about the address (RFC 5321, RFC 7504), where no enhanced code says otherwise."""

ABOUT_THE_ADDRESS = re.compile(r"5\.(1\.\d+|2\.1)\b")
"""Enhanced codes (RFC 3463) of an address or a mailbox that is not there; 5.7 is about us, 5.2.2 is a full mailbox."""

ENHANCED_CODE = re.compile(r"\s*\d\.\d+\.\d+\b")
FAREWELL = 1.0
"""Seconds for the goodbye to a server that has taken the message."""


def _plain_address(value: str) -> str:
    """An address with a local part and a domain, and nothing else. ValueError for anything else."""
    try:
        address = Address(addr_spec=value)
    except Exception as error:
        raise ValueError("must be a plain e-mail address, as name@example.org") from error
    if not value.isprintable() or address.addr_spec != value or not address.username or not address.domain:
        raise ValueError("must be a plain e-mail address, as name@example.org")
    return value


class Email:
    """An SMTP submission."""

    class Config(BaseModel):
        """``security``: ``none`` (in the clear; no password then, but on loopback), ``starttls`` or ``tls``.

        ``time_out_seconds`` for the whole conversation.
        """

        model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

        host: Annotated[str, Field(min_length=1)] = "localhost"
        port: Annotated[int, Field(ge=1, le=65535)] = 25
        security: Literal["none", "starttls", "tls"] = "none"
        username: str | None = None
        password: SecretStr | None = None
        sender: Annotated[str, AfterValidator(_plain_address)] = "hjemmevakt@localhost"
        time_out_seconds: Annotated[float, Field(gt=0, le=60)] = TIME_OUT

        @model_validator(mode="after")
        def _credentials_are_whole_and_hidden(self) -> Self:
            if (self.username is None) != (self.password is None):
                raise ValueError("username and password come together or not at all")
            if self.password is not None and self.security == "none" and not _is_loopback(self.host):
                raise ValueError("a password is not sent in the clear: set security to starttls or tls")
            return self

    def __init__(self, config: Config) -> None:
        self.config = config

    def check_address(self, address: str) -> str:
        """The domain in small letters, in which it is the same (RFC 5321, 2.3.11)."""
        plain = _plain_address(address.strip())
        local, _, domain = plain.rpartition("@")
        return f"{local}@{domain.lower()}"

    async def send(self, outgoing: Outgoing) -> SendResult:
        try:
            message = _message(self.config.sender, outgoing)
        except ValueError as error:
            return Failed(f"address {error}", permanent=True, contact_broken=True)
        try:
            return await self._submit(message, outgoing.address)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            said = [f"{each.code} {each.message}" for each in refused.recipients]
            permanent = bool(said) and all(_is_no_address(each.code, each.message) for each in refused.recipients)
            certain = permanent and all(ENHANCED_CODE.match(each.message) for each in refused.recipients)
            return Failed("; ".join(said), permanent, contact_broken=certain)
        except aiosmtplib.SMTPResponseException as refused:
            return Failed(f"{refused.code} {refused.message}")
        except TimeoutError:
            return Failed(f"the mail server did not answer within {self.config.time_out_seconds:g} s")
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return Failed(f"{type(error).__name__}: {error}")

    async def _submit(self, message: EmailMessage, recipient: str) -> SendResult:
        client = self._client()
        try:
            async with asyncio.timeout(self.config.time_out_seconds):
                await client.connect()
                await client.send_message(message, sender=self.config.sender, recipients=[recipient])
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=FAREWELL)
        finally:
            client.close()
        return HandedOver("accepted by the mail server")

    def _client(self) -> aiosmtplib.SMTP:
        password = self.config.password
        return aiosmtplib.SMTP(
            hostname=self.config.host,
            port=self.config.port,
            use_tls=self.config.security == "tls",
            start_tls=self.config.security == "starttls",
            username=self.config.username,
            password=password.get_secret_value() if password else None,
            local_hostname=_domain(self.config.sender),
            timeout=self.config.time_out_seconds,
        )


def _message(sender: str, outgoing: Outgoing) -> EmailMessage:
    message = EmailMessage()
    message["From"] = Address(addr_spec=sender)
    message["To"] = Address(addr_spec=_plain_address(outgoing.address))
    message["Subject"] = " ".join(outgoing.subject.split())
    message["Message-ID"] = f"<{outgoing.page_id}@{_domain(sender)}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Priority"] = "1" if outgoing.severity >= Severity.SERIOUS else "3"
    message.set_content(outgoing.text)
    return message


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _is_no_address(code: int, said: str) -> bool:
    if ENHANCED_CODE.match(said):
        return ABOUT_THE_ADDRESS.match(said.strip()) is not None
    return code in NO_SUCH_ADDRESS


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


CHANNEL = Email
