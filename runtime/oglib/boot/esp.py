# SPDX-License-Identifier: GPL-3.0-or-later
"""The EFI system partition of a disk, and GRUB's loader on it.

The loader is at the removable path, which starts anywhere, and in the distribution's own folder, to
which the entries of a PC that had it before still point.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from oglib.boot.facts import BootFacts
from oglib.boot.grub import install, uefi_argv
from oglib.boot.place import boot_directory
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.starts import ESP
from oglib.errors import PartitionError
from oglib.filesystem.mount import mounted
from oglib.fitting.edits import Files
from oglib.fitting.fittings import Check, Need


def esp_of(disk: Disk) -> Partition:
    """The first ESP of a disk; PARTITION where it has none."""
    found = next((part for part in disk.partitions if part.type == ESP), None)
    if found is None:
        raise PartitionError(f"{disk.describe()} has no EFI system partition.")
    return found


@dataclass(frozen=True, slots=True)
class Loader:
    """GRUB's loader: at the removable path, or in the folder of the distribution (``own``)."""

    name: str
    own: bool

    def check(self, root: Files, facts: BootFacts) -> Check:  # noqa: ARG002
        if self.own and not facts.os_id:
            return Check(Need.NOT_NEEDED, "no distribution name")
        where = facts.os_id if self.own else "BOOT"
        return Check(Need.NEEDED, f"EFI/{where} on partition {esp_of(facts.disk).number}")

    def apply(self, root: Files, facts: BootFacts, checked: Check) -> str:  # noqa: ARG002
        with esp_folder(root, facts) as at, boot_directory(root) as boot:
            return install(root, uefi_argv(boot, at, facts.os_id if self.own else ""))


@contextmanager
def esp_folder(root: Files, facts: BootFacts) -> Iterator[Path]:
    """The ESP of the disk as a folder to write to: where it is mounted, never a second time.

    Two loop devices of one file that are both written would destroy the filesystem.
    """
    esp = esp_of(facts.disk)
    if facts.boot and facts.boot.number == esp.number:
        yield root.path / "boot"
        return
    with (
        partition_device(facts.disk, esp) as device,
        mounted(device, write=True, kind="vfat") as at,
    ):
        yield at


REMOVABLE = Loader("grub-removable", own=False)
OWN_FOLDER = Loader("grub-esp", own=True)
