"""A real SMTP server in a thread of its own that collects what it is given."""

from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from gateway.embedded import LOOPBACK, free_port


class MailServer:
    """`messages` are the accepted ones, in order; `fail_next(2)` turns the next two away."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.host = LOOPBACK
        self.port = free_port()
        self._refusals: list[str] = []
        self._controller = Controller(self, hostname=self.host, port=self.port, ready_timeout=60)

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def fail_next(self, times: int, reply: str = "451 4.3.0 try again later") -> None:
        """Answer the next messages with `reply`: 4xx means later, 5xx never."""
        self._refusals.extend([reply] * times)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self._refusals:
            return self._refusals.pop(0)
        self.messages.append(_parsed(envelope))
        return "250 2.0.0 accepted"


def _parsed(envelope: Envelope) -> EmailMessage:
    content = envelope.content or b""
    raw = content.encode() if isinstance(content, str) else content
    message = message_from_bytes(raw, policy=policy.default)
    message["X-Envelope-To"] = ", ".join(str(address) for address in envelope.rcpt_tos)
    return message
