# SPDX-License-Identifier: GPL-3.0-or-later
"""A table comes back byte for byte on a disk of the same size, and loses nothing on another one.

The partitions hold a few raw bytes, as BIOS boot partitions do: what is compared is the table.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from disk.image.whole_disks import blank, loop, said
from oglib.deploy.whole_disk.capture import create_disk
from oglib.deploy.whole_disk.ours import imaged_disk_of
from oglib.deploy.whole_disk.plan import DiskWishes
from oglib.deploy.whole_disk.restore import restore_disk
from oglib.deploy.whole_disk.verify import verify_disk
from oglib.disk.model import MIB, TableKind
from oglib.disk.planning.layout import layout_from
from oglib.disk.planning.plan import plan_layout
from oglib.disk.probe import probe_target
from oglib.disk.tables import gpt, mbr
from oglib.disk.tables.exact import read_exact
from oglib.disk.writing.table import apply_table, repair_table
from oglib.errors import ImageError, PartitionError
from oglib.image.format.disk_gaps import packed_table
from oglib.image.format.disk_manifest import DiskManifest
from oglib.settings import Settings
from quiet import QUIET

SETTINGS = Settings()
ANY = DiskWishes(other_firmware=True)
SIZE = 24 * MIB
NAMES = {1: "😀 Daten", 130: 'a "quoted" \\ name', 200: "recuperación"}
HALF_A_PAIR = b"\x3d\xd8x\0"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices")


def write_at(path: Path, offset: int, raw: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(raw)


def copy_of(path: Path, sector: int = 512) -> gpt.Copy:
    raw = path.read_bytes()
    found = gpt.read_copy(lambda at, size: raw[at : at + size], 1, len(raw) // sector, sector)
    assert isinstance(found, gpt.Copy)
    return found


def with_odd_name(path: Path, sector: int = 512) -> None:
    """A name that is no UTF-16 into partition 2 of both copies."""
    copy = copy_of(path, sector)
    raw = bytearray(copy.raw_entries)
    raw[128 + 56 : 256] = HALF_A_PAIR.ljust(72, b"\0")
    odd = replace(copy, raw_entries=bytes(raw))
    laid = gpt.laid_out(odd, path.stat().st_size // sector, sector)
    for at, content in (*laid.primary, *laid.backup):
        write_at(path, at * sector, content)


def odd_gpt(path: Path) -> Path:
    """256 entries, numbers above 128, a hybrid MBR, odd names, a flag on the protective row."""
    blank(path, SIZE)
    places = {1: (2048, 8191), 2: (8192, 12287), 130: (12288, 16383), 200: (20480, 24575)}
    words = ["-S", "256"]
    for number, (first, last) in places.items():
        words += [f"-n{number}:{first}:{last}", f"-c{number}:{NAMES.get(number, 'two')}"]
    said("sgdisk", *words, "-t200:2700", "-A200:set:60", "-h1", path)
    with_odd_name(path)
    write_at(path, 446, b"\x80")
    for first, _ in places.values():
        write_at(path, first * 512, os.urandom(5000))
    write_at(path, 0, os.urandom(440))
    write_at(path, 70 * 512, b"behind the table")
    return path


def odd_msdos(path: Path) -> Path:
    """Logical partitions in no order, CHS values of an old BIOS, a recovery, a used mark."""
    blank(path, SIZE)
    first = bytearray(os.urandom(440) + b"\x11\x22\x33\x44\x5a\x5a" + bytes(66))
    rows = [
        (0x80, b"\x01\x01\x00", 0x07, b"\xfe\x3f\x07", 63, 8000),
        (0x00, b"\x00\x01\x09", 0x0F, b"\xfe\xff\xff", 10240, 30000),
        (0x00, b"\xaa\xbb\xcc", 0x27, b"\xdd\xee\xff", 40960, 4096),
    ]
    for at, row in enumerate(rows):
        struct.pack_into("<B3sB3sII", first, 446 + 16 * at, *row)
    first[510:] = b"\x55\xaa"
    write_at(path, 0, bytes(first))
    for at, length, link in ((0, 4000, 20000), (20000, 4000, 10000), (10000, 5000, 0)):
        table = bytearray(b"an old loader's code".ljust(446, b"\0") + bytes(64) + b"\x55\xaa")
        struct.pack_into("<B3sB3sII", table, 446, 0, b"\1\2\3", 0x83, b"\4\5\6", 63, length)
        if link:
            struct.pack_into("<B3sB3sII", table, 462, 0, b"", 0x05, b"", link, length + 63)
        write_at(path, (10240 + at) * 512, bytes(table))
        write_at(path, (10240 + at + 63) * 512, os.urandom(3000))
    write_at(path, 512, b"behind the table")
    return path


def captured(disk: Path, folder: Path) -> Path:
    made = create_disk(str(disk), "odd", destination=str(folder), settings=SETTINGS, progress=QUIET)
    return Path(made.where)


def put_back(image: Path, target: Path) -> None:
    restore_disk(str(image), str(target), ANY, settings=SETTINGS, progress=QUIET)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An odd disk with a GPT and its image; neither is changed."""
    folder = tmp_path_factory.mktemp("odd")
    disk = odd_gpt(folder / "disk")
    return disk, captured(disk, folder / "images")


@pytest.mark.parametrize(("make", "before"), [(odd_gpt, "msdos"), (odd_msdos, "gpt")])
def test_every_byte_comes_back(make: Callable[[Path], Path], before: str, tmp_path: Path) -> None:
    disk = make(tmp_path / "disk")
    image = captured(disk, tmp_path / "images")
    target = blank(tmp_path / "target", SIZE)
    rows = [{"type": "LINUX", "size": "4MiB"}, {"type": "LINUX", "size": "rest"}]
    layout = layout_from({"table": before, "partitions": rows})
    apply_table(plan_layout(layout, probe_target(target)))
    put_back(image, target)
    assert target.read_bytes() == disk.read_bytes()
    put_back(image, target)
    assert target.read_bytes() == disk.read_bytes()


def test_sectors_of_4096_bytes(tmp_path: Path) -> None:
    disk, target = blank(tmp_path / "disk", SIZE), blank(tmp_path / "target", SIZE)
    with loop(disk, 4096) as here, loop(target, 4096) as there:
        rows = [{"type": "BIOS-BOOT", "size": "1MiB"}, {"type": "LINUX", "size": "4MiB"}]
        layout = layout_from({"table": "gpt", "partitions": rows})
        apply_table(plan_layout(layout, probe_target(here)))
    with_odd_name(disk, 4096)
    write_at(disk, 446, b"\x80")
    with loop(disk, 4096) as here, loop(target, 4096) as there:
        put_back(captured(here, tmp_path / "images"), there)
    assert target.read_bytes() == disk.read_bytes()


@pytest.mark.parametrize("more", [8 * MIB + 512, -512 * 100])
def test_on_another_size_nothing_is_lost(odd: tuple[Path, Path], more: int, tmp_path: Path) -> None:
    disk, image = odd
    target = blank(tmp_path / "target", SIZE + more)
    put_back(image, target)
    there, here = copy_of(target), copy_of(disk)
    assert there.raw_entries == here.raw_entries
    assert there.guid == here.guid
    assert probe_target(target).damage == ()
    first, was = target.read_bytes()[:512], disk.read_bytes()[:512]
    assert first == was  # a hybrid's protective row ends where its first partition begins
    assert "No problems" in said("sgdisk", "-v", target)
    names = {part.number: part.name for part in probe_target(target).partitions}
    assert names == NAMES | {2: "\ufffdx"}


def test_a_single_bit_is_told(odd: tuple[Path, Path], tmp_path: Path) -> None:
    disk, image = odd
    target = Path(shutil.copy(disk, tmp_path / "target"))

    def rows() -> list[str]:
        found = verify_disk(str(image), str(target), settings=SETTINGS, progress=QUIET)
        return [row.said for row in found.rows if row.outcome not in ("same", "not compared")]

    assert rows() == []
    write_at(target, 446, b"\0")
    assert rows() == ["byte 446 of the disk is another one than in the image"]


def test_chs_values_are_told_and_are_no_difference(odd: tuple[Path, Path], tmp_path: Path) -> None:
    """Clonezilla's sfdisk makes them of the geometry that its kernel tells, not of the image's."""
    disk, image = odd
    target = Path(shutil.copy(disk, tmp_path / "target"))
    write_at(target, 447, b"\x0a\x0b\x0c")
    write_at(target, 446 + 16 + 5, b"\x0d\x0e\x0f")
    found = verify_disk(str(image), str(target), settings=SETTINGS, progress=QUIET)
    assert found.first_difference is None
    (table,) = (row for row in found.rows if row.what == "table")
    assert "other CHS values" in table.said


def test_an_image_without_the_sectors_is_restored_as_before(
    odd: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oglib.deploy.whole_disk.capture.packed_table", lambda _: ((), b""))
    disk = odd[0]
    image = captured(disk, tmp_path / "images")
    assert "table_bytes" not in (image / "disk.json").read_text()
    target = blank(tmp_path / "target", SIZE)
    put_back(image, target)
    there, here = copy_of(target), copy_of(disk)
    assert (there.entries, there.types, there.marks) == (here.entries, here.types, here.marks)
    assert there.names == here.names


def test_boot_code_waits_for_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also libparted's own, with which it fills a table that it makes."""
    disk = odd_msdos(tmp_path / "disk")
    monkeypatch.setattr("oglib.deploy.whole_disk.restore.write_gaps", lambda *_: None)
    for packed in (packed_table, lambda _: ((), b"")):
        monkeypatch.setattr("oglib.deploy.whole_disk.capture.packed_table", packed)
        target = blank(tmp_path / "target", SIZE)
        put_back(captured(disk, tmp_path / "images"), target)
        assert not any(target.read_bytes()[:440])
        assert probe_target(target).partitions == probe_target(disk).partitions


def test_sectors_of_another_table_are_refused(odd: tuple[Path, Path], tmp_path: Path) -> None:
    disk, image = odd
    other = Path(shutil.copy(disk, tmp_path / "other"))
    said("sgdisk", "-d2", other)
    raw = other.read_bytes()
    exact = read_exact(lambda at, size: raw[at : at + size], TableKind.GPT, SIZE, 512)
    manifest = DiskManifest.from_bytes((image / "disk.json").read_bytes())
    with pytest.raises(ImageError, match="partition 2 is None, not"):
        imaged_disk_of(manifest, exact.stretches)
    with pytest.raises(ImageError, match=r"is not the one that disk\.json describes"):
        imaged_disk_of(manifest, exact.stretches[:-1])


def test_a_raw_copy_of_a_hybrid(odd: tuple[Path, Path], tmp_path: Path) -> None:
    disk = odd[0]
    same, larger = blank(tmp_path / "same", SIZE), blank(tmp_path / "larger", SIZE + 8 * MIB)
    put_back(disk, same)
    assert same.read_bytes() == disk.read_bytes()
    put_back(disk, larger)
    assert larger.read_bytes()[:512] == disk.read_bytes()[:512]
    assert copy_of(larger).raw_entries == copy_of(disk).raw_entries
    assert "No problems" in said("sgdisk", "-v", larger)


def test_a_raw_copy_of_a_damaged_table_stays_as_it_is(
    odd: tuple[Path, Path], tmp_path: Path
) -> None:
    disk = Path(shutil.copy(odd[0], tmp_path / "disk.img"))
    write_at(disk, SIZE - 512, bytes(512))
    target = blank(tmp_path / "target", SIZE)
    receipt = restore_disk(str(disk), str(target), ANY, settings=SETTINGS, progress=QUIET)
    assert target.read_bytes() == disk.read_bytes()
    assert any("as odd as the image's: The backup GPT" in text for text in receipt.warnings)


@pytest.mark.parametrize("torn", [False, True])
def test_clonezillas_sectors(torn: bool, tmp_path: Path) -> None:
    disk = blank(tmp_path / "disk", SIZE)
    said("sgdisk", "-n1:2048:8191", "-c1:😀 Daten", "-n5:8192:12287", "-A5:set:60", disk)
    write_at(disk, 446, b"\x80")
    folder = tmp_path / "clonezilla"
    folder.mkdir()
    dump = said("sfdisk", "--dump", disk).replace(str(disk), "/dev/sda")
    raw = disk.read_bytes()
    texts = {"disk": "sda\n", "parts": "sda1\n", "clonezilla-img": "a log\n", "sda-pt.sf": dump}
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "sda-mbr").write_bytes(raw[:512])
    (folder / "sda-gpt-1st").write_bytes(raw[: 34 * 512])
    (folder / "sda-gpt-2nd").write_bytes(raw[-33 * 512 :][: 100 if torn else None])
    (folder / "sda1.dd-img.aa").write_bytes(raw[2048 * 512 : 8192 * 512])
    target = blank(tmp_path / "target", SIZE)
    put_back(folder, target)
    there, here = copy_of(target), copy_of(disk)
    assert (there.entries, there.types, there.marks) == (here.entries, here.types, here.marks)
    assert (target.read_bytes() == raw) is not torn


def test_a_hybrid_is_kept_or_refused(odd: tuple[Path, Path], tmp_path: Path) -> None:
    disk = Path(shutil.copy(odd[0], tmp_path / "disk"))
    before, first = copy_of(disk), disk.read_bytes()[:512]
    there = probe_target(disk)
    assert there.damage == ()
    assert there.hybrid == ((2048 * 512, 6144 * 512),)
    keep = [
        {"keep": True, "partuuid": part.partuuid} for part in there.partitions if part.number != 2
    ]
    layout = layout_from({"table": "gpt", "partitions": keep})
    apply_table(plan_layout(layout, there))
    after = copy_of(disk)
    assert [entry.number for entry in after.entries] == [1, 130, 200]
    for number in (1, 130, 200):
        at = (number - 1) * 128
        assert after.raw_entries[at : at + 128] == before.raw_entries[at : at + 128]
    assert disk.read_bytes()[:512] == first
    whole = disk.read_bytes()
    layout = layout_from({"table": "gpt", "partitions": keep[1:]})
    with pytest.raises(PartitionError, match="hybrid MBR, which names partition 1"):
        plan_layout(layout, probe_target(disk))
    assert disk.read_bytes() == whole
    new = layout_from({"table": "gpt", "partitions": [{"type": "LINUX", "size": "4MiB"}]})
    apply_table(plan_layout(new, probe_target(disk), replace_damaged=True))
    assert mbr.hybrid_rows(disk.read_bytes()[:512]) == ()


def test_the_repair_of_a_hybrid_keeps_both_tables(odd: tuple[Path, Path], tmp_path: Path) -> None:
    disk = Path(shutil.copy(odd[0], tmp_path / "disk"))
    whole = disk.read_bytes()
    write_at(disk, 512, bytes(512))
    repair_table(probe_target(disk))
    assert copy_of(disk).raw_entries == gpt_entries(whole)
    assert disk.read_bytes()[:512] == whole[:512]


def gpt_entries(raw: bytes) -> bytes:
    found = gpt.read_copy(lambda at, size: raw[at : at + size], 1, len(raw) // 512, 512)
    assert isinstance(found, gpt.Copy)
    return found.raw_entries


def test_a_repair_does_not_give_up_what_the_mbr_alone_names(
    odd: tuple[Path, Path], tmp_path: Path
) -> None:
    """An msdos table with the remains of a GPT behind it."""
    disk = Path(shutil.copy(odd[0], tmp_path / "disk"))
    row = struct.pack("<B3sB3sII", 0x80, b"", 0x83, b"", 2048, 20000)
    write_at(disk, 446, row.ljust(64, b"\0"))
    before = disk.read_bytes()
    with pytest.raises(PartitionError, match="the MBR names partitions that are not in the GPT"):
        repair_table(probe_target(disk))
    assert disk.read_bytes() == before
    assert probe_target(disk).table is TableKind.MSDOS
