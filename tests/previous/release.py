"""Another release's code, beside ours: unpacked by `git archive`, and run with the packages of this environment.

As long as there is no release, a copy of the work tree stands in for it: what is tried then is that this can be tried."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tomllib
from pathlib import Path

from tests.docs.checkout import checkout
from tests.docs.reference import ROOT

CODE = ("devices", "alerts", "gateway", "simulators", "pyproject.toml")


class Unknown(RuntimeError):
    """git does not know what was asked for, or there is no git."""


def previous(root: Path = ROOT) -> str | None:
    """The newest tag ``v*`` before this commit, if there is one. Unknown."""
    here = _git(root, "rev-parse", "HEAD")
    for tag in _git(root, "tag", "--merged", "HEAD", "--sort=-version:refname", "--list", "v*").splitlines():
        if _git(root, "rev-parse", f"{tag}^{{commit}}") != here:
            return tag
    return None


def unpacked(ref: str | None, folder: Path) -> Path:
    """Its code below a new folder, which goes in front of what is installed; with its own number, as importlib.metadata
    reads it."""
    if ref is None:
        checkout(folder)
    else:
        with tarfile.open(fileobj=io.BytesIO(_run(ROOT, "archive", "--format=tar", ref, *CODE))) as archive:
            archive.extractall(folder, filter="data")
    number = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    about = folder / f"hjemmevakt-{number}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: hjemmevakt\nVersion: {number}\n", "utf-8")
    return folder


def _git(root: Path, *words: str) -> str:
    return _run(root, *words).decode().strip()


def _run(root: Path, *words: str) -> bytes:
    try:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise Unknown("there is no git") from None
    except subprocess.CalledProcessError as error:
        raise Unknown(error.stderr.decode().strip()) from None
