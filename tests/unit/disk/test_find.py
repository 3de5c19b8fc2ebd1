# SPDX-License-Identifier: GPL-3.0-or-later
"""What a disk or partition may be called: one is meant, or the name is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.disk.find import find_disk, find_partition, find_tagged
from oglib.disk.model import Disk, TableKind
from oglib.errors import NotFoundError, UsageError

Machine = Callable[[str], tuple[Disk, ...]]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("1", "/dev/sda"),
        ("2", "/dev/nvme0n1"),
        ("/dev/nvme0n1", "/dev/nvme0n1"),
        ("S5GXNX0R123456", "/dev/nvme0n1"),
        ("zn1abcde", "/dev/sda"),
        ("0x5000c500a1b2c3d4", "/dev/sda"),
        ("5000c500a1b2c3d4", "/dev/sda"),
        ("wwn-0x5000C500A1B2C3D4", "/dev/sda"),
        ("35000c500a1b2c3d4", "/dev/sda"),
        ("eui.002538b121b0e1f2", "/dev/nvme0n1"),
        ("LABEL=Windows", "/dev/sda"),
        ("PARTUUID=AAAAAAAA-0000-4000-8000-000000000003", "/dev/nvme0n1"),
        ("PARTLABEL=EFI system partition", "/dev/nvme0n1"),
        ("UUID=1234-abcd", "/dev/nvme0n1"),
        ("1@ZN1ABCDE", "/dev/sda"),
        ("2@eui.002538b121b0e1f2", "/dev/nvme0n1"),
    ],
)
def test_the_names_of_a_disk(machine: Machine, spec: str, path: str) -> None:
    assert str(find_disk(spec, machine("nvme-and-sata")).path) == path


@pytest.mark.parametrize("spec", ["3", "0", "S5GXNX0R12345", "LABEL=windows", "LABEL=", "/dev/sdx"])
def test_a_name_that_fits_nothing_is_refused_with_the_candidates(
    machine: Machine, spec: str
) -> None:
    with pytest.raises(NotFoundError, match=r"/dev/sda .*/dev/nvme0n1"):
        find_disk(spec, machine("nvme-and-sata"))


def test_a_link_leads_to_its_disk(machine: Machine, tmp_path: Path) -> None:
    sata, nvme = machine("nvme-and-sata")
    # as udev makes them below /dev/disk/by-id
    (tmp_path / "nvme-Samsung_SSD_980").symlink_to("/dev/nvme0n1")
    (tmp_path / "wwn-part3").symlink_to("/dev/nvme0n1p3")
    assert find_disk(str(tmp_path / "nvme-Samsung_SSD_980"), (sata, nvme)) is nvme
    assert find_partition(nvme, str(tmp_path / "wwn-part3")).number == 3
    with pytest.raises(NotFoundError, match=r"is partition 3 of /dev/nvme0n1.*disk"):
        find_disk(str(tmp_path / "wwn-part3"), (sata, nvme))


def test_a_partition_is_not_taken_for_a_disk(machine: Machine) -> None:
    with pytest.raises(NotFoundError, match=r"is partition 3 of /dev/nvme0n1.*disk"):
        find_disk("/dev/nvme0n1p3", machine("nvme-and-sata"))


def test_a_path_to_a_multipath_disk_is_not_taken_for_a_disk(machine: Machine) -> None:
    with pytest.raises(NotFoundError, match=r"/dev/sdb is one of the paths to /dev/mapper/mpatha"):
        find_disk("/dev/sdb", machine("multipath"))
    assert find_disk("36000000000000001", machine("multipath")).number == 2


def test_a_volume_group_by_its_names(machine: Machine) -> None:
    disks = machine("lvm")
    for spec in ("5", "/dev/vg-data", "LABEL=home", "data00-0000-0000-0000-0000-0000-000002"):
        assert str(find_disk(spec, disks).path) == "/dev/vg-data"
    assert find_partition(disks[4], "/dev/vg-data/root").number == 3


def test_a_filesystem_without_a_table_names_its_disk(machine: Machine) -> None:
    disks = machine("usb-first-4kn-lvm")
    assert find_disk("LABEL=bare", disks).number == 2
    twice = (replace(disks[0], label="bare"), disks[1])
    with pytest.raises(NotFoundError, match=r"ambiguous: /dev/sdb, /dev/vda have it"):
        find_disk("LABEL=bare", twice)


def test_a_label_that_two_partitions_have_is_ambiguous(machine: Machine) -> None:
    with pytest.raises(
        NotFoundError, match="ambiguous: partition 1 of /dev/sda, partition 1 of /dev/sdb have it"
    ):
        find_disk("LABEL=DATA", machine("two-equal-models"))


def test_a_serial_that_two_disks_have_is_ambiguous(machine: Machine) -> None:
    disks = machine("same-serial-damaged")
    for spec in ("DD56419883891", disks[0].pinned):
        with pytest.raises(NotFoundError, match="ambiguous: /dev/sda, /dev/sdb all have it"):
            find_disk(spec, disks)


def test_a_small_number_is_never_a_serial(machine: Machine) -> None:
    first, second = machine("two-equal-models")
    disks = (first, replace(second, serial="7"), replace(second, number=3, serial="1234567"))
    with pytest.raises(NotFoundError, match="no disk 7"):
        find_disk("7", disks)
    assert find_disk("1234567", disks).number == 3


def test_two_disks_of_one_model_are_told_apart(machine: Machine) -> None:
    first, second = machine("two-equal-models")
    assert first.model == second.model
    assert first.pinned != second.pinned
    for disk in (first, second):
        assert find_disk(disk.pinned, (first, second)) is disk
        assert find_disk(disk.stable, (first, second)) is disk


def test_the_names_of_a_partition(machine: Machine) -> None:
    disk = machine("nvme-and-sata")[1]
    assert find_partition(disk, 3).label == "root"
    assert find_partition(disk, "3").number == 3
    assert find_partition(disk, "LABEL=root").number == 3
    assert find_partition(disk, "/dev/nvme0n1p3").number == 3
    with pytest.raises(NotFoundError, match=r"has no partition 5.*1 \(EFI\)"):
        find_partition(disk, 5)
    assert find_tagged("LABEL=CACHE", machine("nvme-and-sata"))[1].number == 4


@pytest.mark.parametrize(
    ("disk", "name"),
    [
        ({"number": 1, "serial": "S5GX", "wwn": "0x5"}, "1@S5GX"),
        ({"number": 2, "wwn": "0x5000c5"}, "2@0x5000c5"),
        ({"number": 3, "serial": "WD 12 34"}, "3@WD_12_34"),
        ({"number": 4}, "4"),
        ({"number": 0}, "/dev/x"),
    ],
)
def test_the_name_for_a_saved_task(disk: dict[str, object], name: str) -> None:
    bare = Disk(number=0, path=Path("/dev/x"), size_bytes=1024, table=TableKind.NONE)
    made = replace(bare, **disk)  # type: ignore[arg-type]
    assert made.pinned == name
    if made.number:
        assert find_disk(name, [made]) is made


def test_a_saved_number_that_means_another_disk_is_refused(machine: Machine) -> None:
    sata, nvme = machine("nvme-and-sata")
    exchanged = (replace(nvme, number=1), replace(sata, number=2))
    with pytest.raises(
        NotFoundError,
        match=r"Disk 1 was ZN1ABCDE .* disk 1 is now /dev/nvme0n1 \(Samsung.*S5GXNX0R123456, "
        r"and ZN1ABCDE is now disk 2: /dev/sda",
    ):
        find_disk(sata.pinned, exchanged)
    # the serial alone goes with the disk
    assert find_disk(sata.stable, exchanged).path == sata.path


def test_a_saved_disk_that_is_gone_is_refused(machine: Machine) -> None:
    sata, nvme = machine("nvme-and-sata")
    with pytest.raises(NotFoundError, match=r"disk 1 is now /dev/sda.*S1 is not here"):
        find_disk("1@S1", (sata, nvme))
    with pytest.raises(NotFoundError, match="there is no disk 2 now, and S5GXNX0R123456 is not"):
        find_disk(nvme.pinned, (sata,))


@pytest.mark.parametrize("spec", ["", " ", "\n"])
def test_an_empty_name_is_no_disk_even_where_there_is_only_one(spec: str) -> None:
    only = Disk(1, Path("/tmp/a.img"), 1 << 30, TableKind.NONE)
    with pytest.raises(UsageError, match="empty"):
        find_disk(spec, [only])


def test_a_number_without_end_is_no_disk() -> None:
    only = Disk(1, Path("/tmp/a.img"), 1 << 30, TableKind.NONE)
    for spec in ("9" * 5000, "9" * 5000 + "@x"):
        with pytest.raises(NotFoundError, match="no disk"):
            find_disk(spec, [only])
    assert find_disk("01", [only]) is only
