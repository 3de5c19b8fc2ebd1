# SPDX-License-Identifier: GPL-3.0-or-later
"""Which firmware the image of a whole disk is for, where the image itself does not say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from oglib.deploy.whole_disk.sizing import ImagedDisk
from oglib.deploy.whole_disk.whole import able_to_start
from oglib.disk.firmware import Firmware
from oglib.disk.model import TableKind
from oglib.disk.tables.mbr import CODE_BYTES
from oglib.image.format.disk_manifest import Gap


@pytest.mark.parametrize(
    ("told", "first_sector", "able"),
    [
        ("uefi", b"\x33\xc0", {Firmware.UEFI}),
        ("", b"\x33\xc0", {Firmware.BIOS}),
        ("", bytes(CODE_BYTES), set()),  # a disk of data: every PC may have it
        ("", bytes(CODE_BYTES) + b"\1\2\3\4", set()),  # the disk's id is no code
        ("", None, set()),
    ],
)
def test_boot_code_of_zeros_starts_nothing(
    told: str, first_sector: bytes | None, able: set[Firmware]
) -> None:
    gap = SimpleNamespace(part=0, offset_bytes=0)
    imaged = ImagedDisk(TableKind.MSDOS, "", 1 << 30, 512, ())
    gaps = () if first_sector is None else ((cast(Gap, gap), first_sector),)
    assert able_to_start(told, imaged, gaps) == able
