# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk compared with the image of one: equal, and every way in which it can differ."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from disk.image.test_disk_image import SETTINGS, captured, put_back
from disk.image.whole_disks import (
    DISK_BYTES,
    as_clonezilla,
    as_fog,
    blank,
    said,
)
from oglib.__main__ import main
from oglib.deploy.whole_disk.comparison import Compared, Comparison, DiskVerified
from oglib.deploy.whole_disk.plan import DiskWishes
from oglib.deploy.whole_disk.verify import verify_disk
from oglib.disk.find import find_partition
from oglib.disk.loop import partition_device
from oglib.disk.model import MIB
from oglib.disk.probe import probe_target
from oglib.errors import ImageError, OgErr, PartitionError
from oglib.filesystem.make import make_swap
from quiet import QUIET

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")
ROOT, SWAP, ESP = 3, 4, 2  # of GPT
WHAT_DIFFERS = (Comparison.DIFFERS, Comparison.GROWN)


@pytest.fixture(scope="module")
def image(gpt: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(captured(gpt, tmp_path_factory.mktemp("images")).where)


@pytest.fixture
def copy(gpt: Path, tmp_path: Path) -> Path:
    said("cp", "--sparse=always", gpt, tmp_path / "copy")
    return tmp_path / "copy"


def compared(image: Path, disk: Path) -> DiskVerified:
    return verify_disk(str(image), str(disk), settings=SETTINGS, progress=QUIET)


def different(image: Path, disk: Path) -> list[Compared]:
    return [row for row in compared(image, disk).rows if row.outcome in WHAT_DIFFERS]


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        byte = os.pread(file.fileno(), 1, offset)[0]
        os.pwrite(file.fileno(), bytes([byte ^ 1]), offset)


def start(disk: Path, number: int) -> int:
    return find_partition(probe_target(disk), number).start_bytes


def test_the_disk_it_was_made_of(image: Path, gpt: Path) -> None:
    proof = compared(image, gpt)
    assert proof.first_difference is None
    assert [row.what for row in proof.rows] == [
        "table", "boot code", "partition 1", "partition 2", "partition 3", "partition 4",
    ]  # fmt: skip
    assert {row.outcome for row in proof.rows} == {Comparison.SAME}
    assert proof.content_bytes > 2 * MIB
    assert proof.as_dict()["same"] is True


@pytest.mark.parametrize("table", ["gpt", "msdos"])
def test_a_restored_disk(table: str, gpt: Path, msdos: Path, tmp_path: Path) -> None:
    made_of = gpt if table == "gpt" else msdos
    image = Path(captured(made_of, tmp_path / "images").where)
    target = blank(tmp_path / "target")
    put_back(image, target)
    assert different(image, target) == []


def wrong_boot_code(disk: Path) -> None:
    flip(disk, 17)


def wrong_gap(disk: Path) -> None:
    flip(disk, 40 * 512 + 29_000)


def wrong_bios_boot(disk: Path) -> None:
    flip(disk, start(disk, 1) + 69_999)


def wrong_file(disk: Path) -> None:
    """A byte of a file on the root, found by its content."""
    part = find_partition(probe_target(disk), ROOT)
    with partition_device(probe_target(disk), part) as device:
        block = int(said("debugfs", "-R", "blocks /file7", device).split()[0])
    flip(disk, part.start_bytes + block * filesystem_block(disk, part.start_bytes) + 99)


def filesystem_block(disk: Path, start_bytes: int) -> int:
    """ext4's block size, from the superblock at 1024: log2 of it less 10 at byte 24."""
    with disk.open("rb") as file:
        return int(1024 << int.from_bytes(os.pread(file.fileno(), 4, start_bytes + 1048), "little"))


def wrong_esp(disk: Path) -> None:
    flip(disk, start(disk, ESP) + 3)


def wrong_type(disk: Path) -> None:
    said(
        "sfdisk",
        "--quiet",
        "--no-tell-kernel",
        "--part-type",
        disk,
        "3",
        "0FC63DAF-8483-4772-8E79-3D69D8477DE5",
    )


def wrong_partuuid(disk: Path) -> None:
    said(
        "sfdisk",
        "--quiet",
        "--no-tell-kernel",
        "--part-uuid",
        disk,
        "3",
        "11111111-2222-4333-8444-555555555555",
    )


def wrong_name(disk: Path) -> None:
    said("sfdisk", "--quiet", "--no-tell-kernel", "--part-label", disk, "3", "another name")


def wrong_attributes(disk: Path) -> None:
    said("sfdisk", "--quiet", "--no-tell-kernel", "--part-attrs", disk, "3", "")


def wrong_disk_id(disk: Path) -> None:
    said(
        "sfdisk",
        "--quiet",
        "--no-tell-kernel",
        "--disk-id",
        disk,
        "11111111-2222-4333-8444-555555555555",
    )


def wrong_swap(disk: Path) -> None:
    with partition_device(probe_target(disk), find_partition(probe_target(disk), SWAP)) as device:
        make_swap(device, label="swap")


def no_swap(disk: Path) -> None:
    with partition_device(probe_target(disk), find_partition(probe_target(disk), SWAP)) as device:
        said("wipefs", "--quiet", "--all", device)


def no_partition(disk: Path) -> None:
    said("sfdisk", "--quiet", "--no-tell-kernel", "--delete", disk, str(SWAP))


def damaged_table(disk: Path) -> None:
    flip(disk, DISK_BYTES - 512 + 56)


@pytest.mark.parametrize(
    ("harm", "what", "words"),
    [
        (wrong_boot_code, "boot code", "first at byte 17 of the disk"),
        (wrong_gap, "boot code", f"first at byte {40 * 512 + 29_000} of the disk"),
        (wrong_bios_boot, "partition 1", "of the disk"),
        (wrong_file, "partition 3", "1 of "),
        (wrong_esp, "partition 2", "first near byte 0"),
        (wrong_type, "table", "partition 3 has the type 0fc63daf"),
        (wrong_partuuid, "table", "partition 3 has the PARTUUID 11111111"),
        (wrong_name, "table", "partition 3 is named another name, in the image the root"),
        (wrong_attributes, "table", "partition 3 has the attributes 0, in the image"),
        (wrong_disk_id, "table", "disk id is 11111111"),
        (wrong_swap, "partition 4", "swap has the UUID"),
        (no_swap, "partition 4", "holds nothing instead of swap"),
        (no_partition, "table", "partition 4 is not there"),
        (damaged_table, "table", ""),
    ],
)
def test_one_thing_differs(
    image: Path, copy: Path, harm: Callable[[Path], None], what: str, words: str
) -> None:
    harm(copy)
    rows = different(image, copy)
    assert [row.what for row in rows] == [what]
    assert words in rows[0].said


def test_everything_that_differs_is_listed(image: Path, copy: Path) -> None:
    for harm in (wrong_boot_code, wrong_name, wrong_partuuid, wrong_esp):
        harm(copy)
    assert [row.what for row in different(image, copy)] == [
        "table", "table", "boot code", "partition 2",
    ]  # fmt: skip


def test_a_grown_filesystem_is_not_called_proven(image: Path, tmp_path: Path) -> None:
    target = blank(tmp_path / "target", DISK_BYTES + 64 * MIB)
    put_back(image, target)
    rows = different(image, target)
    assert [(row.what, row.outcome) for row in rows] == [("partition 3", Comparison.GROWN)]
    assert "was grown" in rows[0].said
    assert 0 < rows[0].different_regions < rows[0].regions


def test_a_larger_disk_whose_partitions_kept_their_sizes(image: Path, tmp_path: Path) -> None:
    target = blank(tmp_path / "target", DISK_BYTES + 64 * MIB)
    put_back(image, target, DiskWishes(other_firmware=True, grow=False))
    assert different(image, target) == []


def test_as_a_person_sees_it(
    image: Path, copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copy.parent)
    assert main(["image", "verify", str(image), "./copy"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("copy (256.0 MiB) holds room/disk-a")
    wrong_partuuid(copy)
    wrong_boot_code(copy)
    assert main(["image", "verify", str(image), "./copy"]) == OgErr.DONTSYNC_IMAGE
    lines = capsys.readouterr().out.splitlines()
    assert lines[3] == "boot code     differs       first at byte 17 of the disk"
    assert lines[-1] == (
        "copy (256.0 MiB) is not what room/disk-a says: the first difference is in the table"
    )
    assert max(len(line) for line in lines[:-1]) <= 80
    assert main(["image", "verify", str(image), "./copy", "--json"]) == OgErr.DONTSYNC_IMAGE
    told = json.loads(capsys.readouterr().out)
    assert (told["same"], told["rows"][1]["first_byte"]) == (False, 17)


def test_another_kind_of_table(image: Path, msdos: Path) -> None:
    proof = compared(image, msdos)
    assert [(row.what, row.said) for row in proof.rows] == [("table", "is msdos, in the image gpt")]
    assert proof.first_difference is proof.rows[0]


def test_a_disk_that_is_too_small(image: Path, tmp_path: Path) -> None:
    with pytest.raises(PartitionError) as raised:
        compared(image, blank(tmp_path / "small", DISK_BYTES // 2))
    assert raised.value.code is OgErr.IMGSIZEPARTITION


def test_a_damaged_image_is_not_a_different_disk(gpt: Path, tmp_path: Path) -> None:
    image = Path(captured(gpt, tmp_path / "images").where)
    flip(image / "p3.img.json", 40)
    with pytest.raises(ImageError):
        compared(image, gpt)


def test_folders_of_others_and_a_raw_copy(msdos: Path, gpt: Path, tmp_path: Path) -> None:
    assert different(as_clonezilla(msdos, tmp_path / "clonezilla"), msdos) == []
    fog = as_fog(gpt, tmp_path / "fog")
    target = blank(tmp_path / "target")
    put_back(fog, target)
    assert different(fog, target) == []
    # FOG keeps nothing of the BIOS boot partition, so nothing is said of it
    rows = compared(fog, gpt).rows
    assert [row.what for row in rows if row.outcome is Comparison.NOT_COMPARED] == ["partition 1"]
    raw = tmp_path / "old.dsk"
    with raw.open("wb") as file:
        subprocess.run(["lzop", "-c", gpt], stdout=file, check=True)
    assert different(raw, gpt) == []
    assert [row.what for row in different(raw, msdos)] == ["disk"]
