"""A rule in plain words, in each language, for every type and every rule that comes along."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.describe import _SENTENCES, describe, event_text, span
from alerts.render import LANGUAGES
from alerts.rules import parse_rule, rule_types
from devices.kinds import kinds
from tests.support.rules import own

DOOR, LOCK, FIRE, FALL, DISPENSER = "door_sensor", "e_lock", "fire_sensor", "fall_alarm", "medicine_dispenser"
COMMON = {"name": "ours", "condition": "fall", "severity": 30, "track": "care"}


def english(kind: str, name: str, **changed: Any) -> str:
    return str(describe(parse_rule(own(kind, name, **changed)), kind, "en"))


def test_every_type_has_its_sentence() -> None:
    assert set(_SENTENCES) == set(rule_types().values())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", kinds())
def test_no_rule_that_comes_along_is_told_in_codes(kind: str, language: str) -> None:
    told = [describe(parse_rule(data), kind, language) for data in kinds()[kind].default_rules]
    for each in told:
        assert each.when.endswith(".")
        assert "_" not in str(each)
        assert "{" not in str(each)
        assert "None" not in str(each)
    assert len({str(each) for each in told}) == len(told), "two rules that read the same"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (english(FALL, "fall"), "When «Fall detected». → Fall (VKP 4.1), critical, to care staff"),
        (
            english(DOOR, "door_at_night"),
            (
                "When «The door was opened» or «The resident went out», between 22:00 and 06:00, not while the resident is away. "
                "→ Door opened at night (VKP 4.15), moderate, to care staff"
            ),
        ),
        (
            english(DOOR, "left_open", for_seconds=90),
            (
                "When «The door was opened» has lasted 1 min 30 s without «The door was closed». "
                "→ Door left open (VKP 4.15), moderate, to care staff"
            ),
        ),
        (
            english(LOCK, "left_unlocked"),
            (
                "When «The door was unlocked» or «The door was unlocked and opened» has lasted 10 min without «The door was "
                "locked», unless “How” is with the key, by hand, from inside or by itself. "
                "→ Door left unlocked (VKP 6), moderate, to care staff"
            ),
        ),
        (
            english(FALL, "battery_percent"),
            "When Battery is below 20 %, until it is 30 % again. → Battery low, moderate, to technical services",
        ),
        (
            english(DISPENSER, "dose_unconfirmed"),
            (
                "When a planned dose has neither «The dose was dispensed» or «The dose was taken» within 1 h (or the time that "
                "the schedule itself gives), not while the resident is away. → Dose not confirmed (VKP 1.3), serious, to care staff"
            ),
        ),
        (
            english(
                DOOR, "not_back", within_seconds=0, window={"from_time": "22:00", "to_time": "06:00", "weekdays": [5]}
            ),
            (
                "When «The resident went out», between 22:00 and 06:00 (Sat), not while the resident is away. "
                "→ Out at night and not back (VKP 4.21), serious, to care staff"
            ),
        ),
    ],
)
def test_rules_read_as_somebody_would_say_them(told: str, sentence: str) -> None:
    assert told == sentence


def test_what_tells_and_raises_nothing_says_so() -> None:
    told = describe(parse_rule(own(FIRE, "fire_empty")), FIRE, "en")
    assert told.then == "Whoever deals with the alert is told that nobody seems to be at home."
    assert "if the last of «Door sensor: The resident went out»" in told.when


def test_off_is_told_apart() -> None:
    assert describe(parse_rule(own(FALL, "fall", enabled=False)), FALL, "nb").off


def test_durations_and_words_of_others() -> None:
    assert span(90_000, "en") == "1 d 1 h"
    assert span(0, "en") == "at once"
    assert event_text("door_sensor/opened", FALL, "en") == "Door sensor: The door was opened"
    assert event_text("toaster/too_hot", FALL, "en") == "toaster: too hot"
