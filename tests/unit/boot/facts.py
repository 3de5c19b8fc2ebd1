# SPDX-License-Identifier: GPL-3.0-or-later
"""A PC with a root, a swap and another system, for what is written for it."""

from __future__ import annotations

from pathlib import Path

from oglib.boot.facts import BootFacts
from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk, TableKind
from oglib.fitting.devices import Known

ROOT_UUID = "11111111-1111-4111-8111-111111111111"
SWAP_UUID = "22222222-2222-4222-8222-222222222222"
OTHER_UUID = "33333333-3333-4333-8333-333333333333"
BOOT_UUID = "44444444-4444-4444-8444-444444444444"
GONE = "99999999-9999-4999-8999-999999999999"
ROOT = Known("ext4", ROOT_UUID, "root", "cafe0001-02", number=2)
SWAP = Known("swap", SWAP_UUID, number=3)
OTHER = Known("ext4", OTHER_UUID, "data", number=5)
BOOT = Known("ext4", BOOT_UUID, "boot", number=6)


def facts(
    *,
    root: Known = ROOT,
    swaps: tuple[Known, ...] = (SWAP,),
    others: tuple[Known, ...] = (OTHER,),
    boot: Known | None = None,
    table: TableKind = TableKind.GPT,
    subvolume: str = "",
) -> BootFacts:
    """What is told to booting; ``boot`` is one of ``others`` too."""
    disk = Disk(number=1, path=Path("/dev/vda"), size_bytes=1 << 40, table=table)
    more = (*others, boot) if boot else others
    return BootFacts(disk, Firmware.BIOS, "debian", root, swaps, more, boot, subvolume)
