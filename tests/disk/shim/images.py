# SPDX-License-Identifier: GPL-3.0-or-later
"""Partitioned image files for the tests of old commands, made and judged by the tools."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from oglib.errors import OgErr, OgError
from oglib.shim import image_file
from oglib.shim.command import command_of

MIB = 1024 * 1024


def tool(*argv: str | Path, stdin: str = "") -> str:
    """What a program said; it must succeed."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def said(*argv: str | Path) -> str:
    """What a program said, however it ended."""
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def refusal(name: str, *words: object) -> OgErr | None:
    """With which number an old command fails when it is called in this process; None: it does not.

    For the many ways to be wrong: what a script sees of one, other tests show.
    """
    try:
        command_of(name).run([str(word) for word in words])
    except OgError as error:
        return error.code
    return None


def partitioned(path: Path, script: str, size_mib: int = 64) -> Path:
    """An image with what this sfdisk script says; none: an empty disk."""
    with path.open("wb") as made:
        made.truncate(size_mib * MIB)
    if script:
        tool("sfdisk", "--quiet", "--no-tell-kernel", path, stdin=script)
    return path


def rows(path: Path) -> dict[int, dict[str, object]]:
    """sfdisk's view of the partitions, by number."""
    table = json.loads(tool("sfdisk", "--json", path))["partitiontable"]
    prefix = str(path) + ("p" if str(path)[-1].isdigit() else "")
    return {
        int(str(row["node"]).removeprefix(prefix).lstrip("p")): row
        for row in table.get("partitions", ())
    }


def stretch(path: Path, number: int) -> tuple[int, int]:
    """Where a partition is in its file: offset and size in bytes."""
    row = rows(path)[number]
    return int(str(row["start"])) * 512, int(str(row["size"])) * 512


@contextmanager
def device(path: Path, number: int) -> Iterator[str]:
    """A loop device over a partition."""
    offset, size = stretch(path, number)
    loop = tool("losetup", "-f", "--show", "-o", str(offset), "--sizelimit", str(size), path)
    try:
        yield loop.strip()
    finally:
        tool("losetup", "-d", loop.strip())


@contextmanager
def mounted(path: Path, number: int, point: Path, options: str = "rw") -> Iterator[Path]:
    """A partition mounted by mount itself."""
    point.mkdir(exist_ok=True)
    with device(path, number) as loop:
        tool("mount", "-o", options, loop, point)
    try:
        yield point
    finally:
        said("umount", point)


def release(path: Path) -> None:
    """Unmount whatever a test left mounted of this image."""
    loops = tool("losetup", "--noheadings", "--output", "NAME", "--associated", path).split()
    for loop in loops:
        said("umount", "--all-targets", loop)
        said("losetup", "-d", loop)
    for left in Path("/mnt").glob(f"{path.name}p*"):
        left.unlink() if left.is_symlink() else left.rmdir()


def mount_points(path: Path) -> list[str]:
    """Where partitions of this image are mounted, as findmnt tells."""
    loops = tool("losetup", "--noheadings", "--output", "NAME", "--associated", path).split()
    found = [said("findmnt", "-n", "-o", "TARGET", "--source", loop).split() for loop in loops]
    return [point for points in found for point in points]


def as_pc(made: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``made`` as the only disk of a PC, whose images, cache and logs are in ``folder``.

    The caller releases it.
    """
    image = folder / f"{uuid4()}.img"  # mountpoints are named after it
    tool("cp", "--sparse=always", made, image)
    (folder / "images").mkdir()
    for name, value in (
        ("OG_DISKS", image),
        ("OGIMG", folder / "images"),
        ("OGCAC", folder / "cache"),
        ("OGLOGFILE", folder / "pc.log"),
        ("OGLOGSESSION", folder / "session.log"),
        ("OGLOGCOMMAND", folder / "command.log"),
        ("OGSCRIPTS", folder / "scripts"),
        ("IPV4ADDR", "10.0.0.7/24"),
    ):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(image_file, "_LAST_INFO", folder / "image.info")
    return image
