# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that read disks, on image files partitioned by sfdisk and judged by sgdisk."""

from __future__ import annotations

from pathlib import Path

import pytest

from disk.shim.images import partitioned, tool
from oglib.disk.loop import attached
from oglib.errors import NotFoundError, OgErr, OgError, PartitionError, UsageError
from oglib.shim.disk_read import drivers_by_major
from unit.shim.old import Old, Ran, answer, answer_about

EFI = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
GPT = f"""label: gpt
1: size=8M, type={EFI}
2: size=16M, type=ebd0a0a2-b9e5-4433-87c0-68b6b72699c7, name="Basic data"
4: size=10M, type=e6d6d379-f507-44c2-a23c-238f2a3df928
6: size=20M, type=linux, name=CACHE, uuid=6F6F6F6F-0000-4000-8000-000000000006
"""
MSDOS = """label: dos
1: size=10M, type=7, bootable
2: size=40M, type=f
5: size=12M, type=83
6: size=4M, type=82
"""
GPT_LIST = "EFI:8192 WINDOWS:16384 EMPTY:0 LINUX-LVM:10240 EMPTY:0 CACHE:20480"


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Disk 1 msdos, 2 gpt, 3 without a table."""
    folder = tmp_path_factory.mktemp("disks")
    return [
        partitioned(folder / "msdos.img", MSDOS),
        partitioned(folder / "gpt.img", GPT),
        partitioned(folder / "empty.img", ""),
    ]


@pytest.fixture
def here(disks: list[Path], monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The same disks for commands run in this process."""
    monkeypatch.setenv("OG_DISKS", ":".join(str(disk) for disk in disks))
    return disks


@pytest.mark.proves("ogDiskToDev")
def test_all_disks_in_one_line(old: Old, disks: list[Path]) -> None:
    assert old("ogDiskToDev", disks=disks) == Ran(" ".join(map(str, disks)) + "\n", "", 0)


def test_one_disk(here: list[Path]) -> None:
    assert answer("ogDiskToDev", "2") == str(here[1])


@pytest.mark.refuses("ogDiskToDev")
def test_devices_that_are_not_there(old: Old, here: list[Path]) -> None:
    ran = old("ogDiskToDev", 4, disks=here)
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)
    with pytest.raises(NotFoundError, match="the disk is a file"):
        answer("ogDiskToDev", "1", "1")
    for words in (["0"], ["x"], ["1", "-1"], ["1", "2", "3"]):
        with pytest.raises(UsageError):
            answer("ogDiskToDev", *words)


@pytest.mark.proves("ogDevToDisk")
def test_numbers_of_a_device(old: Old, disks: list[Path]) -> None:
    tag = "PARTUUID=6f6f6f6f-0000-4000-8000-000000000006"
    assert old("ogDevToDisk", tag, disks=disks) == Ran("2 6\n", "", 0)


def test_numbers_by_path_name_and_link(here: list[Path], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(here[2])
    assert answer("ogDevToDisk", str(here[0])) == "1"
    assert answer("ogDevToDisk", str(tmp_path / "link")) == "3"
    assert answer("ogDevToDisk", "PARTLABEL=Basic data") == "2 2"


@pytest.mark.refuses("ogDevToDisk")
def test_a_device_of_no_disk(old: Old, here: list[Path]) -> None:
    ran = old("ogDevToDisk", "/dev/null", disks=here)
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)
    for name in ("LABEL=nothing", "LABEL=", "FOO=1"):
        with pytest.raises(NotFoundError):
            answer("ogDevToDisk", name)


def test_a_filesystem_on_a_whole_disk_is_found_by_its_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = partitioned(tmp_path / "bare.img", "", 4)
    tool("mkfs.ext4", "-q", "-F", "-L", "BARE", image)
    monkeypatch.setenv("OG_DISKS", str(image))
    assert answer("ogDevToDisk", "LABEL=BARE") == "1"


@pytest.mark.proves("ogGetDiskSize")
def test_size_of_a_disk(old: Old, disks: list[Path]) -> None:
    assert old("ogGetDiskSize", 1, disks=disks) == Ran("65536\n", "", 0)


@pytest.mark.refuses(
    "ogGetDiskSize",
    "ogGetPartitionActive",
    "ogGetPartitionsNumber",
    "ogGetPartitionTableType",
    "ogListPartitions",
    "ogListPrimaryPartitions",
)
def test_a_disk_that_is_not_there(old: Old, here: list[Path]) -> None:
    ran = old("ogGetDiskSize", 9, disks=here)
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)
    for name in (
        "ogGetPartitionActive",
        "ogGetPartitionsNumber",
        "ogGetPartitionTableType",
        "ogListPartitions",
        "ogListPrimaryPartitions",
    ):
        with pytest.raises(NotFoundError):
            answer(name, "9")
        with pytest.raises(UsageError):
            answer(name, "1", "2", "3")


@pytest.mark.proves("ogGetDiskType")
def test_kind_of_a_device(old: Old, disks: list[Path]) -> None:
    with attached(disks[0]) as loop:
        assert old("ogGetDiskType", loop) == Ran("LOOP\n", "", 0)
    assert answer("ogGetDiskType", str(disks[0])) == "FILE"


def test_drivers_are_known_by_their_major_number() -> None:
    text = "Character devices:\n  8 fake\n\nBlock devices:\n  8 sd\n253 device-mapper\n259 blkext\n"
    assert drivers_by_major(text) == {"8": "sd", "253": "device-mapper", "259": "blkext"}


@pytest.mark.refuses("ogGetDiskType")
def test_kind_of_what_is_no_disk(old: Old) -> None:
    ran = old("ogGetDiskType", "/dev/null")
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)
    with pytest.raises(NotFoundError):
        answer("ogGetDiskType", "/dev/there/is/none")


@pytest.mark.proves("ogGetEsp")
def test_the_esp(old: Old, disks: list[Path]) -> None:
    assert old("ogGetEsp", disks=disks) == Ran("2 1\n", "", 0)
    assert old("ogGetEsp", disks=disks[:1]) == Ran("", "", 0)


@pytest.mark.refuses("ogGetEsp")
def test_the_esp_takes_no_argument(old: Old, disks: list[Path]) -> None:
    ran = old("ogGetEsp", 2, disks=disks)
    assert (ran.stdout, ran.status) == ("", OgErr.FORMAT)


@pytest.mark.proves("ogGetLastSector")
def test_last_sectors(old: Old, here: list[Path]) -> None:
    said = tool("sgdisk", "-p", here[1])
    assert "last usable sector is 131038" in said
    assert old("ogGetLastSector", 1, disks=[here[1]]) == Ran("131038\n", "", 0)
    assert answer_about(here[0], "ogGetLastSector") == "131038"
    assert "Last sector: 18431 " in tool("sgdisk", "-i", "1", here[1])
    assert answer_about(here[1], "ogGetLastSector", "1") == "18431"


@pytest.mark.parametrize("script", [GPT, ""])
def test_last_sectors_of_4096_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    image = partitioned(tmp_path / "4k.img", "")
    with attached(image, sector_bytes=4096) as loop:
        if script:
            tool("sfdisk", "-q", "--no-tell-kernel", loop, stdin=script)
        monkeypatch.setenv("OG_DISKS", str(loop))
        assert answer("ogGetLastSector", "1") == "16378"
        assert "last usable sector is 16378" in tool("sgdisk", "-p", loop)
        if script:
            assert answer("ogGetLastSector", "1", "1") == "2303"
            assert "Last sector: 2303 " in tool("sgdisk", "-i", "1", loop)
            assert answer("ogListPartitions", "1") == GPT_LIST


@pytest.mark.refuses("ogGetLastSector", "ogGetPartitionId", "ogGetPartitionSize")
@pytest.mark.refuses("ogGetPartitionType")
def test_a_partition_that_is_not_there(old: Old, here: list[Path]) -> None:
    ran = old("ogGetPartitionSize", 1, 3, disks=[here[1]])
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)
    for name in ("ogGetLastSector", "ogGetPartitionId", "ogGetPartitionType"):
        with pytest.raises(NotFoundError):
            answer_about(here[1], name, "3")
        with pytest.raises(UsageError):
            answer_about(here[1], name, "zero")


@pytest.mark.proves("ogGetPartitionActive")
def test_the_active_partition(old: Old, here: list[Path]) -> None:
    assert old("ogGetPartitionActive", 1, disks=[here[0]]) == Ran("1\n", "", 0)
    assert answer_about(here[1], "ogGetPartitionActive") == "1"
    assert answer_about(here[2], "ogGetPartitionActive") == ""


@pytest.mark.proves("ogGetPartitionId")
def test_type_codes(old: Old, here: list[Path]) -> None:
    assert old("ogGetPartitionId", 1, 6, disks=[here[1]]) == Ran("CA00\n", "", 0)
    assert [answer_about(here[0], "ogGetPartitionId", n) for n in "12"] == ["7", "f"]
    assert [answer_about(here[1], "ogGetPartitionId", n) for n in "24"] == ["0700", "8E00"]


@pytest.mark.proves("ogGetPartitionSize")
def test_size_of_a_partition(old: Old, disks: list[Path]) -> None:
    assert old("ogGetPartitionSize", 1, 5, disks=[disks[0]]) == Ran("12288\n", "", 0)


@pytest.mark.proves("ogGetPartitionsNumber")
def test_the_highest_number(old: Old, here: list[Path]) -> None:
    assert old("ogGetPartitionsNumber", 1, disks=[here[1]]) == Ran("6\n", "", 0)
    assert answer_about(here[2], "ogGetPartitionsNumber") == "0"


@pytest.mark.proves("ogGetPartitionTableType")
def test_the_kind_of_table(old: Old, here: list[Path]) -> None:
    assert old("ogGetPartitionTableType", 1, disks=[here[0]]) == Ran("MSDOS\n", "", 0)
    assert [answer_about(image, "ogGetPartitionTableType") for image in here[1:]] == [
        "GPT",
        "UNKNOWN",
    ]


@pytest.mark.proves("ogGetPartitionType")
def test_types_by_name(old: Old, here: list[Path]) -> None:
    assert old("ogGetPartitionType", 1, 4, disks=[here[1]]) == Ran("LINUX-LVM\n", "", 0)
    assert answer_about(here[0], "ogGetPartitionType", "2") == "EXTENDED"


@pytest.mark.proves("ogListPartitions")
def test_all_partitions(old: Old, here: list[Path]) -> None:
    assert old("ogListPartitions", 1, disks=[here[1]]) == Ran(GPT_LIST + "\n", "", 0)
    msdos = "NTFS:10240 EXTENDED:40960 EMPTY:0 EMPTY:0 LINUX:12288 LINUX-SWAP:4096"
    assert answer_about(here[0], "ogListPartitions") == msdos
    assert answer_about(here[2], "ogListPartitions") == ""


@pytest.mark.proves("ogListPrimaryPartitions")
def test_primary_partitions(old: Old, here: list[Path]) -> None:
    ran = old("ogListPrimaryPartitions", 1, disks=[here[0]])
    assert ran == Ran("NTFS:10240 EXTENDED:40960\n", "", 0)
    assert answer_about(here[1], "ogListPrimaryPartitions") == GPT_LIST


@pytest.mark.proves("ogListLogicalPartitions")
def test_logical_partitions(old: Old, disks: list[Path]) -> None:
    ran = old("ogListLogicalPartitions", 1, disks=[disks[0]])
    assert ran == Ran("LINUX:12288 LINUX-SWAP:4096\n", "", 0)


@pytest.mark.refuses("ogListLogicalPartitions")
def test_a_gpt_has_no_logical_partitions(old: Old, here: list[Path]) -> None:
    ran = old("ogListLogicalPartitions", 1, disks=[here[1]])
    assert (ran.stdout, ran.status) == ("", OgErr.PARTITION)
    with pytest.raises(PartitionError):
        answer_about(here[2], "ogListLogicalPartitions")


def test_a_disk_image_that_is_missing_is_told(disks: list[Path]) -> None:
    with pytest.raises(OgError, match=r"nowhere\.img.*OG_DISKS"):
        answer_about(disks[0].with_name("nowhere.img"), "ogListPartitions")
