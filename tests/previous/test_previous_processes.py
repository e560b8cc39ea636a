"""Expand, then contract: the release before this one runs on the schema of this one, beside a gateway of this one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gateway.embedded import Broker
from tests.previous.release import Unknown, previous, unpacked
from tests.previous.story import serves
from tests.support import parts


async def test_the_release_before_this_one_runs_on_this_schema(
    database_url: str, own_broker: Broker, tmp_path: Path
) -> None:
    try:
        release = unpacked(previous(), tmp_path / "release")
    except Unknown as error:
        parts.missing(f"a repository of git: {error}")
    await serves(release, database_url, own_broker, tmp_path)


def test_the_one_before_is_the_newest_tag_that_is_not_this_commit(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    with pytest.raises(Unknown):
        previous(tmp_path)
    git("init")
    for tag in ("v0.9.0", "v0.10.0", "other", None):
        git("commit", "--allow-empty", "-m", "more")
        if tag:
            git("tag", tag)
        assert previous(tmp_path) == {"v0.9.0": None, "v0.10.0": "v0.9.0"}.get(tag or "", "v0.10.0")
