"""Templates, languages and times as a page shows them.

Rules
    Everything is escaped; there is no script and no style in a page, so that the content security policy can forbid
    both. Every text goes through gettext, in the reader's language: theirs when signed in, else the cookie's, else the
    browser's, else bokmål. Times are shown in Oslo's time.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined

from alerts.render import DEFAULT_LANGUAGE, LANGUAGES, translations
from devices.words import N_
from gateway.web.guard import LANGUAGE_COOKIE

STATIC = Path(__file__).parent / "static"
OSLO = ZoneInfo("Europe/Oslo")
LANGUAGE_NAMES = {"nb": "Bokmål", "nn": "Nynorsk", "en": "English"}
SPOKEN = {"nb": "nb", "no": "nb", "nn": "nn", "en": "en"}
"""What a browser may ask for, to what it gets."""

JUST_NOW = N_("just now")
MINUTES_AGO = N_("{minutes} min ago")
LESS_THAN_A_MINUTE = N_("less than a minute left")
MINUTES_LEFT = N_("{minutes} min left")
HOURS_AGO = N_("{hours} h {minutes} min ago")


class Times:
    """Times as a reader at ``now`` sees them."""

    def __init__(self, now: datetime, language: str) -> None:
        self.now = now
        self._language = language
        self._gettext = translations(language).gettext

    def clock(self, moment: datetime) -> str:
        """Hours and minutes; with the day in front where it is not today's."""
        local = moment.astimezone(OSLO)
        today = local.date() == self.now.astimezone(OSLO).date()
        return format_datetime(local, "HH:mm" if today else "EEE d. MMM HH:mm", locale=self._language)

    def seconds(self, moment: datetime) -> str:
        """Hours, minutes and seconds, where somebody stands and waits."""
        return format_datetime(moment.astimezone(OSLO), "HH:mm:ss", locale=self._language)

    def ago(self, moment: datetime) -> str:
        """How long ago; the time itself when it is a day or more."""
        minutes = int((self.now - moment).total_seconds()) // 60
        if minutes < 1:
            return self._gettext(JUST_NOW)
        if minutes < 60:
            return self._gettext(MINUTES_AGO).format(minutes=minutes)
        if minutes < 24 * 60:
            return self._gettext(HOURS_AGO).format(hours=minutes // 60, minutes=minutes % 60)
        return self.clock(moment)

    def left(self, moment: datetime) -> str:
        """How long until then, in minutes, rounded up."""
        minutes = -int((self.now - moment).total_seconds() // 60)
        if minutes < 1:
            return self._gettext(LESS_THAN_A_MINUTE)
        return self._gettext(MINUTES_LEFT).format(minutes=minutes)

    def span(self, seconds: int) -> str:
        """A duration, rounded down to minutes."""
        days, rest = divmod(max(seconds, 60) // 60, 24 * 60)
        hours, minutes = divmod(rest, 60)
        if days:
            return self._gettext(N_("{days} d {hours} h")).format(days=days, hours=hours)
        if hours:
            return self._gettext(N_("{hours} h {minutes} min")).format(hours=hours, minutes=minutes)
        return self._gettext(N_("{minutes} min")).format(minutes=minutes)


@cache
def environment(language: str) -> Environment:
    """The templates in a language."""
    made = Environment(
        loader=PackageLoader("gateway.web"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    made.globals["static"] = static
    made.globals["languages"] = LANGUAGE_NAMES
    return made


@cache
def static(name: str) -> str:
    """A static file's address, which changes with its content."""
    return f"/static/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def guest_language(request: Request) -> str:
    """The language of somebody who is not signed in."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    wanted = (each.strip()[:2].lower() for each in request.headers.get("accept-language", "").split(","))
    return next((SPOKEN[each] for each in wanted if each in SPOKEN), DEFAULT_LANGUAGE)
