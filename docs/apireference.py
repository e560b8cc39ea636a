"""The page of the API, made from docs/contracts/openapi.json: the directive ``{api-reference}``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

OPENAPI = Path(__file__).parent / "contracts/openapi.json"
SHARED = frozenset({"401", "403", "404", "409", "422", "429"})
"""Answers that every call may give; the page tells them once."""

Json = Mapping[str, Any]


class ApiReference(SphinxDirective):
    """Every call, grouped by its tag, and what goes in and comes out."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(OPENAPI))
        document = json.loads(OPENAPI.read_text("utf-8"))
        return self.parse_text_to_nodes("\n".join(_page(document)), allow_section_headings=True)


def _page(document: Json) -> Iterator[str]:
    by_tag: dict[str, list[tuple[str, str, Json]]] = {}
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            by_tag.setdefault(call["tags"][0], []).append((method.upper(), path, call))
    for tag, found in by_tag.items():
        yield from (f"## {tag.capitalize()}", "")
        for method, path, call in found:
            yield from _call(method, path, call)
    yield from ("## Shapes", "", "What goes in and what comes out, by name.", "")
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield from _shape(name, schema)


def _call(method: str, path: str, call: Json) -> Iterator[str]:
    yield from (f"### `{method} {path}`", "", _plain(call["description"]), "")
    rows = [
        (f"`{each['name']}`", each["in"], _type(each["schema"]), "yes" if each.get("required") else "", _told(each))
        for each in call.get("parameters", ())
    ]
    if rows:
        yield from _table(("parameter", "in", "what", "required", ""), rows)
    sent = _content(call.get("requestBody", {}))
    if sent:
        yield from (f"Takes {sent}.", "")
    answers = {
        status: _content(answer) or "nothing" for status, answer in call["responses"].items() if status not in SHARED
    }
    yield from ("Answers " + "; ".join(f"`{status}` with {what}" for status, what in answers.items()) + ".", "")


def _shape(name: str, schema: Json) -> Iterator[str]:
    yield from (f"(shape-{name.lower()})=", f"### {name}", "")
    if "description" in schema:
        yield from (_plain(schema["description"]), "")
    if "enum" in schema:
        yield from ("One of " + ", ".join(f"`{each}`" for each in schema["enum"]) + ".", "")
    required = schema.get("required", ())
    rows = [
        (f"`{field}`", _type(each), "yes" if field in required else "", _told(each))
        for field, each in schema.get("properties", {}).items()
    ]
    if rows:
        yield from _table(("field", "what", "always", ""), rows)


def _content(part: Json) -> str:
    return " or ".join(
        (_type(each["schema"]) if each.get("schema") else "") or f"`{kind}`"
        for kind, each in part.get("content", {}).items()
    )


def _type(schema: Json) -> str:
    """A schema in a few words; a link where it is one of ours."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#shape-{name.lower()})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(each) for each in schema[several]))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_type(schema['additionalProperties'])}"
    type_ = str(schema.get("type", "anything"))
    return {"null": "`null`", "string": "text"}.get(type_, type_) + _narrower(schema)


def _narrower(schema: Json) -> str:
    if schema.get("format"):
        return f" ({schema['format']})"
    least, most = schema.get("minimum", schema.get("minLength")), schema.get("maximum", schema.get("maxLength"))
    if least is None or most is None:
        return f" (at least {least})" if least is not None else f" (at most {most})" if most is not None else ""
    return f" ({least} to {most})"


def _told(schema: Json) -> str:
    return _plain(schema.get("description", "")).replace("|", "\\|").replace("\n", " ")


def _plain(text: str) -> str:
    """A docstring as Markdown: its paragraphs, its code."""
    return "\n\n".join(" ".join(each.split()) for each in text.replace("``", "`").split("\n\n"))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    for line in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(line)} |"
    yield ""


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("api-reference", ApiReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
