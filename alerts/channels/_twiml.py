"""TwiML: what Twilio, and those who speak its language, is told to say or to write (https://www.twilio.com/docs/voice/twiml).

Made by hand of escaped texts: the few words of it that are used here need no library.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

XML = "text/xml"
SPOKEN = {"nb": "nb-NO", "nn": "nb-NO", "en": "en-GB"}
"""Voices. There is none for nynorsk: the bokmål one reads it."""
WAIT = 8
"""Seconds for a key after the words."""


def message(text: str) -> tuple[str, str]:
    """An answer to an SMS."""
    return XML, f"<Response><Message>{escape(text)}</Message></Response>"


def said(text: str, language: str) -> tuple[str, str]:
    """The last words of a call; none where there is nothing to say."""
    return XML, f"<Response>{_say(text, language) if text else ''}<Hangup/></Response>"


def asked(text: str, language: str, pressed_url: str, times: int = 2) -> str:
    """A call that says something, so often, and waits for a key that is told at ``pressed_url``."""
    words = f'{_say(text, language)}<Pause length="1"/>' * times
    action = f'action={quoteattr(pressed_url)} method="POST"'
    gather = f'<Gather input="dtmf" numDigits="1" timeout="{WAIT}" {action}>{words}</Gather>'
    return f"<Response>{gather}<Hangup/></Response>"


def _say(text: str, language: str) -> str:
    return f'<Say language="{SPOKEN.get(language, "en-GB")}">{escape(text)}</Say>'
