"""Redaction: PIN digits, key codes, code names and passwords are taken out of a message before anybody sees it.

Rules of this file
    It is done where a :class:`devices.model.Message` is made, and there is no way round it: what is decoded, hashed, stored,
    logged or kept in quarantine never had the secret in it.
    A secret is told by its *name*. A name is taken apart into words (``lastUsedPIN_code`` is last, used, pin, code), and
    each opens a door or does not. In doubt the value goes: what is missing can be asked for again, but a door that a
    stranger can open cannot be closed again by us.
    Values go whole, whatever they are, except null, which hides nothing. Names stay, and so does the value ``"code"``: that
    somebody came in with a code is no secret.
    Done twice is done once. A message without secrets is the same bytes as before.

Theory
    Nearly every message names no secret, and one look at its bytes says so. Of the rest, JSON is walked – also JSON inside a
    text, ``{"name": "pin", "value": "1234"}``, and a key that is there twice. What is no JSON (cut off, run together, plain
    text) is searched for a secret name with a value behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from devices.glance import Glance

REDACTED = "[redacted]"


def _any_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


STEMS = ("pin", "code", "kode", "pass", "pwd", "secret", "auth", "user", "keypad", "credential", "digit", "otp")
"""Every secret name has one of these in it."""

ALWAYS = _any_of(
    """pin pins pincode pincodes pass passcode passcodes passphrase passphrases password passwords passwd pwd passord secret
    secrets credential credentials digits otp username codename codenames kodenavn"""
)
"""Words that make a name secret."""

CODES = frozenset({"code", "codes", "kode", "koder"})

HARMLESS = _any_of(
    """error err fault failure status state reason event alarm alert result response return exit warning diagnostic
    operation vkp country postal post zip area language lang locale region currency unit color colour function class type
    kind category product model vendor manufacturer item bar source batch weather time feil hendelse land"""
)
"""What a code with one of these right before it is a code of: no secret."""

ABOUT = _any_of(
    """id ids index idx slot slots type types kind length len size count counts max min enable enabled disabled supported
    required rate format system version status state"""
)
"""A name that ends in one of these says something of a secret, and is none."""

CALLED = frozenset({"name", "names", "label", "labels", "alias"})
OWNERS = _any_of("code codes auth authorization authorisation user keypad")
"""Whose names are secret: a code's name is mostly a person's, or the code itself."""

NAMING = _any_of(
    "name key code field property attribute parameter param setting variable label id type event action kind"
)
VALUES = _any_of("value values val data text content v")
"""The last words of the two keys of a pair, as in {"name": "pin", "value": "1234"}."""

LONGEST_NAME = 64
MOST_SEARCHED = 64 * 1024
"""JSON beyond this is never decoded: texts in it that may hold a secret go whole."""
LONGEST_TEXT, MOST_TEXT = 32 * 1024, 8 * 1024
"""What is no JSON and may hold a secret is searched whole up to the one; of what is longer the other is kept, so that what
is kept is never cut again. A text inside JSON is searched up to a quarter of it."""
MOST_PASSES = 4
"""Secrets that are wrapped more often than this go with all that they are wrapped in."""


def redact(payload: bytes) -> bytes:
    """The payload without secrets; the same object where there are none in it."""
    return _looked_at(payload) if _GLANCE.may_have_one(payload) else payload


def _looked_at(payload: bytes) -> bytes:
    if b"\0" in payload:  # no JSON; as in UTF-16, where every other byte is one
        return REDACTED.encode() if _may_name_one(payload.replace(b"\0", b"")) else payload
    if not _may_name_one(payload):
        return payload
    try:
        return _json(payload.decode(), small=len(payload) <= MOST_SEARCHED).encode("utf-8", "surrogatepass")
    except _Untouched:
        return payload
    except (ValueError, RecursionError):
        return _broken(payload if len(payload) <= LONGEST_TEXT else payload[:MOST_TEXT])


def _broken(payload: bytes) -> bytes:
    """What is no JSON, searched until nothing more is found: what broke it may have gone with a secret."""
    text = payload.decode("latin-1")  # a character a byte, whatever the bytes
    for _ in range(MOST_PASSES):
        found = _text(text)
        if found == text:
            return text.encode("latin-1")
        text = found
    return REDACTED.encode()


def _may_name_one(payload: bytes) -> bool:
    lowered = payload.lower()
    return any(stem in lowered for stem in _STEM_BYTES) or _HIDDEN.search(payload) is not None


_STEM_BYTES = tuple(stem.encode() for stem in STEMS)
_GLANCE = Glance(STEMS)
_HIDDEN = re.compile(rb"\\u00[2-7][0-9a-f]", re.IGNORECASE)


# Names ----------------------------------------------------------------------------------------------------------------

_WORD = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_RUN_TOGETHER = re.compile(r"(.+?)(?:codes?|koder?)")
_NO_CODE = (*HARMLESS, "de", "en", "uni", "geo", "byte", "trans")


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether what stands under this name opens something, or names what does."""
    words = _words(name)
    if not words or words[-1] in ABOUT:
        return False
    called = words[-1] in CALLED and not OWNERS.isdisjoint(words[:-1])
    return (
        called or not ALWAYS.isdisjoint([*words, "".join(words)]) or any(_opens(words, at) for at in range(len(words)))
    )


def _opens(words: list[str], at: int) -> bool:
    """A word that is or ends in ``code`` or ``pin``, unless it is a code of something harmless."""
    word = words[at]
    if word in CODES:
        return at == 0 or words[at - 1] not in HARMLESS
    if word.endswith(("pin", "pins")):
        return word not in ("spin", "spins")
    run_together = _RUN_TOGETHER.fullmatch(word)
    return run_together is not None and not run_together[1].endswith(_NO_CODE)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _last(name: str) -> str:
    return next(reversed(_words(name)), "")


def _names_one(key: str, value: Any) -> bool:
    """Whether this half of a pair says that the other half is a secret."""
    return isinstance(value, str) and len(value) <= LONGEST_NAME and _last(key) in NAMING and is_secret(value)


# JSON -----------------------------------------------------------------------------------------------------------------


class _Untouched(Exception):
    """JSON that names no secret: it stays as it is, to the last blank."""


def _json(text: str, *, small: bool = True, depth: int = 0) -> str:
    """JSON without secrets. _Untouched where there are none, ValueError where it is no JSON."""
    walk = _Walk(small, depth)
    value = walk.inside(json.loads(text, object_pairs_hook=walk.object))
    if not walk.changed:
        raise _Untouched
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _Walk:
    """A walk through JSON from the inside out. A key that is there twice is a change: its first value is in the bytes."""

    def __init__(self, small: bool, depth: int) -> None:  # noqa: FBT001 - see _json
        self.changed = False
        self._small = small
        self._depth = depth

    def object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """What an object becomes."""
        named = any(_names_one(key, value) for key, value in pairs)
        kept = {key: self._value(key, value, named) for key, value in pairs}
        self.changed |= len(kept) < len(pairs)
        return kept

    def _value(self, key: str, value: Any, named: bool) -> Any:  # noqa: FBT001 - of a pair
        secret = is_secret(key) or (named and _last(key) in VALUES)
        if not secret or value is None or value == REDACTED:
            return self.inside(value)
        self.changed = True
        return REDACTED

    def inside(self, value: Any) -> Any:
        """Texts may have secrets in them, and lists have texts; objects have been here before."""
        if isinstance(value, list):
            return self._list(value)
        if isinstance(value, str) and (_STEM.search(value) or _ESCAPED.search(value)):
            found = _nested(value, self._depth + 1) if self._small else REDACTED
            self.changed |= found != value
            return found
        return value

    def _list(self, value: list[Any]) -> list[Any]:
        """["pin", "4711"] is a pair, too."""
        if len(value) == 2 and isinstance(value[0], str) and len(value[0]) <= LONGEST_NAME and is_secret(value[0]):
            self.changed |= value[1] not in (None, REDACTED)
            return [value[0], None if value[1] is None else REDACTED]
        return [self.inside(each) for each in value]


def _nested(text: str, depth: int) -> str:
    """A text inside JSON; where it is long, or wrapped too often, it goes whole."""
    if len(text) > MOST_TEXT // 4 or depth > MOST_PASSES:
        return REDACTED
    try:
        return _json(text, depth=depth) if text.lstrip().startswith(("{", "[")) else _text(text)
    except _Untouched:
        return text
    except (ValueError, RecursionError):
        return _text(text)


# Text -----------------------------------------------------------------------------------------------------------------

_ESCAPED = re.compile(r"\\+u00([2-7a-fA-F][0-9a-fA-F])")
_STEM = re.compile("|".join(STEMS), re.IGNORECASE)
_STEM_OR_VALUE = re.compile("|".join((*STEMS, *(rf"\b\w{{0,16}}?{value}\b" for value in VALUES))), re.IGNORECASE)
_PART = r"[A-Za-z0-9_.\x80-\xff-]"
_BEFORE = re.compile(rf"(?:{_PART}+ ){{0,2}}{_PART}*$")
_UP_TO_A_WORD = re.compile(rf"{_PART}{{1,{LONGEST_NAME}}}")
_SAYS = re.compile(r"""\\{0,8}["']?\s{0,40}[:=>]\s{0,40}|\\{0,8}["']\s{0,40}(?=["'0-9])""")
_NAMES = re.compile(
    rf"""((?:{"|".join(NAMING)}))\\{{0,8}}["']?\s{{0,40}}[:=]\s{{0,40}}\\{{0,8}}["']?({_PART}{{1,{LONGEST_NAME}}}(?: {_PART}{{1,{LONGEST_NAME}}}){{0,2}})""",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\s{1,8}(?:is\s{1,8})?(?=[0-9](?: ?[0-9]){2})")
_NUMBER = re.compile(r"[0-9](?:[ -]?[0-9])*")
_PLAIN = re.compile(r"""[^,;&<"{}\[\]\r\n]*""")
_OPENING = re.compile(r"""(\\{0,8})(["'])""")
_BRACKET_OR_TEXT = re.compile(r'[{}\[\]]|"(?:[^"\\]|\\.)*"?', re.DOTALL)

Span = tuple[int, int]


def _text(text: str) -> str:
    """Any text without what stands behind secret names. Linear: each stem is looked at once, each value passed over."""
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    named = any(_names_one(pair[1], pair[2]) for pair in _NAMES.finditer(plain))
    parts: list[str] = []
    done = 0
    for stem in (_STEM_OR_VALUE if named else _STEM).finditer(plain):
        value = _value_behind(plain, stem.start(), done, named=named) if stem.start() >= done else None
        if value is not None:
            parts += [plain[done : value[0]], REDACTED]
            done = value[1]
    return "".join([*parts, plain[done:]]) if parts else text


def _value_behind(text: str, stem: int, done: int, *, named: bool) -> Span | None:
    """From where to where the value is that belongs to the name around a stem; None where it is no secret."""
    before = _BEFORE.search(text, max(done, stem - LONGEST_NAME), stem)
    first = before.start() if before else stem
    for end in _ends(text, stem):
        name = text[first:end]
        if is_secret(name) or (named and _last(name) in VALUES):
            value = _value_at(text, end)
            if value is not None:
                return value
    return None


def _ends(text: str, stem: int) -> Iterator[int]:
    """Where the name around a stem may end: with its word, or one or two words on."""
    at = stem
    for _ in range(3):
        word = _UP_TO_A_WORD.match(text, at)
        if word is None:
            return
        yield word.end()
        if text[word.end() : word.end() + 1] != " ":
            return
        at = word.end() + 1


def _value_at(text: str, after_name: int) -> Span | None:
    """The value that a name is followed by."""
    says = _SAYS.match(text, after_name)
    if says is None:
        digits = _DIGITS.match(text, after_name)
        number = _NUMBER.match(text, digits.end()) if digits else None
        return number.span() if number else None
    start = says.end()
    opening = _OPENING.match(text, start)
    span = _within(text, opening) if opening else (start, _end(text, start))
    return None if text[slice(*span)].rstrip() in ("", "null", REDACTED) else span


def _within(text: str, opening: re.Match[str]) -> Span:
    """What is between quotes, up to the same one with as many backslashes before it; else all that follows."""
    closing = re.compile(rf"(?<!\\){re.escape(opening[1])}{opening[2]}").search(text, opening.end())
    return opening.end(), closing.start() if closing else len(text)


def _end(text: str, start: int) -> int:
    """Where a value without quotes ends: at the end of the text where it is cut off."""
    if text[start : start + 1] in ("{", "["):
        return _end_of_nested(text, start)
    plain = _PLAIN.match(text, start)
    return plain.end() if plain else start


def _end_of_nested(text: str, start: int) -> int:
    depth = 0
    for found in _BRACKET_OR_TEXT.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(found[0], 0)
        if depth == 0:
            return found.end()
    return len(text)
