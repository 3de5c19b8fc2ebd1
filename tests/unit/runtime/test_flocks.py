# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock that somebody keeps is waited for with an end, and he is named."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oglib.cache import folder as cache_folder
from oglib.cache.folder import lock_shared, locked, open_folder
from oglib.disk import lock as disk_lock
from oglib.errors import OgErr, OgError
from oglib.kernel.flocks import take

_HOLD = (
    "import fcntl, os, sys; handle = os.open(sys.argv[1], os.O_RDONLY);"
    "fcntl.flock(handle, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
)


@contextmanager
def held_by_another(path: Path) -> Iterator[int]:
    """Another process has ``path`` locked for the length of the block; its PID."""
    argv = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder.pid
        holder.communicate()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oglib.kernel.flocks.PATIENCE_S", 0.2)


def test_who_holds_it_is_named_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with held_by_another(path) as pid, path.open() as file:
        with pytest.raises(OgError, match=f"Process {pid} .* holds the thing, since") as caught:
            take(file.fileno(), fcntl.LOCK_SH, "the thing")
        assert caught.value.code is OgErr.LOCKED
    with path.open() as file:
        take(file.fileno(), fcntl.LOCK_SH, "the thing")


def test_an_image_of_the_cache_that_somebody_keeps_is_not_waited_for_without_end(
    tmp_path: Path,
) -> None:
    folder = open_folder(tmp_path)
    entry = folder.images / "debian"
    entry.mkdir()
    with held_by_another(entry), pytest.raises(OgError, match="holds debian in the cache"):
        lock_shared(entry)
    os.close(lock_shared(entry))


def test_the_list_of_the_cache_neither(tmp_path: Path) -> None:
    folder = open_folder(tmp_path)
    lock = tmp_path / cache_folder.PRIVATE / "lock"
    lock.touch()
    with (
        held_by_another(lock),
        pytest.raises(OgError, match="holds the cache's list"),
        locked(folder, shared=True),
    ):
        pytest.fail("it is another's")


def test_the_locks_of_disks_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_lock, "FOLDER", tmp_path)
    with (
        held_by_another(tmp_path),
        pytest.raises(OgError, match="holds the locks in"),
        disk_lock.guarded(),
    ):
        pytest.fail("it is another's")
