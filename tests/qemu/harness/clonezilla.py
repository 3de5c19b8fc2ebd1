# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Clonezilla on a PC that runs ogLive: in a chroot, for it wants partition devices.

It is told to change nothing by the way: what it saves is what was there, and what it restores is
what it saved. The images are in /home/partimag of its disk.
"""

from __future__ import annotations

from harness.disks import Disk
from harness.machine import Machine
from harness.paths import BUILD, needed
from harness.room import Room

SERIAL = "clonezilla"
_ROOT = "/run/clonezilla"
IMAGES = f"{_ROOT}/home/partimag"
_LOG = "/run/clonezilla.log"
_ALWAYS = "-nogui -batch -p true"
# No fsck before, no encryption, no test after; partclone, zstd, one volume, boot code and its gap.
_SAVE = "-q2 -j2 -z9p -i 0 -sfsck -senc -scs"
# The table as saved; nothing is changed in the restored system, and no loader installed.
_RESTORE = "-k0 -j2 -e1 auto -scr -irhr -irvd -ius -iui -iefi"


def disk_of(room: Room) -> Disk:
    """A disk with Clonezilla, the scenario's own."""
    root = Disk(needed(BUILD / "clonezilla" / "root.raw", "clonezilla"), SERIAL)
    return room.snapshot(root)


class Clonezilla:
    """``pc`` has the disk of ``disk_of`` plugged in."""

    def __init__(self, pc: Machine) -> None:
        self._pc = pc
        pc.succeed(f"mkdir -p {_ROOT} && mount /dev/disk/by-id/virtio-{SERIAL} {_ROOT}")
        pc.succeed(f"mkdir -p {IMAGES} {_ROOT}/var/log/clonezilla")
        for folder in ("dev", "proc", "sys"):
            pc.succeed(f"mount --rbind /{folder} {_ROOT}/{folder}")
        pc.succeed(f"mkdir -p {_ROOT}/run/udev && mount --bind /run/udev {_ROOT}/run/udev")

    def save(self, disk: Disk, name: str) -> None:
        self._run(f"{_SAVE} savedisk {name}", disk)

    def restore(self, name: str, disk: Disk) -> None:
        self._run(f"{_RESTORE} restoredisk {name}", disk)

    def _run(self, words: str, disk: Disk) -> None:
        device = f"$(basename $(readlink -f /dev/disk/by-id/virtio-{disk.serial}))"
        self._pc.succeed(
            f"chroot {_ROOT} env LC_ALL=C.UTF-8 TERM=linux ocs-sr {_ALWAYS} {words} {device} "
            f">{_LOG} 2>&1 </dev/null || {{ tail -n 40 {_LOG}; false; }}",
            seconds=self._pc.timeouts.long_command,
        )
