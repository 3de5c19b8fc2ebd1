# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be started, and from where: the facts that every part of booting is told."""

from __future__ import annotations

from dataclasses import dataclass

from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk, TableKind
from oglib.fitting.devices import Known


def part_label(disk: int, part: int) -> str:
    """``Part-01-02``: the folder on the ESP and the entry of a partition's system.

    A disk in a file, which has the number 0, is disk 1.
    """
    return f"Part-{max(1, disk):02}-{part:02}"


@dataclass(frozen=True, slots=True)
class BootFacts:
    """``disk`` shall start the system on the root.

    ``os_id`` is os-release's ID. ``swaps`` are this disk's, ``others`` all other filesystems of
    this PC. ``boot`` is what is mounted at ``/boot``; None where that is a folder of the root.
    ``subvolume``: where the root lies in its btrfs, empty for its top. ``place``: what the system's
    partition is called (``Part-01-02``). ``network_first``: the firmware shall try the network
    before it.
    """

    disk: Disk
    firmware: Firmware
    os_id: str
    root: Known
    swaps: tuple[Known, ...] = ()
    others: tuple[Known, ...] = ()
    boot: Known | None = None
    subvolume: str = ""
    place: str = ""
    network_first: bool = True

    @property
    def present(self) -> tuple[Known, ...]:
        """Every filesystem that is here; one that was seen twice is told once."""
        return tuple(dict.fromkeys((self.root, *self.swaps, *self.others)))

    @property
    def start(self) -> Known:
        """The filesystem that GRUB's files are on."""
        return self.boot or self.root

    @property
    def table(self) -> str:
        """What GRUB calls the table of the disk in the name of a partition: ``gpt1``."""
        return "gpt" if self.disk.table is TableKind.GPT else "msdos"
