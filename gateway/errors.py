"""Errors that people and programs are told of.

GatewayError
├── SettingError          a setting is wrong: which, where, and how to mend it
├── MigrationChanged      an applied migration has another content now (gateway.store.migrate)
├── MigrationStopped      one did not get through (gateway.store.stepping)
├── DatabaseTooNew        a newer release has taken away what this one uses (gateway.store.migrate)
├── HalfWay               rows are in two places, while hypertables are made (gateway.store.aside)
├── WrongClock            this host's clock and the database's differ: nothing goes by either (gateway.forgetting)
├── ExtensionMissing      TimescaleDB cannot be used here (gateway.store.extension)
└── Problem               an HTTP answer (RFC 9457): status, reason, detail, how to mend it
    ├── NotSignedIn       401
    ├── NotAllowed        403
    ├── NotFound          404
    ├── Conflict          409
    ├── Gone              410
    ├── Invalid           422
    │   └── InvalidFields     with what is wrong field by field
    └── TooMany           429
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class GatewayError(Exception):
    """Something that whoever runs or uses the gateway can mend."""


class SettingError(GatewayError):
    """A setting is wrong."""


class Problem(GatewayError):
    """What an HTTP request is answered with when it cannot be done."""

    status = 500
    title = "Server error"
    errors: Sequence[Mapping[str, str]] = ()

    def __init__(self, reason: str, detail: str, mend: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.mend = mend


class NotSignedIn(Problem):
    status, title = 401, "Not signed in"


class NotAllowed(Problem):
    status, title = 403, "Not allowed"


class NotFound(Problem):
    status, title = 404, "Not found"


class Conflict(Problem):
    status, title = 409, "Conflict"


class Gone(Problem):
    status, title = 410, "Gone"


class Invalid(Problem):
    status, title = 422, "Invalid"


class InvalidFields(Invalid):
    """Several things are wrong. ``errors``: each with field, code, what and mend."""

    def __init__(self, reason: str, detail: str, mend: str, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__(reason, detail, mend)
        self.errors = errors


class TooMany(Problem):
    status, title = 429, "Too many requests"
