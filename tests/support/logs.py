"""The log of a test run: stack traces as they are. The coloured ones, with every variable, take seconds – in the midst of a
transaction, which is given up for it."""

from __future__ import annotations

import structlog


def plain() -> None:
    """From now on, or again."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S"),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=structlog.PrintLoggerFactory(),
    )
