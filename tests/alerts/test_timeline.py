"""What the timeline says: every channel has a name, within a sentence and at its head."""

from __future__ import annotations

import pytest

from alerts.channels import channel_names
from alerts.render import LANGUAGES
from alerts.timeline import CHANNELS, channel_text, tell


def test_every_channel_has_a_name_but_the_one_that_reaches_nobody() -> None:
    assert sorted(CHANNELS) == [each for each in channel_names() if each != "canary"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_none_is_told_as_a_code(language: str) -> None:
    told = {each: channel_text(each, language) for each in CHANNELS}
    assert len(set(told.values())) == len(CHANNELS)
    assert [each for each, text in told.items() if text == each] == ["ntfy"]


def test_a_failed_page_names_its_channel() -> None:
    said = tell("page_failed", {"channel": "voice"}, {"persons": "Kari"}, "nb")
    assert "Kari" in said
    assert "(telefonoppringning)" in said


def test_it_begins_a_line_in_upper_case_but_a_name_is_as_it_is() -> None:
    heads = [channel_text(each, "nb", heads=True) for each in ("sms", "ntfy", "pigeon")]
    assert heads == ["Tekstmelding", "ntfy", "pigeon"]
