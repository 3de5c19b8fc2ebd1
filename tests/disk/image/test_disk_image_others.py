# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks of other programs and of other shapes: Clonezilla, FOG, raw copies, 4096 byte sectors."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from disk.image.whole_disks import (
    DISK_BYTES,
    Rows,
    as_clonezilla,
    as_fog,
    blank,
    loop,
    made_disk,
    said,
    seen,
    size_of_filesystem,
)
from oglib.deploy.whole_disk.capture import create_disk
from oglib.deploy.whole_disk.image import is_whole, opened_whole, whole_info
from oglib.deploy.whole_disk.plan import DiskWishes
from oglib.deploy.whole_disk.receipt import DiskReceipt
from oglib.deploy.whole_disk.restore import restore_disk
from oglib.disk.find import find_partition
from oglib.disk.firmware import running_firmware
from oglib.disk.loop import partition_device
from oglib.disk.model import MIB
from oglib.disk.probe import probe_target
from oglib.errors import ImageError, OgErr, OgError
from oglib.settings import Settings
from quiet import QUIET

SETTINGS = Settings()
ANY = DiskWishes(other_firmware=True)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")


def put_back(image: Path, target: Path, options: DiskWishes = ANY) -> DiskReceipt:
    return restore_disk(str(image), str(target), options, settings=SETTINGS, progress=QUIET)


def capture(disk: Path, folder: Path, name: str = "a") -> Path:
    folder.mkdir(exist_ok=True)
    made = create_disk(str(disk), name, destination=str(folder), settings=SETTINGS, progress=QUIET)
    return Path(made.where)


def test_the_folder_of_clonezilla(msdos: Path, tmp_path: Path) -> None:
    folder = as_clonezilla(msdos, tmp_path / "clonezilla")
    assert is_whole(str(folder), SETTINGS)
    assert whole_info(str(folder), SETTINGS).tool == "clonezilla"
    target = blank(tmp_path / "target")
    receipt = put_back(folder, target)
    assert receipt.verified == "read-back"
    assert len([text for text in receipt.warnings if "not signed" in text]) == 1
    assert seen(target) == seen(msdos)


def test_the_folder_of_clonezilla_on_a_larger_disk(msdos: Path, tmp_path: Path) -> None:
    folder = as_clonezilla(msdos, tmp_path / "clonezilla")
    target = blank(tmp_path / "target", DISK_BYTES + 64 * MIB)
    put_back(folder, target)
    assert size_of_filesystem(target, 6) >= size_of_filesystem(msdos, 6) + 60 * MIB
    assert seen(target).files == seen(msdos).files


def test_a_cut_image_in_a_foreign_folder_costs_no_table(msdos: Path, tmp_path: Path) -> None:
    """The last partition's image ends too early: nothing of the disk is lost for that."""
    folder = as_clonezilla(msdos, tmp_path / "clonezilla")
    last = max(folder.glob("*.zst.aa"))
    with last.open("r+b") as file:
        file.truncate(last.stat().st_size - 1000)
    target = blank(tmp_path / "target")
    with target.open("r+b") as file:
        file.write(b"what was there" * 1000)
    before = target.read_bytes()
    with pytest.raises(ImageError):
        put_back(folder, target)
    assert target.read_bytes() == before


def test_the_folder_of_fog(gpt: Path, tmp_path: Path) -> None:
    """FOG keeps neither boot code nor the content of a BIOS boot partition."""
    folder = as_fog(gpt, tmp_path / "fog")
    assert whole_info(str(folder), SETTINGS).tool == "fog"
    target = blank(tmp_path / "target")
    put_back(folder, target)
    here, there = seen(target), seen(gpt)
    # nor the label of swap
    assert here.signatures[:2] == there.signatures[:2]
    assert [one.uuid for one in here.signatures] == [one.uuid for one in there.signatures]
    nothing = replace(here, front=b"", signatures=())
    assert nothing == replace(there, front=b"", signatures=())


def test_a_folder_without_one_of_its_files_is_refused_unwritten(
    msdos: Path, tmp_path: Path
) -> None:
    folder = as_clonezilla(msdos, tmp_path / "clonezilla")
    image = next(folder.glob("sda1.*"))
    image.write_bytes(image.read_bytes()[:1000])
    target = blank(tmp_path / "target")
    with pytest.raises(OgError):
        put_back(folder, target)
    assert target.stat().st_blocks == 0


def test_the_raw_copy_of_a_disk(gpt: Path, tmp_path: Path) -> None:
    """OpenGnsys' .dsk; on a larger disk the second GPT moves to its end."""
    copy = tmp_path / "old.dsk"
    with copy.open("wb") as file:
        subprocess.run(["lzop", "-c", gpt], stdout=file, check=True)
    assert is_whole(str(copy), SETTINGS)
    target = blank(tmp_path / "target", DISK_BYTES + 64 * MIB)
    receipt = put_back(copy, target)
    assert receipt.after == ("both copies of the GPT written for a disk of this size",)
    assert "No problems found" in said("sgdisk", "-v", target)
    assert seen(target) == seen(gpt)


def test_sectors_of_4096_bytes(tmp_path: Path) -> None:
    rows: Rows = [{"type": "LINUX", "size": "80MiB"}, {"type": "LINUX-SWAP", "size": "16MiB"}]
    with (
        loop(blank(tmp_path / "file", 128 * MIB), 4096) as one,
        loop(blank(tmp_path / "other", 128 * MIB), 4096) as two,
    ):
        made_disk(one, "msdos", rows)
        image = capture(one, tmp_path / "images")
        put_back(image, two)
        assert seen(two) == seen(one)
        with pytest.raises(OgError, match="sectors of 4096"):
            put_back(image, blank(tmp_path / "small"))


def test_what_cannot_be_captured_is_named_before_anything_is_written(
    gpt: Path, tmp_path: Path
) -> None:
    target = tmp_path / "disk"
    said("cp", "--sparse=always", gpt, target)
    disk = probe_target(target)
    with partition_device(disk, find_partition(disk, 3)) as device:
        said("wipefs", "--all", device)
        argv = ["cryptsetup", "luksFormat", "--batch-mode", "--pbkdf=pbkdf2"]
        quick = ["--pbkdf-force-iterations=1000", str(device), "-"]
        subprocess.run([*argv, *quick], input=b"secret", check=True)
    with pytest.raises(OgError, match=r"Partition 3 of .* is encrypted") as raised:
        capture(target, tmp_path / "images")
    assert raised.value.code is OgErr.PARTITION
    assert list((tmp_path / "images").iterdir()) == []


def test_the_other_firmware_needs_a_word(msdos: Path, gpt: Path, tmp_path: Path) -> None:
    """A disk with boot code alone is for a BIOS, one with an ESP alone for UEFI."""
    esp = tmp_path / "esp"
    said("cp", "--sparse=always", gpt, esp)
    with esp.open("r+b") as file:
        file.write(bytes(440))
    bios = running_firmware() == "bios"
    image = capture(esp if bios else msdos, tmp_path / "images")
    with opened_whole(str(image), SETTINGS) as whole:
        assert whole.firmware == ("uefi" if bios else "bios")
    target = blank(tmp_path / "target")
    with pytest.raises(OgError, match="--other-firmware") as raised:
        put_back(image, target, DiskWishes())
    assert raised.value.code is (OgErr.NOTUEFI if bios else OgErr.NOTBIOS)
    assert target.stat().st_blocks == 0
    # partitions alone ask no firmware of the table
    with pytest.raises(OgError, match="has no partition"):
        restore_disk(str(image), str(target), ANY, numbers=[3], settings=SETTINGS, progress=QUIET)
