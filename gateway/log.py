"""Structured logs, one JSON object a line, without the names of residents: only ids, codes, sites and devices; and
without keys that stand in addresses."""

from __future__ import annotations

import logging
import sys

import structlog

KEYS_AFTER = ("/api/v1/pages/", "/confirm/", "/add-phone/")
"""How the paths begin whose next part is a secret."""


def set_up(level: str) -> None:
    """For this process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr, format="%(message)s")
    # It warns of each pipeline that an error ended; we are told of the error anyway.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    logging.getLogger("mqtt").addFilter(_concerns_somebody)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def _concerns_somebody(record: logging.LogRecord) -> bool:
    """aiomqtt tells with a traceback of an answer from the broker that nobody waits for any more, as when we are told to stop."""
    return not str(record.msg).startswith("Unexpected message ID")


def without_key(path: str) -> str:
    """A path as it may be written down."""
    return next((f"{begin}…" for begin in KEYS_AFTER if path.startswith(begin)), path)
