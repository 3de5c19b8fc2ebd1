# SPDX-License-Identifier: GPL-3.0-or-later
"""A tiny foreign system that really runs: a shell, a few tools and their libraries."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_PROGRAMS = ("sh", "cat", "chmod", "cp", "env", "id", "ls", "mkdir", "sleep", "touch", "unshare")
_FOLDERS = ("dev", "etc", "proc", "run", "sys", "tmp", "usr/bin", "usr/sbin", "var/tmp", "boot")


def make_runnable(folder: Path, scripts: Mapping[str, str] | None = None) -> Path:
    """A root with the tools of this PC; ``scripts``: programs for its shell, by path."""
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "bin").symlink_to("usr/bin")
    for program in _PROGRAMS:
        found = shutil.which(program)
        assert found is not None, program
        shutil.copy2(Path(found).resolve(), folder / "usr/bin" / program)
        _with_libraries(folder, Path(found))
    for name, text in (scripts or {}).items():
        add_script(folder, name, text)
    return folder


def add_script(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def _with_libraries(folder: Path, program: Path) -> None:
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for name in re.findall(r"(/\S+) \(0x", said):
        library = folder / name.lstrip("/")
        library.parent.mkdir(parents=True, exist_ok=True)
        if not library.exists():
            shutil.copy2(Path(name).resolve(), library)
