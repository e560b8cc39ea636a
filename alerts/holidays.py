"""Norwegian days that a roster may treat as another day than their weekday says: public holidays, and the eves before them.

Rules
    A day has keys. Those of a public holiday are its own and ``holiday``; those of an eve its own and ``eve``. The Wednesday
    before Maundy Thursday is nobody's day off by law: it has a key of its own and is no ``eve``. A day can be several at once
    (17 May 2012 was also Ascension Day).
    Which day is a public holiday is the package ``holidays``'s to say; eves, which it lacks, are counted from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import cache

from devices.words import N_

HOLIDAY, EVE = "holiday", "eve"
ONE_DAY = timedelta(days=1)

NAMES: Mapping[str, str] = {
    HOLIDAY: N_("Every public holiday"),
    EVE: N_("Every eve"),
    "new_years_day": N_("New Year's Day"),
    "maundy_thursday": N_("Maundy Thursday"),
    "good_friday": N_("Good Friday"),
    "easter_sunday": N_("Easter Sunday"),
    "easter_monday": N_("Easter Monday"),
    "labor_day": N_("Labour Day"),
    "constitution_day": N_("Constitution Day"),
    "ascension_day": N_("Ascension Day"),
    "pentecost": N_("Whit Sunday"),
    "pentecost_monday": N_("Whit Monday"),
    "christmas_day": N_("Christmas Day"),
    "second_day_of_christmas": N_("Boxing Day"),
    "christmas_eve": N_("Christmas Eve"),
    "new_years_eve": N_("New Year's Eve"),
    "easter_eve": N_("Easter Eve"),
    "pentecost_eve": N_("Whitsun Eve"),
    "wednesday_before_easter": N_("Wednesday before Easter"),
}
"""What a key is called."""


def keys_of(day: date) -> frozenset[str]:
    """The keys of a local day; none of an ordinary one, Sundays included."""
    return _year(day.year).get(day, frozenset())


def names_of(day: date) -> tuple[str, ...]:
    """What a day is called, as keys of :data:`NAMES`, in a fixed order."""
    return tuple(sorted(keys_of(day) - {HOLIDAY, EVE}))


@cache
def _year(year: int) -> Mapping[date, frozenset[str]]:
    found: dict[date, set[str]] = {}
    for day, key in _public(year):
        found.setdefault(day, set()).update((key, HOLIDAY))
    for day, key, kind in _eves(year, {key: day for day, keys in found.items() for key in keys}):
        found.setdefault(day, set()).update((key, *kind))
    return {day: frozenset(keys) for day, keys in found.items()}


def _public(year: int) -> Iterator[tuple[date, str]]:
    from holidays.countries.norway import Norway  # noqa: PLC0415 - half a second, which most commands need not wait

    for day, names in Norway(years=year, language="en_US").items():
        for name in names.split("; "):
            yield day, name.lower().replace("'", "").replace(" ", "_")


def _eves(year: int, public: Mapping[str, date]) -> Iterator[tuple[date, str, tuple[str, ...]]]:
    yield date(year, 12, 24), "christmas_eve", (EVE,)
    yield date(year, 12, 31), "new_years_eve", (EVE,)
    for before, key, kind in (
        ("easter_sunday", "easter_eve", (EVE,)),
        ("pentecost", "pentecost_eve", (EVE,)),
        ("maundy_thursday", "wednesday_before_easter", ()),
    ):
        if before in public:  # the package knows no year beyond 2100
            yield public[before] - ONE_DAY, key, kind
