# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands on disks that this machine cannot have: volume groups, pools, real nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.disk import probe
from oglib.disk.model import Disk, DiskKind, Partition, TableKind
from oglib.errors import OgErr, OgError
from oglib.shim.command import command_of

GIB = 1024**3


def volume(number: int, path: str) -> Partition:
    return Partition(number, 0, GIB, "", "", Path(path))


DISKS = (
    Disk(
        number=1,
        path=Path("/dev/nvme0n1"),
        size_bytes=8 * GIB,
        table=TableKind.GPT,
        partitions=(
            Partition(2, GIB, GIB, "UNKNOWN", "11111111-2222-3333-4444-555555555555"),
            Partition(3, 2 * GIB, GIB, "LINUX", "0fc63daf-8483-4772-8e79-3d69d8477de4"),
        ),
        uuid="",
    ),
    Disk(
        number=2,
        path=Path("/dev/group"),
        size_bytes=4 * GIB,
        table=TableKind.LVM,
        kind=DiskKind.LVM,
        partitions=(volume(1, "/dev/group/root"), volume(2, "/dev/group/home")),
    ),
    Disk(
        number=3,
        path=Path("/dev/pool"),
        size_bytes=4 * GIB,
        table=TableKind.ZPOOL,
        kind=DiskKind.ZPOOL,
        partitions=(volume(1, "/dev/pool/one"),),
    ),
)


@pytest.fixture(autouse=True)
def these_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OG_DISKS", raising=False)
    monkeypatch.setattr("oglib.disk.find.list_disks", lambda: DISKS)
    monkeypatch.setattr(probe, "_own_disks", lambda: DISKS)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("ogDiskToDev", "/dev/nvme0n1 /dev/group /dev/pool"),
        ("ogDiskToDev 2 2", "/dev/group/home"),
        ("ogDevToDisk /dev/group/root", "2 1"),
        ("ogGetPartitionTableType 2", "LVM"),
        ("ogGetPartitionTableType 3", "ZPOOL"),
        ("ogGetPartitionId 1 2", "FFFF"),
        ("ogGetPartitionId 2 1", "10000"),
        ("ogGetPartitionId 3 1", "10010"),
        ("ogGetPartitionType 1 2", "UNKNOWN"),
        ("ogGetPartitionType 2 1", "LVM-LV"),
        ("ogGetPartitionType 3 1", "ZFS-VOL"),
        ("ogGetPartitionsNumber 2", "2"),
        ("ogGetPartitionSize 2 1", "1048576"),
        ("ogListPartitions 1", "EMPTY:0 UNKNOWN:1048576 LINUX:1048576"),
        ("ogListPartitions 2", "LVM-LV:1048576 LVM-LV:1048576"),
        ("ogListPrimaryPartitions 3", "ZFS-VOL:1048576"),
        ("ogGetPartitionActive 2", ""),
        ("ogGetEsp", ""),
    ],
)
def test_answers(line: str, answer: str) -> None:
    name, *words = line.split()
    assert command_of(name).run(words) == answer


@pytest.mark.parametrize("line", ["ogGetLastSector 2", "ogListLogicalPartitions 2"])
def test_volumes_are_not_sectors(line: str) -> None:
    name, *words = line.split()
    with pytest.raises(OgError) as told:
        command_of(name).run(words)
    assert told.value.code is OgErr.PARTITION
