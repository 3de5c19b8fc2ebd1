# SPDX-License-Identifier: GPL-3.0-or-later
"""``og image restore`` onto real partitions: foreign images, growing, types, shares, refusals."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from disk.shim.images import MIB, device, partitioned, rows, said, stretch, tool
from oglib.deploy.opening.opened import described
from oglib.deploy.partition import restore
from oglib.deploy.partition.checks import Wishes
from oglib.errors import ImageError, OgErr, OgError, UsageError
from oglib.image.writing.receipt import Receipt
from oglib.settings import Settings
from quiet import QUIET

LINUX_GUID = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
DATA_GUID = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")


@pytest.fixture(scope="module")
def lzop_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As OpenGnsys writes them: a partclone image with checksums inside lzop."""
    folder = tmp_path_factory.mktemp("old")
    files, filesystem, plain = folder / "files", folder / "fs", folder / "plain"
    files.mkdir()
    for number in range(20):
        (files / f"f{number}").write_bytes(os.urandom(150_000))
    tool("mke2fs", "-q", "-t", "ext4", "-d", files, filesystem, "24M")
    tool("partclone.extfs", "-c", "-s", filesystem, "-O", plain, "-q", "-f", "1", "-L", "/dev/null")
    tool("lzop", "-1", "-o", folder / "old.img", plain)
    return folder / "old.img"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A GPT whose only partition is larger than the image, and of another type."""
    script = f"label: gpt\nstart=2048, size={48 * MIB // 512}, type={DATA_GUID}\n"
    return partitioned(tmp_path / "disk", script)


def put_back(
    image: Path | str, disk: Path, *, settings: Settings | None = None, **more: Any
) -> Receipt:
    request = restore.Request(str(disk), "1", **more)
    return restore.put_back(str(image), request, settings=settings or Settings(), progress=QUIET)


def content(disk: Path) -> bytes:
    start, size = stretch(disk, 1)
    with disk.open("rb") as file:
        file.seek(start)
        return file.read(size)


def blocks_of(path: str | Path) -> int:
    text = said("dumpe2fs", "-h", path)
    return int(
        next(line for line in text.splitlines() if line.startswith("Block count")).split()[-1]
    )


def test_an_old_image_grows_and_corrects_the_type(lzop_image: Path, disk: Path) -> None:
    receipt = put_back(lzop_image, disk, wishes=Wishes(grow=True, set_type=True))
    assert receipt.verified == "read-back"
    assert "the filesystem fills its partition" in receipt.after
    assert any("type of partition 1" in done for done in receipt.after)
    assert [warning for warning in receipt.warnings if "not signed" in warning]
    json.dumps(receipt.as_dict())
    assert rows(disk)[1]["type"] == LINUX_GUID
    with device(disk, 1) as part:
        tool("e2fsck", "-fn", part)
        said_size = int(tool("blockdev", "--getsize64", part))
        assert blocks_of(part) * 1024 > said_size - MIB or blocks_of(part) * 4096 > said_size - MIB


def test_without_the_word_the_type_stays_and_is_told(lzop_image: Path, disk: Path) -> None:
    receipt = put_back(lzop_image, disk)
    assert rows(disk)[1]["type"] == DATA_GUID
    assert any("--set-type corrects that" in warning for warning in receipt.warnings)
    assert receipt.after == ()
    again = put_back(lzop_image, disk, delta=True)
    assert again.skipped_bytes > again.written_bytes
    proof = restore.prove(str(lzop_image), str(disk), "1", settings=Settings(), progress=QUIET)
    assert proof.content_bytes > 3 * MIB


def test_what_the_filesystem_cannot_do_is_refused_before(tmp_path: Path, disk: Path) -> None:
    fat, plain = tmp_path / "fat", tmp_path / "fat.img"
    tool("truncate", "--size=40M", fat)
    tool("mkfs.fat", "-F", "32", fat)
    tool("partclone.fat", "-c", "-s", fat, "-O", plain, "-q", "-f", "1", "-L", "/dev/null")
    before = content(disk)
    with pytest.raises(OgError, match="FAT32, which cannot be grown") as caught:
        put_back(plain, disk, wishes=Wishes(grow=True))
    assert caught.value.code == OgErr.EXTENDFS
    assert content(disk) == before


def test_a_truncated_image_leaves_nothing_half_there(
    tmp_path: Path, lzop_image: Path, disk: Path
) -> None:
    """It is seen before the first write, or the target is left unbootable."""
    put_back(lzop_image, disk)
    before = content(disk)
    cut = tmp_path / "cut.img"
    for missing in (5000, 2 * MIB):
        cut.write_bytes(lzop_image.read_bytes()[:-missing])
        with pytest.raises(ImageError):
            put_back(cut, disk)
        with device(disk, 1) as part:
            assert content(disk) == before or said("blkid", "--probe", part) == ""
    put_back(lzop_image, disk)
    with device(disk, 1) as part:
        tool("e2fsck", "-fn", part)


@contextmanager
def mounted_as_repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    share = folder / "share"
    share.mkdir()
    tool("mount", "-t", "tmpfs", "tmpfs", share)
    monkeypatch.setenv("OGIMG", str(share))
    try:
        yield share
    finally:
        tool("umount", share)


def test_an_old_repository_needs_the_sites_word(
    tmp_path: Path, lzop_image: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mounted_as_repository(tmp_path, monkeypatch) as share:
        image = share / "Win 10.img"
        image.write_bytes(lzop_image.read_bytes())
        before = content(disk)
        with pytest.raises(ImageError, match="is not signed") as caught:
            put_back(image, disk)
        assert "allow_unsigned" in caught.value.hint
        assert content(disk) == before
        receipt = put_back(image, disk, settings=Settings(allow_unsigned=("REPO",)))
        assert sum("not signed" in warning for warning in receipt.warnings) == 1
        assert described(str(image), Settings()).compressor == "lzop"


def test_split_volumes_are_one_image(tmp_path: Path, lzop_image: Path, disk: Path) -> None:
    tool("split", "-a", "2", "-b", "1M", lzop_image, f"{tmp_path}/vol.img.")
    assert described(f"{tmp_path}/vol.img.aa", Settings()).volumes > 2
    put_back(tmp_path / "vol.img", disk)
    with device(disk, 1) as part:
        tool("e2fsck", "-fn", part)
    (tmp_path / "vol.img.ab").unlink()
    with pytest.raises(ImageError):
        put_back(tmp_path / "vol.img", disk)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>Please log in</body></html>")


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "error"),
    [(fifo, ImageError), (page, ImageError), (Path.touch, ImageError), (folder, UsageError)],
    ids=["fifo", "web page", "empty", "folder"],
)
def test_what_is_no_image_changes_nothing(
    tmp_path: Path, disk: Path, make: Callable[[Path], None], error: type[OgError]
) -> None:
    image = tmp_path / "x.img"
    make(image)
    before = content(disk)
    with pytest.raises(error):
        put_back(image, disk)
    assert content(disk) == before


def test_the_command_says_it_all(lzop_image: Path, disk: Path) -> None:
    og = Path(__file__).parents[3] / ".venv" / "bin" / "og"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [str(og), "image", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    told = run("info", str(lzop_image), "--json")
    assert told.returncode == 0
    info = json.loads(told.stdout)
    assert (info["tool"], info["compressor"], info["checksum"]) == ("partclone", "lzop", "crc32")
    assert info["damage"] == ""
    done = run("restore", str(lzop_image), str(disk), "1", "--yes", "--set-type")
    assert done.returncode == 0, done.stderr
    assert "read-back" in done.stdout
    assert done.stderr.count("not signed") == 1
    cut = lzop_image.with_name("cut.img")
    cut.write_bytes(lzop_image.read_bytes()[:60])
    told = run("info", str(cut), "--json")
    assert told.returncode == OgErr.IMAGE
    assert json.loads(told.stdout)["damage"]
