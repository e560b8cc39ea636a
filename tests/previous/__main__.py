"""`python -m tests.previous [REF]`: does another release run on the schema of this one? Without a name: the one before this.

Exit code 0: it does; 1: it does not, and what it did not do is said; 2: it could not be tried.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from gateway.embedded import Broker, EmbeddedError, EmbeddedPostgres
from tests.previous.release import Unknown, previous, unpacked
from tests.previous.story import serves
from tests.support.databases import short_folder

FAILED, WRONG = 1, 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.previous")
    parser.add_argument("ref", nargs="?", help="a tag, a branch or a commit")
    asked = parser.parse_args().ref
    try:
        with short_folder() as folder:
            ref = asked or previous()
            return _try(ref or "the work tree", unpacked(ref, folder / "release"), folder)
    except (Unknown, EmbeddedError) as error:
        print(f"previous: {error}", file=sys.stderr)
        return WRONG


def _try(ref: str, release: Path, folder: Path) -> int:
    print(f"{ref}, on the schema of this one:", flush=True)
    with (
        EmbeddedPostgres(folder / "postgres", durable=False) as postgres,
        Broker(folder / "broker", server="mosquitto") as broker,
    ):
        try:
            asyncio.run(serves(release, postgres.url, broker, folder, lambda told: print(f"  {told}", flush=True)))
        except AssertionError as error:
            print(f"{ref} does not run on this schema: {error}")
            return FAILED
    print(f"{ref} runs on this schema")
    return 0


if __name__ == "__main__":
    sys.exit(main())
