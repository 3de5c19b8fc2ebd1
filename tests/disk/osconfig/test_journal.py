# SPDX-License-Identifier: GPL-3.0-or-later
"""A system whose journal still holds what was written last: one run is enough, and shows the truth.

The journal is written by debugfs: a transaction of the blocks in which two states differ.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from disk.deploy.room import LINUX, MIB, digest, disk_file, og
from disk.deploy.room import tree as make_tree
from disk.inventory.room import tool
from oglib.deploy import fitting_jobs
from oglib.deploy.again import OtherSystemError
from oglib.deploy.system import configure
from oglib.disk.firmware import Firmware
from oglib.disk.loop import attached
from oglib.fitting.steps import Step

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")
BLOCK_BYTES = 1024
SUPERBLOCK = 1  # which says that the journal is to be replayed
SIZE_BYTES = 48 * MIB
LAST = "127.0.0.1 localhost\n127.0.1.1 model-pc another\n"
WORDS = ("--hostname", "pc17", "--step", "hosts")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian on whose disk /etc/hosts is an old one, and in its journal ``LAST``."""
    monkeypatch.setattr(configure, "running_firmware", lambda: Firmware.BIOS)
    path = disk_file(tmp_path / "disk.img")
    content, text = make_tree(tmp_path / "tree", LINUX), tmp_path / "hosts"
    text.write_text(LAST)
    with attached(path, offset_bytes=MIB, size_bytes=SIZE_BYTES) as device:
        tool("mke2fs", "-q", "-t", "ext4", "-F", "-b", str(BLOCK_BYTES), "-d", content, device)
        other = tmp_path / "other"
        shutil.copyfile(device, other)
        for command in ("rm etc/hosts", f"write {text} etc/hosts"):
            tool("debugfs", "-w", "-R", command, other)
        old, new = device.read_bytes(), other.read_bytes()
        differ = [
            number
            for number in range(len(old) // BLOCK_BYTES)
            if number != SUPERBLOCK
            and old[(at := number * BLOCK_BYTES) : at + BLOCK_BYTES] != new[at : at + BLOCK_BYTES]
        ]
        blocks = tmp_path / "blocks"
        blocks.write_bytes(
            b"".join(new[one * BLOCK_BYTES : (one + 1) * BLOCK_BYTES] for one in differ)
        )
        commands = tmp_path / "commands"
        numbers = ",".join(map(str, differ))
        commands.write_text(f"journal_open\njournal_write -b {numbers} {blocks}\njournal_close\n")
        tool("debugfs", "-w", "-f", commands, device)
    return path


def hosts(disk: Path, point: Path, options: str) -> str:
    point.mkdir(exist_ok=True)
    with attached(disk, offset_bytes=MIB, size_bytes=SIZE_BYTES) as device:
        tool("mount", "-o", options, device, point)
        try:
            return (point / "etc/hosts").read_text()
        finally:
            tool("umount", point)


def test_one_run_is_enough_and_a_dry_run_writes_nothing(disk: Path, tmp_path: Path) -> None:
    before = digest(disk)
    old = hosts(disk, tmp_path / "at", "ro,noload")
    assert (old == LAST, digest(disk)) == (False, before)
    dry = og("os", "configure", disk, "1", *WORDS, "--dry-run")
    assert (dry.status, digest(disk)) == (0, before), dry.err
    done = og("os", "configure", disk, "1", *WORDS)
    assert done.status == 0, done.err
    assert hosts(disk, tmp_path / "at", "ro") == LAST.replace("model-pc", "pc17")


def test_what_is_shown_before_the_write_is_what_is_written(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan of the second look goes to whoever approves, as the first did."""
    shown: list[bytes] = []

    def seen(plan: configure.Configuration) -> tuple[Step, ...]:
        shown.append(plan.diff)
        return configure.apply_configuration(plan)

    monkeypatch.setattr(fitting_jobs, "apply_configuration", seen)
    assert og("os", "configure", disk, "1", *WORDS).status == 0
    first, second = shown
    assert b"another" not in first
    assert b"+127.0.1.1 pc17 another\n" in second
    assert hosts(disk, tmp_path / "at", "ro").endswith("pc17 another\n")


def test_a_system_that_is_another_each_time_is_not_looked_at_for_ever(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []

    def other(plan: object) -> None:
        looks.append(plan)
        raise OtherSystemError("The system is not as it was.", hint="Run it again.")

    monkeypatch.setattr(fitting_jobs, "apply_configuration", other)
    done = og("os", "configure", disk, "1", *WORDS)
    assert (done.status != 0, len(looks)) == (True, 2)
    assert "Run it again." in done.err
