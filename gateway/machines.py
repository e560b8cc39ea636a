"""What somebody may know a browser or a program by: the machine it runs on, of a few kinds. No more of it is a person's."""

from __future__ import annotations

KINDS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)
"""What a user agent says, and what people call it; the first that is said counts."""


def kind_of(agent: str) -> str | None:
    """The kind of machine that a user agent tells of, if it is one of ours."""
    return next((name for sign, name in KINDS if sign in agent), None)
