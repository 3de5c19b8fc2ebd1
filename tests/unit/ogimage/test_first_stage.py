# SPDX-License-Identifier: GPL-3.0-or-later
"""What the root stands on lies where systemd and the list of disks leave it alone."""

from __future__ import annotations

import re
from pathlib import Path

from oglib.disk.probing.lsblk import parse_lsblk

ROOT = Path(__file__).resolve().parents[3]
INIT = (ROOT / "image/mkosi.images/first-stage/mkosi.extra/init").read_text()
MACHINE = (ROOT / "tests/unit/disk/machines/nvme-and-sata.json").read_text()


def test_power_off_unmounts_nothing_below_the_root() -> None:
    """systemd takes mounts below /run/initramfs alone for somebody else's (fstab_is_extrinsic)."""
    below = re.search(r"^BELOW=(\S+)$", INIT, re.MULTILINE)
    assert below
    assert below[1].startswith("/run/initramfs/")
    for mounted in ('tmpfs "$medium"', '"$root_file" "$BELOW/lower"', 'tmpfs "$BELOW/rw"'):
        assert mounted in INIT
    assert "medium=$BELOW/medium" in INIT
    assert not re.search(r"\$STATE/(lower|rw|medium)", INIT)


def test_the_disk_that_the_root_comes_from_is_no_disk_to_restore() -> None:
    below = re.search(r"^BELOW=(\S+)$", INIT, re.MULTILINE)
    assert below
    for name in ("medium", "lower"):
        live = MACHINE.replace("/opt/opengnsys/cache", f"{below[1]}/{name}")
        assert live != MACHINE
        assert [str(disk.path) for disk in parse_lsblk(live, None)] == ["/dev/nvme0n1"]
