# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image fits which partition, as numbers and in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.deploy.library.suitable import suitability_of
from oglib.disk.model import Disk, Partition, TableKind
from oglib.transfer.repository import ListedImage

GIB = 1 << 30
PARTS = [Partition(number, 0, number * 20 * GIB, "LINUX", "8300") for number in (1, 2, 3)]
DISK = Disk(1, Path("/dev/vda"), 200 * GIB, TableKind.GPT, tuple(PARTS))


def image(required_bytes: int, filesystem: str = "EXTFS") -> ListedImage:
    return ListedImage("debian", 1, "", filesystem, "", "", 0, required_bytes, "")


@pytest.mark.parametrize(
    ("needs", "filesystem", "sector", "numbers", "said"),
    [
        (20 * GIB, "EXTFS", 512, (1, 2, 3), "fits partitions 1, 2, 3"),
        (20 * GIB + 1, "EXTFS", 512, (2, 3), "fits partitions 2, 3"),
        (60 * GIB, "XFS", 512, (3,), "fits partition 3"),
        (61 * GIB, "XFS", 512, (), "too large by 1.0 GiB"),
        (
            61 * GIB,
            "NTFS",
            512,
            (),
            f"too large by 1.0 GiB; `og image convert debian --fit {60 * GIB}` may shrink it",
        ),
        (GIB, "EXTFS", 4096, (), "needs sectors of 4096 bytes, here are 512"),
    ],
)
def test_what_fits_where(
    needs: int, filesystem: str, sector: int, numbers: tuple[int, ...], said: str
) -> None:
    found = suitability_of(image(needs, filesystem), sector, DISK, PARTS)
    assert (found.partitions, found.text) == (numbers, said)
