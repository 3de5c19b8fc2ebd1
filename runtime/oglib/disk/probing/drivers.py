# SPDX-License-Identifier: GPL-3.0-or-later
"""Which drivers stand between this PC and a disk: read from ``/sys``, where they are at work.

From the disk upwards through the devices that it hangs on: what is bound to each, and by which
words (modalias) a kernel finds a driver for it. A disk made of others has theirs.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import PartitionError

SYS = Path("/sys")
_MOST_DEVICES = 64  # that one hangs on another, or one is made of
_SUBSYSTEM = "nvme-subsystem"


@dataclass(frozen=True, slots=True)
class Driver:
    """What drives one device here.

    ``module``: as ogLive's kernel calls it; where that has it built in, the driver's own name.
    ``modalias``: the device in the words by which a kernel finds a driver; empty where it has none.
    """

    module: str
    built_in: bool
    modalias: str = ""


def drivers_of(device: Path, *, sys: Path = SYS) -> tuple[Driver, ...]:
    """The drivers that a disk of this PC needs, its own first; empty for what is no hardware.

    That is a regular file, or a loop device. PARTITION where ``/sys`` does not say.
    """
    try:
        status = device.stat()
        if not stat.S_ISBLK(status.st_mode):
            return ()
        number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        return drivers_of_block((sys / "dev/block" / number).resolve(strict=True), sys)
    except OSError as error:
        raise PartitionError(
            f"What drives {device} cannot be read: {error.strerror}: {error.filename}."
        ) from error


def drivers_of_block(block: Path, sys: Path) -> tuple[Driver, ...]:
    """The same by the disk's folder in a tree like ``/sys``. OSError where that cannot be read."""
    found: dict[Driver, None] = {}
    for one in _made_of(block):
        for device in _hangs_on(one, sys):
            if driver := _driver(device):
                found[driver] = None
    return tuple(found)


def _made_of(block: Path) -> Iterator[Path]:
    """The devices under a mapped one or an array, down to what is made of nothing else."""
    waiting, seen = [block], set[Path]()
    while waiting and len(seen) < _MOST_DEVICES:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        slaves = one / "slaves"
        below = (
            sorted(path.resolve(strict=True) for path in slaves.iterdir())
            if slaves.is_dir()
            else []
        )
        waiting += below
        if not below:
            yield one


def _hangs_on(block: Path, sys: Path) -> Iterator[Path]:
    """The devices above a disk, the nearest first.

    The disk of an NVMe of several ways stands apart; its controllers are where the hardware is.
    """
    top = sys.resolve() / "devices"
    starts = [block]
    if _SUBSYSTEM in block.parts:
        starts = [
            one.resolve(strict=True)
            for one in sorted(block.parent.glob("nvme[0-9]*"))
            if one.is_symlink()
        ]
    for start in starts:
        for device in (start, *start.parents):
            if device == top or top not in device.parents:
                break
            yield device


def _driver(device: Path) -> Driver | None:
    """None where nothing is bound to it: a bus, a port, the disk itself."""
    bound = device / "driver"
    if not bound.is_symlink():
        return None
    module = bound / "module"
    name = (module if module.is_symlink() else bound).readlink().name
    try:
        modalias = (device / "modalias").read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        modalias = ""
    # What is built in may have a folder among the modules too, for its parameters; only what was
    # loaded has a state there. The driver of PCIe's root ports is such a one, above every NVMe.
    loaded = (module / "initstate").exists()
    return Driver(name.replace("-", "_"), not loaded, modalias)
