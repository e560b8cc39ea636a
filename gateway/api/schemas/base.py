"""What all of them share: values that are given out, references to people and things, problems."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Schema(BaseModel):
    """Values that are given out; those taken in forbid unknown fields."""

    model_config = ConfigDict(frozen=True)


class PersonRef(Schema):
    """A member of staff, as others see them."""

    id: UUID
    name: str


class Named(Schema):
    """A zone, a resident or a device: its id, and what it is called (a device: its address)."""

    id: UUID
    name: str


class FieldProblem(Schema):
    """What is wrong with one field of a rule, and how to mend it."""

    field: str
    code: str
    what: str
    mend: str


class Problem(Schema):
    """An error as RFC 9457 has it. ``reason``: a short code to act on; ``mend``: what to do about it; ``errors``: field by
    field, where several are wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    reason: str
    mend: str = ""
    errors: list[FieldProblem] = []
