"""E-mail through an SMTP server. An address the server refuses for good (5xx) is a broken contact; the rest is retried."""

from __future__ import annotations

from email.message import EmailMessage

import aiosmtplib
from pydantic import BaseModel, ConfigDict, SecretStr

from alerts.channels import TIME_OUT, Outgoing
from alerts.delivery import Failed, HandedOver, SendResult
from alerts.model import Severity

PERMANENT = range(500, 600)
ABOUT_US = frozenset({530, 534, 535, 538, 554})
"""Permanent replies that are about our own account or standing, not about the contact."""


class Email:
    """An SMTP submission."""

    class Config(BaseModel):
        """``security``: ``none`` (loopback only), ``starttls`` or ``tls``."""

        model_config = ConfigDict(extra="forbid")

        host: str = "localhost"
        port: int = 25
        security: str = "none"
        username: str | None = None
        password: SecretStr | None = None
        sender: str = "hjemmevakt@localhost"

    def __init__(self, config: Config) -> None:
        self.config = config

    async def send(self, outgoing: Outgoing) -> SendResult:
        try:
            await self._submit(_message(self.config.sender, outgoing))
        except aiosmtplib.SMTPRecipientsRefused as refused:
            codes = [each.code for each in refused.recipients]
            return Failed(str(refused), permanent=bool(codes) and all(_is_permanent(code) for code in codes))
        except aiosmtplib.SMTPResponseException as refused:
            return Failed(f"{refused.code} {refused.message}")
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return Failed(f"{type(error).__name__}: {error}")
        return HandedOver("accepted by the mail server")

    async def _submit(self, message: EmailMessage) -> None:
        password = self.config.password
        await aiosmtplib.send(
            message,
            hostname=self.config.host,
            port=self.config.port,
            use_tls=self.config.security == "tls",
            start_tls=self.config.security == "starttls",
            username=self.config.username,
            password=password.get_secret_value() if password else None,
            timeout=TIME_OUT,
        )


def _message(sender: str, outgoing: Outgoing) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = outgoing.address
    message["Subject"] = outgoing.subject
    message["Message-ID"] = f"<{outgoing.page_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Priority"] = "1" if outgoing.severity >= Severity.SERIOUS else "3"
    message.set_content(outgoing.text)
    return message


def _is_permanent(code: int) -> bool:
    return code in PERMANENT and code not in ABOUT_US


CHANNEL = Email
