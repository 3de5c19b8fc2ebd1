# SPDX-License-Identifier: GPL-3.0-or-later
"""What udev remembers of block devices: waiting for it, and having it look again.

Without a running udev (a build machine in a container) there is nothing to wait for.
"""

from __future__ import annotations

from pathlib import Path

from oglib.run import run

_CONTROL = Path("/run/udev/control")


def settle() -> None:
    """Wait until udev has dealt with what the kernel told it."""
    if _CONTROL.exists():
        run("udevadm", "settle", "--timeout=20", accept=(0, 1))


def look_again(device: Path) -> None:
    """Have udev read ``device`` anew, and wait until it has.

    It looks by itself when a writer closes a device, but misses one that closes while it still
    looks after the one before: then it would remember the disk as it was in between.
    """
    if _CONTROL.exists() and device.is_block_device():
        run("udevadm", "trigger", "--action=change", "--settle", device.resolve())
