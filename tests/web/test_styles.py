"""Style sheets hold what pages use, and nothing else."""

from __future__ import annotations

import re

from gateway.web import html

FOLDER = html.STATIC.parent
SHEETS = sorted(html.STATIC.glob("*.css"))
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
MADE = re.compile(r"^(edge|severity|stage|command|track|message|leg|gap|waits|contact|state)-")
"""Classes that a template makes from a value."""


def classes(sheet: str) -> set[str]:
    selectors = re.sub(r"\{[^{}]*\}", "{}", COMMENT.sub("", sheet))
    return set(re.findall(r"\.([a-z][\w-]*)", selectors))


def test_every_class_of_a_style_sheet_is_used() -> None:
    used = "".join(each.read_text() for kind in ("templates/*.html", "static/*.js") for each in FOLDER.glob(kind))
    words = set(re.findall(r"[\w-]+", used))
    for sheet in SHEETS:
        assert {each for each in classes(sheet.read_text()) if each not in words and not MADE.match(each)} == set()


def test_a_style_sheet_can_be_held_in_the_head() -> None:
    assert {
        each.name: len(each.read_text().splitlines()) for each in SHEETS if len(each.read_text().splitlines()) > 350
    } == {}
