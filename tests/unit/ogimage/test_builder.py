# SPDX-License-Identifier: GPL-3.0-or-later
"""An image does not tell who built it: modes of builder and clone are levelled at first."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from ogimage.mkosi import fingerprint, forget_builder

IMAGE = Path(__file__).resolve().parents[3] / "image"


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def modes(top: Path) -> dict[str, int]:
    paths = [top, *(p for p in top.rglob("*") if not p.is_symlink())]
    return {str(p.relative_to(top)): stat.S_IMODE(p.stat().st_mode) for p in paths}


@pytest.mark.parametrize("clone_umask", [0o002, 0o022, 0o027, 0o077])
def test_a_clone_of_any_umask_is_the_same(tmp_path: Path, clone_umask: int) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    one, other = tmp_path / "a/image", tmp_path / "b/image"
    for copy in (one, other):
        shutil.copytree(IMAGE, copy, symlinks=True, ignore=ignored)
    for path in (other, *(p for p in other.rglob("*") if not p.is_symlink())):
        program = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod((0o777 if program else 0o666) & ~clone_umask)
    for copy in (one, other):
        forget_builder(copy)
    assert modes(other) == modes(one)
    assert fingerprint(other) == fingerprint(one)
    assert set(modes(one).values()) == {0o644, 0o755}
    assert modes(one)["mkosi.images/first-stage/mkosi.extra/init"] == 0o755


def test_what_is_made_from_here_on_is_readable_for_all(tmp_path: Path) -> None:
    forget_builder(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert modes(tmp_path) == {".": 0o755, "folder": 0o755, "file": 0o644}
