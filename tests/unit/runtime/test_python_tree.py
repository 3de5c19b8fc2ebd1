# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python part of the image is the same wherever it was built, and tells nothing of that place.

Two copies of the sources at two paths, with two umasks, dates, users' folders and orders of the
files, each through the image's own code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import trying

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ("runtime", "pxe", "menus", "image", "pyproject.toml", "README.md", "LICENSE")
BUILD = """
import os, sys
os.umask(int(sys.argv[2], 8))
sys.path.insert(0, sys.argv[1] + "/image")
from ogimage import python_tree
from ogimage.paths import PROJECT_DIR
assert str(PROJECT_DIR) == sys.argv[1]
python_tree.python_tree()
print(python_tree.TREE)
"""


def cached() -> bool:
    """Whether the pinned packages are here; `make image` brings them, this test asks no network."""
    script = (
        "from ogimage import mkosi, python_tree as t; from ogimage.paths import CACHE_DIR as c;"
        "w = c / 'wheels' / mkosi.fingerprint(t.LOCK, t.BACKENDS)[:12];"
        "b = c / 'backends' / mkosi.fingerprint(t.BACKENDS)[:12];"
        "raise SystemExit(not (w.is_dir() and b.is_dir()))"
    )
    asked = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT / "image")},
        check=False,
    )
    return asked.returncode == 0


def built(copy: Path, umask: str, date: int) -> Path:
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        elif source.exists():
            copy.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy / name)
    for path in copy.rglob("*"):
        os.utime(path, (date, date), follow_symlinks=False)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, copy, umask],
        env={**os.environ, "HOME": str(copy), "XDG_CACHE_HOME": str(Path.home() / ".cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(done.stdout.splitlines()[-1])


def content(tree: Path) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for path in tree.rglob("*"):
        about = path.lstat()
        if path.is_symlink():
            data = os.fsencode(path.readlink())
        else:
            data = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(tree))] = (
            about.st_mode,
            int(about.st_mtime),
            data,
        )
    return found


@pytest.mark.skipif(trying.share() > 1, reason="two builds: `make test` makes them")
@pytest.mark.skipif(not cached(), reason="the pinned Python packages are fetched by `make image`")
def test_two_places_build_the_same_tree(tmp_path: Path) -> None:
    one = built(tmp_path / "one", "022", 1_700_000_000)
    other = built(tmp_path / "deeper/in/another-place", "077", 1_800_000_000)
    first, second = content(one), content(other)
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []
    names = " ".join(first)
    assert "direct_url.json" not in names
    assert "oglive-" in names
    assert "blkinfo/" in names
    places = (str(tmp_path), str(ROOT), str(Path.home() / ".cache"), sys.prefix)
    for name, (_, _, data) in first.items():
        assert not any(os.fsencode(place) in data for place in places), name
