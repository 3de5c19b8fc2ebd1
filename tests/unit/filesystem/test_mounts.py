# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says is mounted, read from text."""

from __future__ import annotations

from pathlib import Path

from oglib.filesystem.mounts import Mount, mounts_of, parse_mountinfo

TEXT = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue
41 27 8:1 / /mnt/two\\040words ro,relatime shared:5 - fuseblk /dev/sda1 rw,user_id=0
42 27 8:2 / /mnt/sda2 rw,relatime - ext4 /dev/sda2 ro
"""


def test_mountinfo() -> None:
    assert parse_mountinfo(TEXT) == (
        Mount(Path("proc"), Path("/proc"), "proc", False),
        Mount(Path("/dev/root"), Path("/mnt2"), "ext3", False, "/mnt1"),
        Mount(Path("/dev/sda1"), Path("/mnt/two words"), "fuseblk", True),
        Mount(Path("/dev/sda2"), Path("/mnt/sda2"), "ext4", True),
    )


def test_lines_that_are_not_understood_are_left_out() -> None:
    assert parse_mountinfo("\n1 2 3\nx - y\n") == ()


def test_a_plain_file_is_not_mounted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert mounts_of(tmp_path / "file") == ()
    assert mounts_of(tmp_path / "nothing") == ()
