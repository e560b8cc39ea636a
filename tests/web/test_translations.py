"""Every text that people see exists in bokmål and nynorsk, with the same placeholders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

import alerts
import devices
from gateway import web

CODE = Path(next(iter(alerts.__path__)))
DEVICES = Path(next(iter(devices.__path__)))
PAGES = Path(next(iter(web.__path__)))
KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%|\{\w*\}")


def texts() -> Iterator[str]:
    """Every text in the code and the templates."""
    for folder, methods in (
        (CODE, [("**.py", "python")]),
        (DEVICES, [("**.py", "python")]),
        (PAGES, [("**.py", "python"), ("**.html", "jinja2")]),
    ):
        for _, _, text, _, _ in extract_from_dir(folder, methods, {"jinja2": {"silent": "false"}}, KEYWORDS):
            yield from [text] if isinstance(text, str) else text


def placeholders(text: object) -> list[str]:
    return sorted(PLACEHOLDER.findall(str(text)))


OTHER_WORDS = {
    "nb": r"\b(kaller|kalles|[Ll]isten|avsluttede|[Tt]urordning)\b",
    "nn": r"\b(vert|kallar|avslutta omsorgs\w+|[Tt]urordning)\b",
}
"""Ways to say what is called otherwise everywhere: people are *varslet*, plans *bruker* a team, alerts are *lukket*."""


TEXTS = sorted(set(texts()))


@pytest.fixture(scope="module", params=["nb", "nn"])
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    with (CODE / "locale" / f"{request.param}.po").open("rb") as file:
        return read_po(file, locale=request.param, abort_invalid=True)


def test_texts_are_found() -> None:
    assert {"Fall", "I take it", "How to get in", "Nobody has answered since %(time)s"} <= set(TEXTS)


def test_every_text_is_translated(catalogue: Catalog) -> None:
    assert [text for text in TEXTS if text not in catalogue or not catalogue[text].string] == []


def test_nothing_is_translated_that_is_not_said(catalogue: Catalog) -> None:
    assert [message.id for message in catalogue if message.id and message.id not in TEXTS] == []
    assert not catalogue.obsolete


def test_placeholders_are_kept(catalogue: Catalog) -> None:
    different = [
        message.id for message in catalogue if message.id and placeholders(message.id) != placeholders(message.string)
    ]
    assert different == []


def test_one_thing_has_one_word(catalogue: Catalog) -> None:
    others = re.compile(OTHER_WORDS[str(catalogue.locale)])
    assert [message.string for message in catalogue if message.id and others.search(str(message.string))] == []


def test_nothing_is_fuzzy(catalogue: Catalog) -> None:
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []
