"""A page as the dispatcher gives it to a channel, and pages of the worst kind."""

from __future__ import annotations

from dataclasses import replace

from alerts.channels import Outgoing
from alerts.model import Severity

PAGE = Outgoing(
    page_id="0199c0de-0000-7000-8000-000000000001",
    address="anne@example.org",
    subject="Critical alert in Madla og Tjensvoll",
    text="Critical alert in Madla og Tjensvoll.\n\nRaised at 03:10. Open the alert and answer it:\nhttps://h.example/a/1\n",
    severity=Severity.CRITICAL,
    url="https://h.example/alerts/0199c0de-0000-7000-8000-000000000002",
    base_url="https://h.example",
    page_key="k3y-of-this-page-and-no-other",
    language="nb",
    at="03:10",
)
HOSTILE = (
    replace(PAGE, address=""),
    replace(PAGE, address="not an address"),
    replace(PAGE, address="@"),
    replace(PAGE, address="anne@example.org\r\nBcc: everybody@example.org"),
    replace(PAGE, address="a\x00b@example.org"),
    replace(PAGE, address="å" * 5000),
    replace(PAGE, address="topic/../../v1/account"),
    replace(PAGE, address="+47 901 23 456; +47 901 23 457"),
    replace(PAGE, address="٩٠١٢٣٤٥٦"),
    replace(PAGE, address="json://127.0.0.1/?redirect=yes"),
    replace(PAGE, address="file:///etc/passwd"),
    replace(PAGE, address="json://[::1"),
    replace(PAGE, subject="one\r\nBcc: everybody@example.org", text="\r\n.\r\nQUIT\r\n"),
    replace(PAGE, subject="", text=""),
    replace(PAGE, subject="🚨" * 500, text="\ud800 lone surrogate"),
    replace(PAGE, subject="{to} {password} {0} %s <Say>", text="{status_url}", language="xx", at="{time}"),
)
