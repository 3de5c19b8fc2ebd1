# SPDX-License-Identifier: GPL-3.0-or-later
"""Disk images and loop devices that stand for the disks of this PC (``OG_DISKS``)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oglib.__main__ import main
from oglib.disk.find import find_disk
from oglib.disk.loop import attached, partition_device
from oglib.disk.model import MIB, TableKind
from oglib.disk.probe import list_disks, probe_target
from oglib.errors import NotFoundError, OgErr, UsageError

_TWO = "label: gpt\nstart=1M, size=4M, name=data\nsize=8M, name=CACHE\n"


def an_image(path: Path, script: str = "") -> Path:
    with path.open("wb") as made:
        made.truncate(16 * MIB)
    if script:
        tool("sfdisk", "--quiet", "--no-tell-kernel", path, stdin=script)
    return path


def tool(*argv: str | Path, stdin: str = "") -> None:
    subprocess.run(argv, input=stdin.encode(), check=True, capture_output=True)


@contextmanager
def mounted(device: Path, point: Path) -> Iterator[None]:
    tool("mount", device, point)
    try:
        yield
    finally:
        tool("umount", point)


def test_images_are_the_disks_in_the_order_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = an_image(tmp_path / "b.img", _TWO)
    two = an_image(tmp_path / "a.img")
    monkeypatch.setenv("OG_DISKS", f"{one}:{two}")
    assert [(disk.number, disk.path) for disk in list_disks()] == [(1, one), (2, two)]
    first = find_disk("1")
    assert (first.table, first.size_bytes) == (TableKind.GPT, 16 * MIB)
    assert [(part.number, part.type, part.path) for part in first.partitions] == [
        (1, "LINUX", None),
        (2, "CACHE", None),
    ]
    assert find_disk("2").table is TableKind.NONE
    # by path it is the same disk with the same number, also after its table was written
    assert find_disk(str(two)).number == 2
    assert probe_target(two).number == 2
    assert find_disk("PARTLABEL=CACHE").number == 1
    with pytest.raises(NotFoundError, match=r"no disk 3.*b\.img.*a\.img"):
        find_disk("3")


def test_a_missing_image_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = an_image(tmp_path / "one.img")
    monkeypatch.setenv("OG_DISKS", f"{one}:{tmp_path}/none.img")
    with pytest.raises(NotFoundError, match=r"none\.img, which OG_DISKS names as disk 2"):
        list_disks()


def test_who_uses_an_image_is_told_at_the_partition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, point = an_image(tmp_path / "a.img", _TWO), tmp_path / "point"
    point.mkdir()
    monkeypatch.setenv("OG_DISKS", str(image))
    disk = find_disk("1")
    assert disk.in_use == ()
    with partition_device(disk, disk.partitions[1]) as device:
        tool("mkfs.ext4", "-q", device)
        assert find_disk("1").in_use == (f"partition 2: attached as {device}",)
        with mounted(device, point):
            part = find_disk("1").partitions[1]
            assert (part.mountpoints, part.use) == ((str(point),), (f"mounted on {point}",))
            assert part.filesystem == "ext4"
    with attached(image) as device:
        assert find_disk("1").use == (f"attached as {device}",)
    assert find_disk("1").in_use == ()


def test_a_loop_device_of_4096_byte_sectors_is_a_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with attached(an_image(tmp_path / "a.img"), sector_bytes=4096) as device:
        tool("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", device, stdin=_TWO)
        monkeypatch.setenv("OG_DISKS", str(device))
        disk = find_disk("1")
        assert (disk.logical_sector_bytes, disk.table) == (4096, TableKind.GPT)
        assert disk.partitions[0].start_bytes == MIB
        assert disk.damage == ()
        assert disk.in_use == ()
        with partition_device(disk, disk.partitions[0]) as part_device:
            assert find_disk("1").in_use == (f"partition 1: attached as {part_device}",)


def test_a_write_protected_device_is_read_only(tmp_path: Path) -> None:
    with attached(an_image(tmp_path / "a.img")) as device:
        assert not probe_target(device).read_only
        tool("blockdev", "--setro", device)
        assert probe_target(device).read_only
        tool("blockdev", "--setrw", device)


def test_a_damaged_table_is_listed_with_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = an_image(tmp_path / "a.img", _TWO), an_image(tmp_path / "b.img", _TWO)
    with bad.open("r+b") as device:
        device.seek(512)
        device.write(bytes(512))  # the primary header
    monkeypatch.setenv("OG_DISKS", f"{good}:{bad}")
    assert main(["disk", "list", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["damage"], first["pinned"], first["kind"]) == ([], "1", "disk")
    assert "primary GPT" in second["damage"][0]
    assert main(["disk", "show", "2"]) == 0
    assert "damaged: The primary GPT" in capsys.readouterr().out


def test_show_is_one_object_and_a_wrong_name_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OG_DISKS", str(an_image(tmp_path / "a.img", _TWO)))
    assert main(["disk", "show", "largest", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["number"], shown["table"], len(shown["partitions"])) == (1, "gpt", 2)
    assert main(["disk", "show", "nvme", "--json"]) == OgErr.NOTFOUND
    assert json.loads(capsys.readouterr().out)["error"]["name"] == "NOTFOUND"


def test_the_disks_of_this_machine_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OG_DISKS", raising=False)
    for disk in list_disks():
        assert disk.number > 0
        assert (
            disk.size_bytes
            == int(Path("/sys/class/block", disk.path.resolve().name, "size").read_text()) * 512
        )
        assert find_disk(disk.pinned).path == disk.path
        assert disk.path.exists()


def test_names_that_are_none_do_not_lead_to_the_disks_of_this_pc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = an_image(tmp_path / "a.img")
    monkeypatch.chdir(tmp_path)
    for said in (":", "::", f"{one}:a.img"):
        monkeypatch.setenv("OG_DISKS", said)
        with pytest.raises(UsageError, match="OG_DISKS"):
            list_disks()
