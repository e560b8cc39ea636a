"""The channels to a telephone number: how a provider, which is data, is asked for one page, and what it tells us afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from alerts.channels import Outgoing
from alerts.channels._callback import CalledBack, Reported, Said, is_ours, is_twilios, signed_url
from alerts.channels._http import Answer, Ask, ask, at, plain, refused
from alerts.channels._provider import NAME, Account, kind_of
from alerts.delivery import Failed, HandedOver, Receipt, SendResult
from alerts.phone import e164, told


class Dialled:
    """What the channels to a telephone number have in common. ``name``: the channel's, as in its addresses."""

    name: ClassVar[str]

    def __init__(self, config: Account) -> None:
        self.config = config
        self.service = config.service

    def check_address(self, address: str) -> str:
        """The number with + and the country's code."""
        return e164(address)

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
            "sender_type": kind_of(self.config.sender),
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


def _filled(template: Any, names: Mapping[str, str]) -> Any:
    """The template with its names replaced, once: what a text brings along is no template. Empty fields are left out."""
    if isinstance(template, str):
        return NAME.sub(lambda found: names[found[1]], template)
    if isinstance(template, Mapping):
        filled = {name: _filled(each, names) for name, each in template.items()}
        return {name: each for name, each in filled.items() if each not in ("", [])}
    if isinstance(template, list):
        return [each for each in (_filled(part, names) for part in template) if each != ""]
    return template
