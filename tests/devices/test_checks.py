"""What a type's fields are checked by finds what its model finds, and says the same of it."""

from __future__ import annotations

from typing import Annotated, Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, field_validator, model_validator

from devices.kinds import Check, Event, Instant, checks, kinds
from devices.kinds import _check as check_of

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-300, 300)
    | st.floats(-300, 300)
    | st.sampled_from(
        [1e300, float("inf"), float("nan"), "", "87", "x" * 300, "2026-11-26T11:00:00Z", "soon", [], [1], {}]
    )
    | st.text(max_size=3)
)
EVERY = [(kind.name, type_) for kind in kinds().values() for type_ in kind.events]


class Required(Event):
    """Fields of all sorts."""

    depth: Annotated[float, Field(ge=0, le=10)]
    at: Instant
    name: str | None = None

    @field_validator("name")
    @classmethod
    def _no_bob(cls, name: str | None) -> str | None:
        if name == "bob":
            raise ValueError("not bob")
        return name


class Whole(Required):
    """What only a whole model can tell."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.name is not None and self.depth > 5:
            raise ValueError("too deep for a name")
        return self


class Made(Required):
    """What is looked at once it is made."""

    def model_post_init(self, context: Any, /) -> None:
        if self.depth == 7:
            raise ValueError("not seven")


def found(check: Check, fields: dict[str, Any]) -> list[tuple[Any, ...]]:
    try:
        check(fields)
    except ValidationError as error:
        return [(each["loc"], each["type"], each["msg"]) for each in error.errors()]
    return []


@given(st.sampled_from(EVERY), st.data())
def test_of_every_type_of_every_kind(one: tuple[str, str], data: st.DataObject) -> None:
    kind, type_ = one
    event = kinds()[kind].events[type_]
    names = st.sampled_from([*event.model_fields, "else"])
    fields = data.draw(st.dictionaries(names, VALUES, max_size=5))
    said = dict(fields)
    assert found(checks()[kind][type_], fields) == found(event.model_validate, fields)
    assert repr(fields) == repr(said), "and leaves them as they were"


@pytest.mark.parametrize("event", [Required, Whole, Made])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "depth": st.sampled_from([1, 5.5, 7, -1, "1", None]),
            "at": st.sampled_from(["2026-11-26T11:00:00Z", "soon", 4]),
            "name": st.sampled_from(["bob", "eva", None, 7]),
            "else": VALUES,
        },
    )
)
def test_of_types_that_ask_for_more(event: type[Event], fields: dict[str, Any]) -> None:
    assert found(check_of(event), fields) == found(event.model_validate, fields)
