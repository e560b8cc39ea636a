"""Files of personal data, whole or not at all: another name until everything is on the disk, and for their owner alone."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import GatewayError


class CannotWrite(GatewayError):
    """A file cannot be written."""


@contextmanager
def archive(path: Path, compression: int) -> Iterator[zipfile.ZipFile]:
    """A zip that is there when it is whole, and not before. CannotWrite."""
    beside = path.with_name(f"{path.name}.partial")
    try:
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            with zipfile.ZipFile(file, "w", compression) as made:
                yield made
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync(path.parent)
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """What was made in a folder is still there after the power has gone."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
