# SPDX-License-Identifier: GPL-3.0-or-later
"""What to run so that nobody uses a disk any more; pure, runs nothing itself.

Knows the words in which probing tells a use (``rows.uses_of``, ``virtual``).
"""

from __future__ import annotations

import shlex
from pathlib import Path

from oglib.disk import types
from oglib.disk.model import Disk, Partition
from oglib.disk.probing.rows import LVM_MEMBER

_LUKS = "crypto_LUKS"


def remedy(disk: Disk) -> str:
    """The commands that free ``disk``, as the hint of an error; empty when nobody uses it."""
    commands = [_for_use(disk, None, use) for use in disk.use]
    commands += [_for_use(disk, part, use) for part in disk.partitions for use in part.use]
    once = dict.fromkeys(f"`{command}`" for command in commands)
    return f"Free it first: {', '.join(once)}." if once else ""


def _for_use(disk: Disk, part: Partition | None, use: str) -> str:
    thing = part or disk
    verb, _, what = use.rpartition(" ")
    if use == "active swap":
        return f"swapoff {thing.path or disk.path}"
    if use.startswith("mounted on "):
        return _unmounting(disk, part, use.removeprefix("mounted on "))
    if verb == "attached as":
        return f"losetup --detach {what}"
    if what.startswith("/dev/md"):
        return f"mdadm --stop {what}"
    name = Path(what).name
    if thing.filesystem == LVM_MEMBER:
        return f"vgchange -an {_group_of(name)}"
    return f"cryptsetup close {name}" if thing.filesystem == _LUKS else f"dmsetup remove {name}"


def _unmounting(disk: Disk, part: Partition | None, point: str) -> str:
    if part is None:
        return f"umount {shlex.quote(point)}"
    if part.type == types.CACHE:
        return "og cache umount"
    return f"og fs umount {disk.number or disk.path} {part.number}"


def _group_of(mapped: str) -> str:
    """``vg-data`` of ``vg--data-root``: device mapper doubles the dashes inside a name."""
    return mapped.replace("--", "\0").partition("-")[0].replace("\0", "-")
