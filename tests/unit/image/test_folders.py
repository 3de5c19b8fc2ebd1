# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of Clonezilla and FOG: which disks, which partitions, and what is not there."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path

import pytest

from oglib.disk.tables.gpt import Copy, laid_out
from oglib.errors import ImageError, UsageError
from oglib.image.reading.formats.folders.folder import describe_folder, folder_image, named_in
from oglib.image.reading.formats.folders.stored_gpt import gpt_of_first_sectors, gpt_of_sgdisk
from oglib.image.reading.stretch import pieces_of
from unit.image.synthetic import Partition

MIB = 1 << 20
LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"
MSR = "e3c9e316-0b5c-4db8-817d-f92df00215ae"
IMAGE = Partition(
    [True, False] * 8, 512, {at: bytes([at]) * 512 for at in range(0, 16, 2)}
).stream()
DOS = """label: dos
label-id: 0x12345678
device: /dev/sda
unit: sectors

/dev/sda1 : start=2048, size=2048, type=83
/dev/sda2 : start=4096, size=8192, type=5
/dev/sda5 : start=6144, size=2048, type=83
/dev/sda6 : start=8200, size=2048, type=82
"""


def folder(path: Path, **files: str | bytes) -> Path:
    """``sda_mbr`` is sda-mbr, ``sda1__img`` is sda1.img."""
    path.mkdir(exist_ok=True)
    for key, content in files.items():
        name = key.replace("__", ".").replace("_", "-")
        (path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def clonezilla(path: Path, **files: str | bytes) -> Path:
    usual: dict[str, str | bytes] = {
        "parts": "sda1 sda5\n", "disk": "sda\n", "sda_pt__sf": DOS, "sda1__ext4_ptcl_img": IMAGE,
        "sda5__ext4_ptcl_img": IMAGE, "swappt_sda6__info": 'UUID="1234"\nLABEL="s"\n',
    }  # fmt: skip
    return folder(path, **(usual | files))


def two_disks(path: Path) -> Path:
    files: dict[str, str | bytes] = {
        "sdb_pt__sf": DOS.replace("sda", "sdb"),
        "sdb1__ext4_ptcl_img": IMAGE,
    }
    return clonezilla(path, disk="sda sdb\n", parts="sda1 sda5 sdb1\n", **files)


def fog(path: Path, **files: str | bytes) -> Path:
    usual: dict[str, str | bytes] = {
        "d1__mbr": bytes(512), "d1__partitions": DOS, "d1p1__img": IMAGE, "d1p5__img": IMAGE,
        "d1__original__swapuuids": "6 1234abcd\n",
    }  # fmt: skip
    return folder(path, **(usual | files))


@pytest.mark.parametrize(
    ("word", "disk", "number"),
    [("sda1", "sda", 1), ("sdb1", "sdb", 1), ("5", "sda", 5), ("sda", "sda", 0), ("sdb", "sdb", 0)],
)
def test_a_name_means_its_own_disk(tmp_path: Path, word: str, disk: str, number: int) -> None:
    image, found = named_in(two_disks(tmp_path), word)
    assert (image.disk, found) == (disk, number)
    assert not number or image.parts[number].volumes[0].name.startswith(f"{disk}{number}.")


@pytest.mark.parametrize("word", ["1", "sdc1", "d2p1", "sdb5", "2", "nvme0n1p1", "sdb01", "../1"])
def test_any_other_name_is_refused_and_the_right_ones_are_said(tmp_path: Path, word: str) -> None:
    with pytest.raises(UsageError) as raised:
        named_in(two_disks(tmp_path), word)
    assert raised.value.hint == "It has: sda1 sda5 sdb1."
    assert ("is one of 2 disks" in raised.value.message) is (word == "1")


def test_the_second_disk_of_fog(tmp_path: Path) -> None:
    fog(tmp_path, d2__mbr=bytes(512), d2__partitions=DOS, d2p1__img=IMAGE)
    image, number = named_in(tmp_path, "d2p1")
    assert image.parts[number].volumes == (tmp_path / "d2p1.img",)
    assert named_in(tmp_path, "d2")[0].others == ("d1",)
    with pytest.raises(UsageError, match="sda1"):
        named_in(tmp_path, "sda1")


def test_info_names_every_disk(tmp_path: Path) -> None:
    told = describe_folder(two_disks(tmp_path)).as_dict()
    assert (told["disk"], told["disks"], told["left_out"]) == ("sda", ("sda", "sdb"), ())


def test_what_the_folder_does_not_hold_is_left_out(tmp_path: Path) -> None:
    assert folder_image(clonezilla(tmp_path)).left_out == ()
    (tmp_path / "sda5.ext4-ptcl-img").unlink()
    (tmp_path / "swappt-sda6.info").unlink()
    (tmp_path / "parts").write_text("sda1\n")
    found = folder_image(tmp_path)
    assert (found.left_out, found.lacking) == ((5, 6), ())
    assert folder_image(fog(tmp_path / "fog")).left_out == ()


def test_nothing_is_left_out_where_windows_keeps_nothing(tmp_path: Path) -> None:
    table = f"label: gpt\nlast-lba: 99\n/dev/sda1 : start=34, size=9, type={MSR.upper()}\n"
    assert folder_image(clonezilla(tmp_path, sda_pt__sf=table, parts="sda5\n")).left_out == ()


def test_a_file_that_the_list_names_and_nobody_has_is_damage(tmp_path: Path) -> None:
    clonezilla(tmp_path, parts="sda1 sda2 sda3 sda5 sda6\n")
    damage = describe_folder(tmp_path).damage
    assert "Partition 3 (sda3)" in damage  # 2 is extended, 6 is swap
    assert damage.count("Partition") == 1
    (tmp_path / "lvm_vg_dev.list").write_text("vg /dev/sda3 x1-y2\n")
    found = folder_image(tmp_path)
    assert (found.unserved, found.lacking) == (("sda3",), ())


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("sda1.dd-img.ab", "sda1.dd-img.ac"), "first volume of .*sda1.dd-img is missing"),
        (("sda1.001",), "first volume of .*sda1 is missing"),
        (("sda1.ext4-ptcl-img.gz", "sda1.ntfs-ptcl-img.gz.aa"), "2 images of sda1"),
    ],
)
def test_volumes_of_which_the_right_one_cannot_be_told(
    tmp_path: Path, names: tuple[str, ...], says: str
) -> None:
    clonezilla(tmp_path)
    (tmp_path / "sda1.ext4-ptcl-img").unlink()
    for name in names:
        (tmp_path / name).write_bytes(IMAGE)
    with pytest.raises(ImageError, match=says):
        folder_image(tmp_path)


def test_what_is_no_volume_is_none(tmp_path: Path) -> None:
    clonezilla(tmp_path, sda1__ext4_ptcl_img__torrent=b"x", sda1__info=b"x")
    assert folder_image(tmp_path).parts[1].volumes == (tmp_path / "sda1.ext4-ptcl-img",)


def test_an_encrypted_folder_is_called_so(tmp_path: Path) -> None:
    files = {"ecryptfs__info": 'disk_of_img="sda"\ntime_of_img="2024"\n'}
    folder(tmp_path, ECRYPTFS_FNEK=b"x", **files)
    assert "of sda is encrypted" in describe_folder(tmp_path).damage


SIZES = {
    "sda_pt__parted": (
        "Disk /dev/sda: 40960s\nSector size (logical/physical): 512B/4096B\n", 20 * MIB,
    ),
    "fdisk__list": (
        "Disk /dev/sdb: 9 MiB, 1 bytes\nDisk /dev/sda: 20 MB, 20971520 bytes\n", 20 * MIB,
    ),
    "blkdev__list": (
        "KNAME NAME SIZE TYPE\nsdb   sdb  9G   disk\nsda   sda  20.5M disk  QEMU\n",
        (20 * 20 + 11) * MIB // 20 // 512 * 512,  # up to 20.55 is shown so
    ),
}  # fmt: skip


@pytest.mark.parametrize("source", SIZES)
def test_the_disks_size_is_taken_from_who_tells_it(tmp_path: Path, source: str) -> None:
    text, size = SIZES[source]
    assert folder_image(clonezilla(tmp_path, **{source: text})).disk_bytes == size


def test_a_size_that_the_table_contradicts_is_none(tmp_path: Path) -> None:
    text = "Disk /dev/sda: 4096s\n"
    assert folder_image(clonezilla(tmp_path, sda_pt__parted=text)).disk_bytes == 0


def test_a_gpt_tells_its_disk_s_size(tmp_path: Path) -> None:
    """sfdisk: the last sector in use of a disk of 131072 and, with 4096 bytes, of 16384."""
    for sector, last in ((512, 131038), (4096, 16378)):
        table = (
            f"label: gpt\nlast-lba: {last}\nsector-size: {sector}\n\n/dev/sda1 : start=64, size=9\n"
        )
        assert folder_image(clonezilla(tmp_path, sda_pt__sf=table)).disk_bytes == 64 * MIB


def stored_gpt(sector: int) -> tuple[bytes, bytes]:
    """The first sectors of a disk of 64 MiB, and what sgdisk keeps of it."""
    entry = uuid.UUID(LINUX).bytes_le + uuid.uuid4().bytes_le + struct.pack("<QQQ", 64, 999, 0)
    entries = entry.ljust(128, b"\0").ljust(128 * 128, b"\0")
    usable = 2 + len(entries) // sector
    copy = Copy(1, 0, usable, 0, uuid.uuid4().bytes_le, 2, 128, entries)
    laid = laid_out(copy, 64 * MIB // sector, sector)
    first = bytearray((2 * sector) + len(entries))
    for at, raw in laid.primary:
        first[at * sector : at * sector + len(raw)] = raw
    header = laid.backup[-1][1]
    return bytes(first), bytes(512) + first[sector : sector + 512] + header[:512] + entries


@pytest.mark.parametrize("sector", [512, 4096])
def test_a_gpt_kept_in_a_file(sector: int) -> None:
    first, backup = stored_gpt(sector)
    for found in (gpt_of_first_sectors(first), gpt_of_sgdisk(backup)):
        assert found
        assert (found.sector_size, found.disk_bytes) == (sector, 64 * MIB)
        row = found.table.row(1)
        assert row
        assert (row.start, row.size, row.type) == (64, 936, LINUX)
    assert gpt_of_first_sectors(first[:-200] + b"x" * 200) is None or sector == 4096
    assert gpt_of_sgdisk(backup[:5000]) is None


PROTECTIVE = "# partition table of /dev/sda\nunit: sectors\n\n/dev/sda1 : start=1, size=99, Id=ee\n"


@pytest.mark.parametrize("dump", [None, "", PROTECTIVE, "nothing of a table\n"])
@pytest.mark.parametrize("file", ["sda-gpt-1st", "sda-gpt.gdisk"])
def test_the_gpt_of_a_folder_from_before_2015(tmp_path: Path, dump: str | None, file: str) -> None:
    clonezilla(tmp_path, sda_pt__sf=dump or "", parts="sda1\n")
    if dump is None:
        (tmp_path / "sda-pt.sf").unlink()
    (tmp_path / file).write_bytes(stored_gpt(512)[file.endswith("gdisk")])
    found = folder_image(tmp_path)
    assert found.table
    assert (found.table_label, found.table_dump, found.disk_bytes) == ("gpt", "", 64 * MIB)
    assert found.parts[1].size_bytes == 936 * 512


def test_a_protective_mbr_alone_is_no_table(tmp_path: Path) -> None:
    clonezilla(tmp_path, sda_pt__sf=PROTECTIVE, sda_gpt__gdisk=b"EFI PART" * 999)
    with pytest.raises(ImageError, match="holds no sound copy"):
        folder_image(tmp_path)
    assert "no sound copy" in describe_folder(tmp_path).damage


def test_a_gpt_beside_the_dump_of_an_msdos_table_is_not_looked_at(tmp_path: Path) -> None:
    found = folder_image(clonezilla(tmp_path, sda_gpt_1st=stored_gpt(512)[0]))
    assert (found.table_label, found.gpt, found.disk_bytes) == ("dos", None, 0)


def test_a_long_gap_is_not_read_before_it_is_needed(tmp_path: Path) -> None:
    clonezilla(tmp_path, sda_hidden_data_after_mbr=b"boot")
    hidden = tmp_path / "sda-hidden-data-after-mbr"
    with hidden.open("r+b") as file:
        file.truncate(1 << 30)
    gap = folder_image(tmp_path).gap
    assert gap
    assert len(gap) == 1 << 30
    pieces = pieces_of(gap)
    assert next(pieces) == b"boot".ljust(MIB, b"\0")
    with hidden.open("r+b") as file:
        file.truncate(2 * MIB)
    assert len(next(pieces)) == MIB
    with pytest.raises(ImageError, match="ends at byte 2097152"):
        next(pieces)
    assert b"".join(pieces_of(gap.first(4))) == b"boot"
    with hidden.open("r+b") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(ImageError, match="much too large"):
        folder_image(tmp_path)


def test_fog_keeps_all_before_the_first_partition_in_one_file(tmp_path: Path) -> None:
    fog(tmp_path, d1__mbr=b"c" * 512 + b"g" * 4 * MIB)
    found = folder_image(tmp_path)
    assert found.mbr == b"c" * 512
    assert found.gap
    assert b"".join(pieces_of(found.gap)) == b"g" * 4 * MIB


def test_fog_s_copy_of_a_gpt(tmp_path: Path) -> None:
    fog(tmp_path, d1__mbr=stored_gpt(512)[1], d1__partitions="")
    found = folder_image(tmp_path)
    assert (found.table_label, found.gap, found.disk_bytes) == ("gpt", None, 64 * MIB)


def test_fog_s_first_volume_has_the_image_s_name(tmp_path: Path) -> None:
    fog(
        tmp_path,
        d1p5__img=IMAGE[:4200],
        d1p5__img__001=IMAGE[4200:4300],
        d1p5__img__002=IMAGE[4300:],
    )
    found = folder_image(tmp_path)
    assert [one.name for one in found.parts[5].volumes] == [
        "d1p5.img", "d1p5.img.001", "d1p5.img.002",
    ]  # fmt: skip
    assert not found.info.damage
    assert found.info.volumes == 4
    stream = found.open_part(5, workers=1)
    assert sum(len(view) for region in stream.regions() for view in region.views) == 8 * 512
    stream.close()
    (tmp_path / "d1p5.img.001").unlink()
    assert "d1p5.img.001 is missing" in describe_folder(tmp_path).damage
