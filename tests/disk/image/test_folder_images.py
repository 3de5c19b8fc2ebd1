# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of Clonezilla and FOG as real disks: two in one, old ones, partly saved ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from disk.image.test_disk_image_others import put_back
from disk.image.whole_disks import (
    Rows,
    as_clonezilla,
    as_fog,
    blank,
    made_disk,
    said,
    seen,
    size_of_filesystem,
)
from oglib.__main__ import main
from oglib.deploy.whole_disk.comparison import Comparison
from oglib.deploy.whole_disk.verify import verify_disk
from oglib.disk.find import find_partition
from oglib.disk.loop import partition_device
from oglib.disk.model import MIB
from oglib.disk.probe import probe_target
from oglib.errors import ImageError
from oglib.filesystem.make import format_filesystem
from oglib.settings import Settings
from quiet import QUIET

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")
ROOM: Rows = [{"type": "LINUX", "size": "40MiB"}, {"type": "LINUX-SWAP", "size": "16MiB"}]


def content(path: Path, number: int) -> bytes:
    part = find_partition(probe_target(path), number)
    with path.open("rb") as file:
        file.seek(part.start_bytes)
        return file.read(part.size_bytes)


def told_size(path: Path, folder: Path) -> Path:
    """What Clonezilla keeps of ``parted``, which tells the disk's size."""
    text = said("parted", "--script", path, "unit", "s", "print").replace(str(path), "/dev/sda")
    (folder / "sda-pt.parted").write_text(text)
    return folder


def leave_out(folder: Path, *numbers: int) -> None:
    """As if those partitions had not been saved."""
    words = (folder / "parts").read_text().split()
    for number in numbers:
        for file in [*folder.glob(f"sda{number}.*"), *folder.glob(f"swappt-sda{number}.*")]:
            file.unlink()
        words = [word for word in words if word != f"sda{number}"]
    (folder / "parts").write_text(" ".join(words) + "\n")


def test_two_disks_in_one_folder(
    msdos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = as_clonezilla(msdos, tmp_path / "both")
    other_disk = made_disk(tmp_path / "other", "msdos", ROOM, 64 * MIB)
    other = as_clonezilla(other_disk, tmp_path / "second")
    for file in other.glob("*sda*"):
        text = file.read_bytes().replace(b"/dev/sda", b"/dev/sdb") if "pt.sf" in file.name else None
        target = folder / file.name.replace("sda", "sdb")
        shutil.copy(file, target)
        if text:
            target.write_bytes(text)
    (folder / "disk").write_text("sda sdb\n")
    (folder / "parts").write_text("sda1 sda6 sdb1\n")
    target = blank(tmp_path / "target")
    assert main(["image", "info", str(folder)]) == 0
    assert f"other disks  {folder}/sdb" in capsys.readouterr().out
    for words in (["--dry-run"], ["--yes", "--other-firmware"]):
        main(["image", "restore", str(folder), str(target), "--other-firmware", *words])
        assert f"leave out the disk sdb of this folder: `og image restore {folder}/sdb DISK`" in (
            capsys.readouterr().out
        )
    assert seen(target).files == seen(msdos).files
    rows = verify_disk(str(folder), str(target), settings=Settings(), progress=QUIET).rows
    assert rows[-1].what == "disk sdb"
    second = blank(tmp_path / "target2", 64 * MIB)
    receipt = put_back(folder / "sdb", second)
    assert receipt.changes[-1].startswith("leave out the disk sda of this folder")
    assert seen(second).files == seen(other_disk).files
    assert main(["image", "info", str(folder / "sdb1"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["required_bytes"] == find_partition(probe_target(other_disk), 1).size_bytes
    assert main(["image", "info", str(folder / "1"), "--json"]) != 0
    assert "one of 2 disks" in capsys.readouterr().err


def test_a_folder_named_from_the_current_one(
    msdos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are files, never names that a repository is asked for."""
    as_clonezilla(msdos, tmp_path / "lab")
    monkeypatch.chdir(tmp_path)
    target = str(blank(tmp_path / "target"))
    words = ["image", "restore", "./lab", target, "--other-firmware"]
    assert main([*words, "--dry-run"]) == 0
    assert main([*words, "--yes"]) == 0


def test_what_was_not_saved_stays_with_its_content(gpt: Path, tmp_path: Path) -> None:
    """The ESP too, whose loader is not disarmed then."""
    folder = as_clonezilla(gpt, tmp_path / "folder")
    leave_out(folder, 2, 4)
    target = tmp_path / "target"
    said("cp", "--sparse=always", gpt, target)
    with partition_device(disk := probe_target(target), find_partition(disk, 3)) as place:
        format_filesystem(place, "ext4", label="another")
    receipt = put_back(folder, target)
    stays = {text[:16] for text in receipt.changes if text.startswith("keep")}
    assert stays >= {"keep partition 2", "keep partition 4"}
    for number in (2, 4):
        assert content(target, number) == content(gpt, number)
    assert seen(target).files == seen(gpt).files
    rows = verify_disk(str(folder), str(target), settings=Settings(), progress=QUIET).rows
    outcomes = {row.what: row.outcome for row in rows}
    assert outcomes["partition 2"] is Comparison.NOT_COMPARED
    assert outcomes["table"] is Comparison.SAME


def test_what_was_not_saved_is_said_to_be_lost_where_it_is_not_there(
    gpt: Path, msdos: Path, tmp_path: Path
) -> None:
    folder = as_clonezilla(gpt, tmp_path / "folder")
    leave_out(folder, 2)
    said("cp", "--sparse=always", msdos, tmp_path / "target")
    changes = put_back(folder, tmp_path / "target").changes
    text = next(one for one in changes if one.startswith("create partition 2"))
    assert text.endswith("its content is not in the image, and that of partition 1 here is lost")


def test_a_disk_with_room_behind_comes_back_as_it_was(tmp_path: Path) -> None:
    disk = made_disk(tmp_path / "disk", "msdos", ROOM, 128 * MIB)
    folder = told_size(disk, as_clonezilla(disk, tmp_path / "folder"))
    said("cp", "--sparse=always", disk, tmp_path / "same")
    put_back(folder, tmp_path / "same")
    put_back(folder, blank(tmp_path / "blank", 128 * MIB))
    assert seen(tmp_path / "same") == seen(tmp_path / "blank") == seen(disk)
    put_back(folder, blank(tmp_path / "larger", 160 * MIB))
    assert size_of_filesystem(tmp_path / "larger", 1) > 100 * MIB


def test_the_gpt_of_a_folder_from_before_2015(gpt: Path, tmp_path: Path) -> None:
    folder = as_clonezilla(gpt, tmp_path / "folder")
    rows = "/dev/sda1 : start=1, size=524287, Id=ee\n/dev/sda2 : start=0, size=0, Id= 0\n"
    (folder / "sda-pt.sf").write_text(f"# partition table of /dev/sda\nunit: sectors\n\n{rows}")
    said("sgdisk", "--backup", folder / "sda-gpt.gdisk", gpt)
    target = blank(tmp_path / "target")
    put_back(folder, target)
    assert seen(target).identity == seen(gpt).identity
    assert seen(target).partitions == seen(gpt).partitions
    assert seen(target).files == seen(gpt).files
    assert "No problems found" in said("sgdisk", "-v", target)


def test_a_long_gap_before_the_first_partition(tmp_path: Path) -> None:
    """More than any text of a folder may have: written, read back and compared."""
    disk, first = blank(tmp_path / "disk", 64 * MIB), 12 * MIB
    table = f"label: dos\nlabel-id: 0x12345678\nstart={first // 512}, type=83\n"
    subprocess.run(
        ["sfdisk", "--quiet", "--no-tell-kernel", disk], input=table, text=True, check=True
    )
    with partition_device(probe_target(disk), probe_target(disk).partitions[0]) as place:
        format_filesystem(place, "ext4")
    with disk.open("r+b") as file:
        for at in (512, 4 * MIB, first - 512):
            file.seek(at)
            file.write(os.urandom(512))
    folder = as_clonezilla(disk, tmp_path / "folder")
    target = blank(tmp_path / "target", 64 * MIB)
    put_back(folder, target)
    assert target.read_bytes()[512:first] == disk.read_bytes()[512:first]
    rows = verify_disk(str(folder), str(target), settings=Settings(), progress=QUIET).rows
    assert {row.outcome for row in rows} == {Comparison.SAME}
    with target.open("r+b") as file:
        file.seek(4 * MIB)
        file.write(b"another")
    rows = verify_disk(str(folder), str(target), settings=Settings(), progress=QUIET).rows
    assert [row.first_byte for row in rows if row.outcome is Comparison.DIFFERS] == [4 * MIB]


def test_fog_in_volumes(gpt: Path, tmp_path: Path) -> None:
    folder = as_fog(gpt, tmp_path / "fog")
    image = folder / "d1p3.img"
    raw = image.read_bytes()
    third = len(raw) // 3
    image.write_bytes(raw[:third])
    (folder / "d1p3.img.001").write_bytes(raw[third : 2 * third])
    (folder / "d1p3.img.002").write_bytes(raw[2 * third :])
    target = blank(tmp_path / "target")
    put_back(folder, target)
    assert seen(target).files == seen(gpt).files


def test_a_piece_that_is_missing_is_said_and_refused(
    msdos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = as_clonezilla(msdos, tmp_path / "folder")
    next(folder.glob("sda6.*")).unlink()
    target = blank(tmp_path / "target")
    with pytest.raises(ImageError, match=r"Partition 6 \(sda6\) belongs to the image"):
        put_back(folder, target)
    assert target.stat().st_blocks == 0
    assert main(["image", "info", str(folder)]) != 0
    assert "sda6" in capsys.readouterr().out
    assert main(["image", "verify", str(folder)]) != 0
