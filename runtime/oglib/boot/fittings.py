# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a disk start its system, by firmware and in order, and what is refused before."""

from __future__ import annotations

from oglib.boot import bls, esp, grub
from oglib.boot.facts import BootFacts
from oglib.boot.firmware import check_table
from oglib.boot.nvram.fitting import BOOT_ENTRIES
from oglib.boot.resident import why_resident
from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk
from oglib.errors import NotFoundError
from oglib.fitting.edits import Files
from oglib.fitting.fittings import FileFitting, Fitting

_MENU: tuple[Fitting[BootFacts], ...] = (
    FileFitting("grub.cfg", grub.config),
    FileFitting("grub-defaults", grub.defaults),
    FileFitting("loader-entries", bls.entries),
    FileFitting("kernel-cmdline", bls.command_line),
)
FITTINGS: dict[Firmware, tuple[Fitting[BootFacts], ...]] = {
    Firmware.BIOS: (*_MENU, grub.BIOS_CODE),
    Firmware.UEFI: (
        *_MENU,
        esp.PART,
        esp.OWN_FOLDER,
        esp.REMOVABLE,
        BOOT_ENTRIES,
    ),
}


def check(root: Files, disk: Disk, firmware: Firmware) -> None:
    """Refuse what cannot end with a system that starts; only reads.

    NOTBIOS or NOTUEFI where the disk is for the other firmware; OgError where the tree is not safe
    to write into, or this ogLive lacks what installs GRUB.
    """
    if who := why_resident(root):
        raise NotFoundError(
            f"{root.called} starts by {who}, whose kernels lie on the ESP and not in it.",
            hint="Capture and restore the whole disk, with its ESP.",
        )
    grub.check_tree(root)
    check_table(disk.table, {part.type for part in disk.partitions}, firmware, disk.describe())
    grub.check_tools(firmware)
