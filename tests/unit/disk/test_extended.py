# SPDX-License-Identifier: GPL-3.0-or-later
"""An extended partition of a real disk, of which the kernel shows one KiB only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from oglib.disk import probe
from oglib.disk.model import Partition, TableKind
from unit.disk.plans import GIB, a_disk
from unit.disk.test_damage import a_table


def test_an_extended_partition_has_its_real_size(tmp_path: Path) -> None:
    image = tmp_path / "sda"
    image.write_bytes(a_table((0x83, 2048, 2048), (0x05, 4096, GIB // 512)))
    shown = replace(
        a_disk(table=TableKind.MSDOS),
        path=image,
        partitions=(
            Partition(1, 2048 * 512, 2048 * 512, "LINUX", "83"),
            Partition(2, 4096 * 512, 1024, "EXTENDED", "05"),
        ),
    )
    found = probe._looked_into(shown)
    assert [part.size_bytes for part in found.partitions] == [2048 * 512, GIB]
