"""Words: what a kind of device, what it says and what is raised over it are called.

English is the message id; ``alerts/locale`` has the translations. A type may mean something else from another kind
("opened": a door, or a dispenser), so each kind brings its own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


def N_(message: str) -> str:  # noqa: N802 - the name that gettext's tools look for
    """Mark a text for translation where it stands; it is translated where it is shown."""
    return message


@dataclass(frozen=True)
class Words:
    """``name``: the kind's. ``says``: by event type. ``conditions``: by a rule's condition. ``fields``: by a field's name.

    ``units``: how a field's value is written, as ``{} %``. ``values``: by field and value, for fields with few values.
    """

    name: str = ""
    says: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
