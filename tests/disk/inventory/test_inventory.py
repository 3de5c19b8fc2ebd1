# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems on real filesystems, found and listed without changing one byte of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from disk.inventory.room import (
    BROKEN,
    BTRFS,
    EMPTY,
    LINUX,
    LINUX_UUID,
    MIB,
    PLACES,
    RAW,
    WINDOWS,
    make_disk,
    partition,
    tool,
)
from oglib.__main__ import main
from oglib.deploy.partition.subject import CaptureSource, source_facts
from oglib.disk.find import find_disk, find_partition
from oglib.disk.loop import attached, partition_device
from oglib.errors import OgErr, OgError
from oglib.inventory.installed import system_of
from oglib.inventory.system import System, SystemKind
from oglib.views.target import system_on
from unit.inventory.trees import GUID, make_tree, make_windows

DEBIAN = "Debian GNU/Linux 13 (trixie)"


@pytest.fixture(scope="module", params=[512, 4096])
def disk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A disk with sectors of one size; every test leaves it as it is."""
    image = make_disk(tmp_path_factory.mktemp("systems"), request.param)
    before = digest(image)
    if request.param == 512:
        yield image
    else:
        with attached(image, sector_bytes=request.param) as device:
            yield device
    assert digest(image) == before


@pytest.fixture(autouse=True)
def only_disk(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OG_DISKS", str(disk))


def digest(path: Path) -> str:
    """Of everything but the damaged filesystem, in whose superblock the kernel counts its errors
    also when it is mounted read-only."""
    content = bytearray(path.read_bytes())
    start, size = PLACES[BROKEN]
    content[start * MIB : (start + size) * MIB] = b""
    return hashlib.sha256(content).hexdigest()


def answer(capsys: pytest.CaptureFixture[str], *words: str | int) -> dict[str, object]:
    assert main([*(str(word) for word in words), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("number", "system"),
    [
        (LINUX, System(SystemKind.LINUX, DEBIAN, is_64_bits=True)),
        (WINDOWS, System(SystemKind.WINDOWS, "Windows 11 Education 23H2", is_64_bits=True)),
        (BTRFS, System(SystemKind.LINUX, DEBIAN, is_64_bits=True)),
        (EMPTY, None),
        (RAW, None),
    ],
)
def test_systems_are_recognised(number: int, system: System | None) -> None:
    found = find_disk("1")
    assert system_of(found, find_partition(found, str(number))) == system


def test_a_listing_goes_on_where_a_filesystem_cannot_be_read() -> None:
    found = find_disk("1")
    assert [system_on(found, part) for part in found.partitions] == [
        DEBIAN,
        "Windows 11 Education 23H2",
        "",
        None,
        "",
        DEBIAN,
    ]


def test_os(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "inventory", "os", 1, LINUX) == {
        "type": "Linux",
        "description": DEBIAN,
        "64_bits": True,
        "uuid": LINUX_UUID,
        "note": "",
    }
    assert answer(capsys, "inventory", "os", 1, WINDOWS)["uuid"] == GUID


def test_which_systems_stand_where(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_disk("1")
    windows = find_partition(found, str(WINDOWS))
    images = {str(windows.path or found.called(windows)): "windows@7"}
    monkeypatch.setattr("oglib.deploy.standing.restored", lambda: images)
    assert main(["inventory", "systems"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"1:{LINUX}  {DEBIAN}",
        f"1:{WINDOWS}  windows@7",
        f"1:{BROKEN}  ?",
        f"1:{BTRFS}  {DEBIAN}",
    ]


def test_software(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "inventory", "software", 1, LINUX)
    assert found["packages"] == [
        {"name": "bash", "version": "5.2.37-2", "source": "dpkg"},
        {"name": "zlib1g", "version": "1:1.3.1-1", "source": "dpkg"},
    ]
    assert main(["inventory", "software", "1", str(WINDOWS)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Windows 11 Education 23H2 64 bits",
        "7-Zip 23.01 (x64) 23.01",
        "GIMP ñ 2.10.36",
    ]


@pytest.mark.parametrize("verb", ["os", "software"])
@pytest.mark.parametrize(
    ("number", "code"),
    [(EMPTY, OgErr.NOTOS), (BROKEN, OgErr.FILESYS), (RAW, OgErr.FILESYS), (9, OgErr.NOTFOUND)],
)
def test_who_asks_for_one_partition_is_told_why_not(
    capsys: pytest.CaptureFixture[str], verb: str, number: int, code: OgErr
) -> None:
    assert main(["inventory", verb, "1", str(number)]) == code
    assert capsys.readouterr().out == ""


def test_hardware_of_this_host(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "inventory", "hardware")
    assert found["architecture"] == tool("uname", "-m").strip()
    assert found["cpu"]["threads"] == int(tool("getconf", "_NPROCESSORS_ONLN"))  # type: ignore[index]
    assert [one["name"].split()[-2:] for one in found["disks"]] == [  # type: ignore[attr-defined]
        ["170.0", "MiB"]
    ]
    assert main(["inventory", "hardware"]) == 0
    assert " threads" in capsys.readouterr().out


def test_a_system_that_is_mounted_is_read_where_it_is(disk: Path, tmp_path: Path) -> None:
    found = find_disk("1")
    with partition(disk, LINUX, found.logical_sector_bytes) as device:
        tool("mount", "-o", "ro,noload", device, tmp_path)
        try:
            again = find_disk("1")
            part = find_partition(again, str(LINUX))
            assert part.mountpoints == (str(tmp_path),)
            assert system_on(again, part) == DEBIAN
        finally:
            tool("umount", tmp_path)


def test_a_damaged_folder_ends_no_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The filesystem can be mounted; what its folder ``etc`` consists of cannot be read."""
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(16 * MIB)
    tool("sfdisk", "--quiet", "--no-tell-kernel", image, stdin="label: gpt\nstart=1M, size=12M\n")
    tree = make_tree(tmp_path / "tree", {"etc/some-release": "Some Linux 1\n"})
    with attached(image, offset_bytes=MIB, size_bytes=12 * MIB) as device:
        tool("mkfs.ext4", "-q", "-b", "4096", "-O", "metadata_csum", "-d", tree, device)
        blocks = tool("debugfs", "-R", "blocks /etc", device)
    with image.open("r+b") as file:
        file.seek(MIB + int(blocks) * 4096)
        file.write(b"\xff" * 4096)
    monkeypatch.setenv("OG_DISKS", str(image))
    found = find_disk("1")
    assert system_on(found, found.partitions[0]) is None
    assert main(["inventory", "os", "1", "1"]) == OgErr.GENERIC
    assert "etc" in capsys.readouterr().err
    # nor does it become an image of something without a system
    part = found.partitions[0]
    with partition_device(found, part) as device:
        source = CaptureSource(device, found, part)
        with pytest.raises(OgError, match="etc"):
            source_facts(source)
        # who takes it damaged is told that it is not known
        facts = source_facts(source, dirty=True)
    assert facts.info.os == ""
    assert "is not known: etc" in facts.notes[0]


def test_a_hibernated_windows_is_read_and_keeps_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(16 * MIB)
    tool("sfdisk", "--quiet", "--no-tell-kernel", image, stdin="label: gpt\nstart=1M, size=14M\n")
    tree = make_windows(tmp_path / "tree")
    (tree / "hiberfil.sys").write_bytes(b"hibr".ljust(8192, b"\0"))
    point = tmp_path / "point"
    point.mkdir()
    with attached(image, offset_bytes=MIB, size_bytes=14 * MIB) as device:
        tool("mkfs.ntfs", "--quick", "--force", device)
        tool("mount", "-t", "ntfs-3g", device, point)
        try:
            tool("cp", "--recursive", *tree.iterdir(), point)
        finally:
            tool("umount", point)
    before = image.read_bytes()
    monkeypatch.setenv("OG_DISKS", str(image))
    found = find_disk("1")
    assert system_on(found, found.partitions[0]) == "Windows 11 Education 23H2"
    assert image.read_bytes() == before
