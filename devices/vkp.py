"""The national code lists of welfare technology in Norway (VKP; HL7 Norway, draft v0.9.0), as data.

Source: code systems ``http://ehelse.no/fhir/CodeSystem/vkp-*-v090``; codes and display terms only, in
``vkp-codes.json`` beside this file.
"""

from __future__ import annotations

import json
from enum import IntEnum
from functools import cache
from importlib.resources import files

ALERT_CODES = "http://ehelse.no/fhir/CodeSystem/vkp-alert-code-v090"
HANDLING_EVENTS = "http://ehelse.no/fhir/CodeSystem/vkp-composition-event-v090"


class Severity(IntEnum):
    """VKP severity level (``vkp-severity-level-v090``)."""

    NOT_REPORTED = 0
    NORMAL = 10
    MODERATE = 20
    SERIOUS = 30
    CRITICAL = 40


@cache
def code_list(system: str) -> dict[str, str]:
    """Code to Norwegian display term. KeyError for an unknown code system."""
    lists = json.loads(files("devices").joinpath("vkp-codes.json").read_text("utf-8"))
    return {entry["code"]: entry["display"] for entry in lists["codesystems"][system]}
