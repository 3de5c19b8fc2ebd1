# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before a restore's first write, and which type a partition gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from oglib.deploy.partition import checks
from oglib.deploy.partition.checks import Wishes, check_growable, check_restorable
from oglib.disk import types
from oglib.disk.firmware import Firmware
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.errors import FilesystemError, OgErr, OgError
from oglib.image.any import Image
from oglib.image.reading.local import local_image
from oglib.image.reading.opened import OpenImage
from unit.image.streams import PartitionStream
from unit.image.synthetic import make_image, partition

EXTFS = partition(mib=4)


def disk_of(kind: str, table: TableKind, size: int = 8 * MIB) -> tuple[Disk, Partition]:
    """A disk of a file, with one partition."""
    part = Partition(1, MIB, size, kind, types.raw_id(kind, table))
    return Disk(0, Path("/nowhere/disk"), 16 * MIB, table, (part,)), part


def stream(filesystem: str) -> PartitionStream:
    return PartitionStream(replace(EXTFS, filesystem=filesystem.encode()))


@pytest.mark.parametrize(
    ("filesystem", "kind", "table", "new"),
    [
        ("EXTFS", "NTFS", TableKind.MSDOS, "LINUX"),
        ("EXTFS", "WINDOWS", TableKind.GPT, "LINUX"),
        ("EXTFS", "LINUX", TableKind.GPT, ""),
        ("NTFS", "LINUX", TableKind.MSDOS, "NTFS"),
        ("NTFS", "LINUX", TableKind.GPT, "WINDOWS"),
        ("NTFS", "WINDOWS", TableKind.GPT, ""),
        ("FAT32", "EFI", TableKind.GPT, ""),
        ("FAT16", "LINUX", TableKind.MSDOS, "FAT16"),
        ("raw", "NTFS", TableKind.MSDOS, ""),
    ],
)
def test_the_type_is_set_when_that_was_asked_for(
    filesystem: str, kind: str, table: TableKind, new: str
) -> None:
    disk, part = disk_of(kind, table)
    image = stream(filesystem)
    told = check_restorable(image, disk, part, Wishes())
    assert told.table is None
    assert bool(told.warnings) is bool(new)
    done = check_restorable(image, disk, part, Wishes(set_type=True))
    assert done.warnings == ()
    assert (done.table.partitions[0].type if done.table else "") == new


def test_a_partition_one_sector_too_small_is_refused() -> None:
    disk, part = disk_of("LINUX", TableKind.GPT, EXTFS.device_size - 512)
    with pytest.raises(OgError, match=str(EXTFS.device_size)) as caught:
        check_restorable(stream("EXTFS"), disk, part, Wishes())
    assert caught.value.code == OgErr.IMGSIZEPARTITION


@pytest.mark.parametrize("filesystem", ["FAT32", "EXFAT", "raw", "something"])
def test_what_cannot_grow_is_refused_before(filesystem: str) -> None:
    image = stream(filesystem)
    with pytest.raises(FilesystemError, match="cannot be grown") as caught:
        check_growable(image)
    assert caught.value.code == OgErr.EXTENDFS


@pytest.mark.parametrize("word", ["EXTFS", "ext2fs", "EXT3FS", "NILFS", "btrfs", "NTFS"])
def test_every_tools_word_for_a_filesystem_is_known(word: str) -> None:
    check_growable(stream(word))


def test_a_tool_that_is_not_there_is_missed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FilesystemError, match="resize2fs, which is not installed"):
        check_growable(stream("EXTFS"))


@pytest.mark.parametrize(
    ("made_for", "here", "code"),
    [
        ("bios", Firmware.UEFI, OgErr.NOTBIOS),
        ("uefi", Firmware.BIOS, OgErr.NOTUEFI),
        ("bios", Firmware.BIOS, None),
        ("", Firmware.UEFI, None),
    ],
)
def test_the_other_firmware_needs_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_for: str, here: Firmware,
    code: OgErr | None,
) -> None:  # fmt: skip
    monkeypatch.setattr(checks, "running_firmware", lambda: here)
    disk, part = disk_of("LINUX", TableKind.GPT)
    with local_image(make_image(EXTFS, tmp_path)) as plain:
        image = made_on(plain, made_for)
        check_restorable(image, disk, part, Wishes(other_firmware=True))
        if code is None:
            check_restorable(image, disk, part, Wishes())
            return
        with pytest.raises(OgError, match="captured from a PC") as caught:
            check_restorable(image, disk, part, Wishes())
        assert caught.value.code == code


def made_on(image: OpenImage, firmware: str) -> Image:
    source = replace(image.manifest.source, firmware=firmware)
    return replace(image, manifest=replace(image.manifest, source=source))
