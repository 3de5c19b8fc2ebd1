# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person is told about a disk that is a file: the cause, in the names that he gave."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import pytest

from disk.image.whole_disks import made_disk
from oglib.__main__ import main
from oglib.disk.model import MIB
from oglib.errors import OgErr

_ROWS: list[dict[str, object]] = [
    {"type": "LINUX", "size": "40MiB"},
    {"type": "LINUX", "size": "60MiB"},
    {"type": "LINUX", "size": "8MiB"},
]


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    out: str
    err: str


Og = Callable[..., Said]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_disk(tmp_path_factory.mktemp("pc") / "pc.img", "msdos", _ROWS, 128 * MIB)


@pytest.fixture
def disk(made: Path, tmp_path: Path) -> Path:
    path = tmp_path / "pc.img"
    subprocess.run(["cp", "--sparse=always", made, path], check=True)
    return path


@pytest.fixture
def og(
    disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Og]:
    """``og`` on that disk, which says of no device that was made for the moment."""
    monkeypatch.setenv("OG_DISKS", str(disk))

    def run(*words: str | Path) -> Said:
        status = main([str(word) for word in words])
        said = capsys.readouterr()
        assert "/dev/loop" not in said.out + said.err
        return Said(status, said.out, said.err)

    yield run
    subprocess.run(["umount", "--quiet", "/mnt/pc.imgp1"], capture_output=True, check=False)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "blake2b").hexdigest()


def test_mounting_twice_says_so_and_nothing_of_an_unclean_state(og: Og) -> None:
    first = og("fs", "mount", "1", "1", "--write")
    again = og("fs", "mount", "1", "1", "--write")
    assert (again.status, again.out) == (0, first.out)
    assert again.err == "  it was mounted already\n"


@pytest.mark.parametrize("how", [(), ("--write",)])
def test_a_mounted_partition_is_not_captured_because_it_is_mounted(
    how: tuple[str, ...], og: Og, tmp_path: Path
) -> None:
    assert og("fs", "mount", "1", "1", *how).status == 0
    said = og("image", "create", "1", "1", "lab", "--to", tmp_path)
    assert said.status == OgErr.LOCKED
    assert "Disk 1 partition 1 is not captured: it is mounted on /mnt/pc.imgp1." in said.err or (
        "Disk 1 partition 1 is mounted at /mnt/pc.imgp1, so it is not captured." in said.err
    )
    assert "cleanly" not in said.err


@pytest.fixture
def image(og: Og, tmp_path: Path) -> Path:
    assert og("image", "create", "1", "1", "lab", "--to", tmp_path).status == 0
    return tmp_path / "lab.img"


def test_a_grown_filesystem_is_called_grown(og: Og, image: Path) -> None:
    done = og("image", "restore", image, "1", "2", "--yes", "--grow")
    assert "lab is on disk 1 partition 2" in done.out
    said = og("image", "verify", image, "1", "2")
    assert said.status == OgErr.DONTSYNC_IMAGE
    assert "Disk 1 partition 2 differs from the image lab" in said.err
    assert "its filesystem is larger, as growing makes it" in said.err


def test_a_target_that_differs_is_named_as_it_was(og: Og, image: Path, disk: Path) -> None:
    og("image", "restore", image, "1", "2", "--yes")
    with disk.open("r+b") as file:
        file.seek(42 * MIB + 4096)
        file.write(b"changed")
    said = og("image", "verify", image, "1", "2")
    assert said.status == OgErr.DONTSYNC_IMAGE
    assert "Disk 1 partition 2 differs from the image lab in 1 of" in said.err
    assert "larger" not in said.err


def test_a_difference_names_its_two(og: Og, image: Path, tmp_path: Path) -> None:
    og("image", "create", "1", "2", "lab2", "--to", tmp_path)
    shown = og("image", "diff", image, tmp_path / "lab2.img").out.splitlines()
    assert shown[0].split() == ["from", "lab"]
    assert shown[1].split() == ["to", "lab2"]
    same = og("image", "diff", image, image)
    assert "to        lab, the same image" in same.out


def test_an_image_of_ours_that_nobody_signed_says_how_it_would_be(
    og: Og, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oglib.image.reading.vouching import Policy

    monkeypatch.setattr(
        "oglib.deploy.opening.opened.policy_on", lambda *_: Policy(unsigned_local=False)
    )
    said = og("image", "restore", image, "1", "2", "--yes")
    assert "is not signed" in said.err
    assert "ogrepo token" in said.err
    assert "allow_unsigned" in said.err


def test_parts_of_a_raw_copy_are_refused_as_that(og: Og, disk: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.img"
    subprocess.run(["cp", "--sparse=always", disk, copy], check=True)
    said = og("image", "restore", copy, "1", "--parts", "1", "--yes")
    assert said.status == OgErr.FORMAT
    assert "copy of a whole disk in one file" in said.err


_ITSELF = "is the image, and the target lies in it."
_CAPTURED = "is the disk that is captured."


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("image restore DISK 1 --yes", _ITSELF),
        ("image restore DISK 1 2 --yes", _ITSELF),
        ("image restore DISK DISK --yes", _ITSELF),
        ("image verify DISK 1", _ITSELF),
        ("deploy DISK 1 2 --yes", _ITSELF),
        ("image create 1 1 pc --to FOLDER", _CAPTURED),
        ("image create DISK 1 pc --to FOLDER --format gzip", _CAPTURED),
    ],
)
def test_an_image_is_not_written_over_itself(words: str, cause: str, og: Og, disk: Path) -> None:
    before = digest(disk)
    given = words.replace("DISK", str(disk)).replace("FOLDER", str(disk.parent))
    said = og(*given.split())
    assert said.status == OgErr.FORMAT
    assert f"{disk} {cause}" in said.err
    assert digest(disk) == before


def test_what_a_tool_says_is_told_in_the_name_that_was_given(og: Og, disk: Path) -> None:
    with disk.open("r+b") as file:  # the superblock's copies are gone with all the rest
        file.seek(MIB + 1024 + 1024)
        file.write(b"\xff" * (30 * MIB))
    said = og("fs", "check", "1", "1")
    assert said.status != 0
    assert "isk 1 partition 1" in said.err
