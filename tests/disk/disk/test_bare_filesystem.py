# SPDX-License-Identifier: GPL-3.0-or-later
"""A filesystem without a table: listed, captured, and named before it is lost."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from disk.disk.tables import a_file
from oglib.deploy.partition.subject import is_one_filesystem
from oglib.disk.model import MIB, TableKind
from oglib.disk.planning.cache_partition import plan_cache
from oglib.disk.planning.layout import layout_from
from oglib.disk.planning.plan import plan_layout
from oglib.disk.probe import probe_target
from oglib.disk.writing.table import apply_table
from oglib.image.reading.formats.content import content_of
from oglib.settings import Settings

LAYOUT = layout_from({"table": "gpt", "partitions": [{"type": "LINUX", "size": "rest"}]})
MAKERS = {
    "exfat": ("mkfs.exfat", "-L", "FOTOS"),
    "vfat": ("mkfs.vfat", "-I", "-n", "FOTOS"),
    "ntfs": ("mkntfs", "-qFQ", "-L", "FOTOS"),
    "ext4": ("mkfs.ext4", "-q", "-L", "FOTOS"),
}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices")


@pytest.mark.parametrize("kind", MAKERS)
def test_it_is_no_empty_table(kind: str, tmp_path: Path) -> None:
    path = a_file(tmp_path / "stick", 64 * MIB)
    subprocess.run([*MAKERS[kind], path], check=True, capture_output=True)
    disk = probe_target(path)
    assert (disk.table, disk.partitions, disk.damage) == (TableKind.NONE, (), ())
    assert (disk.filesystem, disk.label) == (kind, "FOTOS")
    assert is_one_filesystem(str(path), Settings())
    said = f"lose the {kind} 'FOTOS' that fills the whole disk"
    for plan in (plan_layout(LAYOUT, disk), plan_cache(disk, 16 * MIB)):
        assert plan.changes[0] == said
        assert "there was none" in plan.changes[1]
    content = content_of(path.read_bytes()[: 1 << 17])
    assert content.table == ""
    assert content.filesystem


def test_a_table_behind_the_header_of_a_filesystem_is_one(tmp_path: Path) -> None:
    """As tools for bootable sticks leave it; blkid says that it is a FAT."""
    path = a_file(tmp_path / "stick", 64 * MIB)
    subprocess.run([*MAKERS["vfat"], path], check=True, capture_output=True)
    with path.open("r+b") as file:
        file.seek(446)
        file.write(struct.pack("<B3sB3sII", 0x80, b"", 0x83, b"", 2048, 8192))
    disk = probe_target(path)
    assert disk.table is TableKind.MSDOS
    assert [(part.number, part.start_bytes) for part in disk.partitions] == [(1, MIB)]


def test_a_table_behind_the_header_of_a_filesystem_keeps_its_id(tmp_path: Path) -> None:
    """The PARTUUIDs of what stays are made of it, and blkid does not tell it there."""
    path = a_file(tmp_path / "stick", 64 * MIB)
    subprocess.run([*MAKERS["vfat"], path], check=True, capture_output=True)
    with path.open("r+b") as file:
        file.seek(440)
        file.write(struct.pack("<IH", 0x0A0B0C0D, 0))
        file.write(struct.pack("<B3sB3sII", 0x80, b"", 0x83, b"", 2048, 8192))
    layout = {
        "table": "msdos",
        "partitions": [{"keep": True, "number": 1}, {"type": "LINUX", "size": "rest"}],
    }
    disk = apply_table(plan_layout(layout_from(layout), probe_target(path)))
    assert [part.partuuid for part in disk.partitions] == ["0a0b0c0d-01", "0a0b0c0d-02"]
