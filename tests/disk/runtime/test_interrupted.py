# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C at the worst moment: a tool has just done its work, and we do not know it yet."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from oglib.disk.loop import attached
from oglib.disk.model import MIB
from oglib.filesystem.mount import mounted
from oglib.run import run, undisturbed


def interrupting(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, at: str) -> None:
    """The real tool, which interrupts who called it when it has done its work."""
    real = shutil.which(name)
    tool = folder / name
    tool.write_text(f'#!/bin/sh\n{real} "$@" || exit\n[ "$1" != "{at}" ] || kill -INT $PPID\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def said_by(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(16 * MIB)
    said_by("mkfs.ext4", "-q", path)
    return path


def test_a_block_that_must_not_be_cut_is_done_first() -> None:
    done: list[str] = []
    cut = "kill -INT $PPID; kill -TERM $PPID; echo done; ps -o pgid= -p $$"
    with pytest.raises(KeyboardInterrupt), undisturbed():
        done += run("sh", "-c", cut).stdout.split()
    assert done[0] == "done"
    # the terminal sends Ctrl-C to our whole group: the program must not be in it
    assert int(done[1]) != os.getpgrp()


def test_ctrl_c_that_reached_the_program_alone_is_an_interruption() -> None:
    with pytest.raises(KeyboardInterrupt):
        run("sh", "-c", "kill -INT $$")


def test_no_loop_device_stays(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupting(tmp_path, monkeypatch, "losetup", at="--find")
    with pytest.raises(KeyboardInterrupt), attached(image):
        pytest.fail("it was interrupted before")
    assert not said_by("losetup", "--associated", image)


def test_no_mount_stays(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with attached(image) as device:
        interrupting(tmp_path, monkeypatch, "mount", at="-t")
        with pytest.raises(KeyboardInterrupt), mounted(device):
            pytest.fail("it was interrupted before")
        assert str(device) not in Path("/proc/self/mountinfo").read_text()
