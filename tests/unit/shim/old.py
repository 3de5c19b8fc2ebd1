# SPDX-License-Identifier: GPL-3.0-or-later
"""An old command as a script sees it: a process of its own with output, messages, exit code.

The two marks say which old command a test is about; docs/compatibility.md is made from them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from oglib.errors import OgErr, OgError
from oglib.shim.command import command_of


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "proves(*names): output, exit code and effect of these old commands are right"
    )
    config.addinivalue_line("markers", "refuses(*names): these old commands fail as they should")


@dataclass(frozen=True, slots=True)
class Ran:
    stdout: str
    stderr: str
    status: int


def run_old(
    name: str,
    *words: str | Path | int,
    disks: Sequence[Path] = (),
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    cwd: Path | None = None,
) -> Ran:
    """Run it; ``disks`` become the disks 1..n of the PC, ``env`` adds to an environment of PATH."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/root", **(env or {})}
    if disks:
        environment["OG_DISKS"] = ":".join(str(disk) for disk in disks)
    done = subprocess.run(
        [sys.executable, "-I", "-m", "oglib.shim", name, *(str(word) for word in words)],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )
    return Ran(done.stdout, done.stderr, done.returncode)


def answer(name: str, *words: str) -> object:
    """The result of an old command in this process."""
    return command_of(name).run(words)


def code_of(name: str, *words: str) -> OgErr:
    """The code of the error that an old command ends with in this process."""
    with pytest.raises(OgError) as told:
        answer(name, *words)
    return told.value.code


def answer_about(image: Path, name: str, *words: str) -> object:
    """The result of an old command about this image as the only disk of the PC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OG_DISKS", str(image))
        return answer(name, "1", *words)


def code_about(image: Path, name: str, *words: str) -> OgErr:
    """The code of the error that it ends with."""
    with pytest.raises(OgError) as told:
        answer_about(image, name, *words)
    return told.value.code


class Old:
    """The fixture's type: ``old("ogGetDiskSize", 1, disks=[path]).stdout``."""

    __call__ = staticmethod(run_old)


@pytest.fixture
def old() -> Old:
    return Old()
