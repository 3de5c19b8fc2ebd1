# SPDX-License-Identifier: GPL-3.0-or-later
"""MBR, boot code and GPT kept in files and written back, judged byte by byte and by sgdisk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from disk.shim.images import device, mount_points, partitioned, refusal, release, rows, tool
from oglib.errors import OgErr
from unit.shim.old import Old, Ran

MIB = 1024 * 1024
MSDOS = "label: dos\nstart=1MiB, size=4MiB, bootable\nstart=5MiB, size=4MiB, type=7\n"
GPT = "label: gpt\n1: size=4M, type=uefi, name=ESP\n2: size=8M, type=linux\n"
Cmd = Callable[..., Ran]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "aula1").mkdir(parents=True)
    return folder


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with an MBR that has code in it, and a filesystem on partition 1."""
    made = partitioned(tmp_path / f"{uuid4()}.img", MSDOS, 32)
    with made.open("r+b") as file:
        file.write(os.urandom(440))
    with device(made, 1) as loop:
        tool("mkfs.ext2", "-q", "-F", loop)
    yield made
    release(made)


@pytest.fixture
def gpt(tmp_path: Path) -> Path:
    return partitioned(tmp_path / "gpt.img", GPT, 32)


@pytest.fixture
def og(old: Old, images: Path, disk: Path, gpt: Path, monkeypatch: pytest.MonkeyPatch) -> Cmd:
    """Disk 1 has an MSDOS table, disk 2 a GPT."""
    monkeypatch.setenv("OG_DISKS", f"{disk}:{gpt}")
    monkeypatch.setenv("OGIMG", str(images))

    def call(name: str, *words: object) -> Ran:
        return old(name, *map(str, words), disks=[disk, gpt], env={"OGIMG": str(images)})

    return call


def first(disk: Path, count: int = 512) -> bytes:
    return disk.read_bytes()[:count]


@pytest.mark.proves("ogCreateMbrImage", "ogRestoreMbrImage")
def test_an_mbr_comes_back_with_its_table(og: Cmd, disk: Path, images: Path) -> None:
    before, table = first(disk), rows(disk)
    assert og("ogCreateMbrImage", 1, "REPO", "/aula1/debian") == Ran("", "", 0)
    assert (images / "aula1/debian.mbr").read_bytes() == before
    tool(
        "sfdisk", "--quiet", "--no-tell-kernel", disk, stdin="label: dos\nstart=1MiB, size=16MiB\n"
    )
    assert og("ogMount", 1, 1).status == 0
    ran = og("ogRestoreMbrImage", "repo", "aula1/DEBIAN", 1)
    assert (ran.stdout, ran.status) == ("", 0), ran.stderr
    assert first(disk) == before
    assert rows(disk) == table
    assert mount_points(disk) == [f"/mnt/{disk.name}p1"], "it is mounted again"
    assert not list(images.rglob("*.lock"))


@pytest.mark.proves("ogCreateBootLoaderImage", "ogRestoreBootLoaderImage")
def test_boot_code_comes_back_and_leaves_the_table(og: Cmd, disk: Path, images: Path) -> None:
    before = first(disk)
    assert og("ogCreateBootLoaderImage", 1, "REPO", "debian") == Ran("", "", 0)
    assert (images / "debian.mbr").read_bytes() == before[:446]
    with disk.open("r+b") as file:
        file.write(bytes(440))
    tool("sfdisk", "--quiet", "--no-tell-kernel", "--part-type", disk, "2", "83")
    table = first(disk)[446:]
    ran = og("ogRestoreBootLoaderImage", "REPO", "debian", 1)
    assert (ran.stdout, ran.status) == ("", 0), ran.stderr
    assert first(disk)[:440] == before[:440]
    assert first(disk)[446:] == table


@pytest.mark.proves("ogCreateGptImage", "ogRestoreGptImage")
def test_a_gpt_comes_back(og: Cmd, gpt: Path, images: Path, tmp_path: Path) -> None:
    table = rows(gpt)
    assert og("ogCreateGptImage", 2, "REPO", "debian") == Ran("", "", 0)
    copy = partitioned(tmp_path / "copy.img", "", 32)
    tool("sgdisk", "--load-backup", images / "debian.gpt", copy)
    assert rows(copy) == {
        number: {**row, "node": f"{copy}{number}"} for number, row in table.items()
    }, "sgdisk itself reads it"
    partitioned(gpt, "label: gpt\n1: size=20M, type=linux\n", 32)
    ran = og("ogRestoreGptImage", "REPO", "debian", 2)
    assert (ran.stdout, ran.status) == ("", 0), ran.stderr
    assert rows(gpt) == table
    assert "No problems found" in tool("sgdisk", "--verify", gpt)


@pytest.mark.refuses("ogCreateMbrImage", "ogCreateBootLoaderImage", "ogCreateGptImage")
@pytest.mark.parametrize(
    "name", ["ogCreateMbrImage", "ogCreateBootLoaderImage", "ogCreateGptImage"]
)
@pytest.mark.usefixtures("og")
def test_what_cannot_be_kept(images: Path, name: str) -> None:
    for words, code in (
        ((1, "REPO"), OgErr.FORMAT),
        (("first", "REPO", "debian"), OgErr.FORMAT),
        ((1, "NOWHERE", "debian"), OgErr.FORMAT),
        ((9, "REPO", "debian"), OgErr.NOTFOUND),
        ((1, "REPO", "aula2/debian"), OgErr.NOTFOUND),
    ):
        assert refusal(name, *words) == code, words
    assert [path.name for path in images.rglob("*")] == ["aula1"]


@pytest.mark.refuses("ogCreateGptImage")
def test_a_disk_without_a_gpt(og: Cmd, images: Path) -> None:
    ran = og("ogCreateGptImage", 1, "REPO", "debian")
    assert (ran.stdout, ran.status) == ("", OgErr.NOGPT), ran.stderr
    assert not (images / "debian.gpt").exists()


@pytest.mark.refuses("ogRestoreMbrImage", "ogRestoreBootLoaderImage", "ogRestoreGptImage")
@pytest.mark.parametrize(
    "name", ["ogRestoreMbrImage", "ogRestoreBootLoaderImage", "ogRestoreGptImage"]
)
def test_what_is_no_table_is_not_written(
    og: Cmd, disk: Path, gpt: Path, images: Path, name: str
) -> None:
    ending = "gpt" if "Gpt" in name else "mbr"
    before = disk.read_bytes(), gpt.read_bytes()
    (images / f"page.{ending}").write_text("<html>404</html>")
    (images / f"zero.{ending}").write_bytes(bytes(100_000))
    locked = images / f"locked.{ending}"
    locked.write_bytes(bytes(512))
    locked.with_name(f"{locked.name}.lock").touch()
    number = 2 if ending == "gpt" else 1
    for image, code in (
        ("page", OgErr.IMAGE),
        ("zero", OgErr.IMAGE),
        ("none", OgErr.NOTFOUND),
        ("locked", OgErr.LOCKED),
    ):
        assert refusal(name, "REPO", image, number) == code, image
    ran = og(name, "REPO", "page", number)
    assert (ran.stdout, ran.status) == ("", OgErr.IMAGE), ran.stderr
    assert refusal(name, "REPO", "page", 9) == OgErr.NOTFOUND
    assert refusal(name, "REPO", "page") == OgErr.FORMAT
    assert (disk.read_bytes(), gpt.read_bytes()) == before
