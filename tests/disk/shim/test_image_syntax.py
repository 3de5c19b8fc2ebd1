# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipelines that the old names print: run by bash as scripts run them, with the real tools."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from disk.shim.images import device, mounted, partitioned, release, said, tool
from oglib.errors import OgErr, UsageError
from oglib.shim.image_syntax import COMMANDS
from unit.shim.old import Old, Ran

LAYOUT = """label: gpt
1: size=24M, type=linux
2: size=24M, type=ebd0a0a2-b9e5-4433-87c0-68b6b72699c7
3: size=24M, type=linux
4: size=24M, type=linux
"""
BUFFER = "mbuffer -q -m 40M"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Linux, an NTFS, an empty target, and a partition with nothing that partclone knows."""
    folder = tmp_path_factory.mktemp("syntax")
    image = partitioned(folder / f"{uuid4()}.img", LAYOUT, 110)
    with device(image, 1) as loop:
        tool("mkfs.ext3", "-q", "-F", "-b", "4096", loop)  # partimage knows no ext4
    with mounted(image, 1, folder / "made") as top:
        tool("cp", "-r", "/usr/share/doc/bash", top)
    with device(image, 2) as loop:
        tool("mkfs.ntfs", "-q", "-F", "-Q", loop)
    yield image
    release(image)


def printed(*words: object) -> str:
    command = "ogCreateImageSyntax" if str(words[0]).startswith("/dev/") else "ogRestoreImageSyntax"
    answer = COMMANDS[command].run([str(word) for word in words])
    assert isinstance(answer, str)
    return answer


def shell(line: str) -> None:
    tool("bash", "-c", f"set -o pipefail; eval {shlex.quote(line)}")


def content(loop: str) -> str:
    """What is in a filesystem, as its own tools tell."""
    if said("blkid", "-p", "-o", "value", "-s", "TYPE", loop) == "ntfs\n":
        return tool("ntfsinfo", "-m", "-f", loop).replace(loop, "")
    tool("e2fsck", "-fn", loop)
    listed = tool("debugfs", "-R", "ls -l /bash", loop)
    assert "changelog" in listed
    return listed + tool("dumpe2fs", "-x", loop)


def zero(loop: str) -> None:
    tool("blkdiscard", "--zeroout", "--force", loop)


@pytest.mark.proves("ogCreateImageSyntax", "ogRestoreImageSyntax")
@pytest.mark.parametrize(
    ("number", "options"),
    [
        (1, ("partclone", "lzop")),
        (1, ("partimage", "0")),
        (1, ("dd", "3")),
        (2, ("ntfsclone", "gzip")),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_printed_makes_an_image_and_puts_it_back(
    disk: Path, tmp_path: Path, number: int, options: tuple[str, str]
) -> None:
    image = tmp_path / "two words.img"
    with device(disk, number) as source, device(disk, 3) as target:
        zero(target)
        shell(printed(source, image, *options))
        shell(printed(image, target, *options))
        assert content(source) == content(target)


@pytest.mark.proves("ogRestoreImageSyntax")
def test_the_image_itself_tells_what_puts_it_back(old: Old, disk: Path, tmp_path: Path) -> None:
    image = tmp_path / "debian.img"
    with device(disk, 1) as source:
        shell(f"partclone.extfs -c -s {source} -q -f 1 -L /dev/null | gzip -1 > {image}")
    ran = old("ogRestoreImageSyntax", image, "/dev/sda1")
    assert ran == Ran(f"gzip -dc {image} | {BUFFER} | partclone.restore -d0 -o /dev/sda1\n", "", 0)


@pytest.mark.proves("ogCreateImageSyntax")
def test_the_program_follows_the_filesystem(old: Old, disk: Path) -> None:
    with device(disk, 1) as linux, device(disk, 2) as windows, device(disk, 3) as target:
        zero(target)
        assert old("ogCreateImageSyntax", linux, "/x/a b.img") == Ran(
            f"partclone.extfs -d0 -F -c -s {linux} | {BUFFER} | gzip -c > '/x/a b.img'\n", "", 0
        )
        # with three arguments the old engine printed nothing
        assert printed(windows, "/x/b", "partclone").endswith(" | gzip -c > /x/b")
        assert printed(windows, "/x/b").startswith("partclone.ntfs ")
        assert printed(linux, "/x/b", "partclone", "ZSTD").endswith("zstd -q -T0 -c > /x/b")
        assert printed(target, "/x/b").startswith("partclone.imager -d0 -F -c ")
        assert printed(target, "/x/b", "dd", "none") == (
            f"partclone.dd -d0 -F -s {target} | {BUFFER} > /x/b"
        )
        # a multicast sender goes on with it
        assert printed(linux, " ", "partclone", "1").endswith(f" | {BUFFER} | lzop")
    restored = printed(" ", "/dev/sda1", "PARTCLONE", "LZOP")
    assert restored == f"lzop -dc | {BUFFER} | partclone.restore -d0 -o /dev/sda1"


@pytest.mark.refuses("ogCreateImageSyntax", "ogRestoreImageSyntax")
def test_what_cannot_be_a_pipeline(old: Old, tmp_path: Path) -> None:
    (tmp_path / "text.img").write_text("<html>Not found</html>\n" * 100)
    for words, code in (
        (("ogCreateImageSyntax", "/dev/none9", "/x"), OgErr.NOTFOUND),
        (("ogCreateImageSyntax", "/dev/none9", "/x", "dd", "zip"), OgErr.FORMAT),
        (("ogCreateImageSyntax", "/dev/none9", "/x", "tar"), OgErr.FORMAT),
        (("ogCreateImageSyntax", "/dev/none9"), OgErr.FORMAT),
        (("ogRestoreImageSyntax", tmp_path / "none.img", "/dev/sda1"), OgErr.NOTFOUND),
        (("ogRestoreImageSyntax", tmp_path, "/dev/sda1"), OgErr.NOTFOUND),
    ):
        ran = old(*map(str, words))
        assert (ran.stdout, ran.status) == ("", code), ran.stderr
    with pytest.raises(UsageError, match="Of standard input"):
        COMMANDS["ogRestoreImageSyntax"].run([" ", "/dev/sda1", "partclone"])


@pytest.mark.refuses("ogRestoreImageSyntax")
def test_a_page_is_no_image(old: Old, tmp_path: Path) -> None:
    (tmp_path / "text.img").write_text("<html>Not found</html>\n" * 100)
    ran = old("ogRestoreImageSyntax", tmp_path / "text.img", "/dev/sda1")
    assert (ran.stdout, ran.status) == ("", OgErr.IMAGE), ran.stderr


@pytest.mark.proves("ogCreateImageSyntax")
def test_a_failure_anywhere_is_seen(disk: Path, tmp_path: Path) -> None:
    """With pipefail, as the module says: the compressor's success hides nothing."""
    with device(disk, 1) as source:
        line = printed(source, tmp_path / "x.img", "ntfsclone", "gzip")
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, check=False
    )
    assert done.returncode != 0
