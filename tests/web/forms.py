"""Forms as a browser would send them."""

from __future__ import annotations

import re


def form(page: str, answer: str) -> dict[str, str]:
    """The hidden fields of an answer's form, as a browser would send them."""
    found = re.search(rf'<form[^>]*id="answer-{answer}".*?</form>', page, re.DOTALL)
    assert found, f"there is no form for {answer}"
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found[0]))
