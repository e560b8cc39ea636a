"""The national code lists, as shipped."""

from __future__ import annotations

import pytest

from devices.vkp import ALERT_CODES, HANDLING_EVENTS, code_list


def test_alert_codes_the_product_is_built_around() -> None:
    codes = code_list(ALERT_CODES)
    assert codes["4.1"] == "Fall"
    assert codes["1.3"] == "Mangler utleveringsbekreftelse"
    assert codes["1.20"] == "Ingen kontakt"


@pytest.mark.parametrize("system", [ALERT_CODES, HANDLING_EVENTS])
def test_lists_are_whole(system: str) -> None:
    assert len(code_list(system)) >= 9
    assert all(code and display for code, display in code_list(system).items())


def test_unknown_list() -> None:
    with pytest.raises(KeyError):
        code_list("http://example.org/none")
