# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are: build artefacts of this checkout, the caches, and what to run when missing."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
VENV_BIN = ROOT / ".venv" / "bin"
TEST_ARTIFACTS = BUILD / "test-artifacts"
HASH_STEP_BYTES = 1 << 20


def cache_dir(*parts: str) -> Path:
    """A folder below ``~/.cache/oglive``, made when it is not there."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "oglive"
    path = base.joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def needed(path: Path, target: str) -> Path:
    """The path itself, or a failure that says what makes it."""
    if not path.exists():
        raise HarnessError(f"{path} is missing: run `make {target}` first.")
    return path


def program(name: str) -> str:
    """A console script of the project's virtual environment."""
    return str(needed(VENV_BIN / name, "setup"))


def digest_of(path: Path) -> str:
    """sha256 of a file's content, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(HASH_STEP_BYTES):
            digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class LiveArtifacts:
    """One built ogLive: the folder with kernel, first stage, root and SHA256SUMS."""

    profile: str
    folder: Path

    @classmethod
    def find(cls, profile: str) -> LiveArtifacts:
        name = "oglive" if profile == "default" else f"oglive-{profile}"
        folder = needed(BUILD / name / "current", "image").resolve()
        needed(folder / "SHA256SUMS", "image")
        return cls(profile, folder)

    @property
    def digest(self) -> str:
        """Changes when any artefact does."""
        return digest_of(self.folder / "SHA256SUMS")
