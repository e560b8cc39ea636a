"""Another release's code, beside ours: unpacked by `git archive`, and run with the packages of this environment."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tomllib
from pathlib import Path

from tests.docs.reference import ROOT

CODE = ("devices", "alerts", "gateway", "simulators", "pyproject.toml")


class Unknown(RuntimeError):
    """git does not know what was asked for, or there is no git."""


def previous(root: Path = ROOT) -> str:
    """The newest tag ``v*`` before this commit; where there is none, what is committed last."""
    here = _git(root, "rev-parse", "HEAD")
    for tag in _git(root, "tag", "--merged", "HEAD", "--sort=-version:refname", "--list", "v*").splitlines():
        if _git(root, "rev-parse", f"{tag}^{{commit}}") != here:
            return tag
    return "HEAD"


def unpacked(ref: str, folder: Path, root: Path = ROOT) -> Path:
    """Its code below a new folder, which goes in front of what is installed; with its own number, as importlib.metadata
    reads it."""
    folder.mkdir()
    done = _run(root, "archive", "--format=tar", ref, *CODE)
    with tarfile.open(fileobj=io.BytesIO(done)) as archive:
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
