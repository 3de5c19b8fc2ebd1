# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of a run: an ext4 filled with the files of installed packages, and its update.

Real files in the order a package manager writes them. An update does what dpkg does: it writes
the new file beside the old one, then renames; other packages are removed. Only the content of
a "new version" is made up (a rebuild moves code: bytes are inserted, everything behind shifts).
"""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zstandard

from oglib.errors import OgError
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.partclone import HEADER_BYTES, parse_header
from oglib.run import run

_SEED = 4
_LISTS = Path("/var/lib/dpkg/info")
_GRAIN_BYTES = 4096
_STEP_BLOCKS = 1024
_LARGEST_SHARE = 16
_REMOVED_EVERY = 4  # every fourth package of an update is removed, the others are upgraded


@dataclass(frozen=True, slots=True)
class Changed:
    """What an update changed, at 4 KiB grain: used blocks with other content than before."""

    used_bytes: int
    changed_bytes: int
    stored_bytes: int
    """The changed bytes after ``zstd -3``."""


@contextmanager
def _mounted(image: Path) -> Iterator[Path]:
    folder = image.with_name(image.name + ".mnt")
    folder.mkdir()
    try:
        run("mount", "-o", "loop", image, folder)
        try:
            yield folder
        finally:
            run("umount", folder)
    finally:
        folder.rmdir()


def _packages(seed: int) -> list[tuple[str, list[Path]]]:
    """The installed packages and their files below /usr, in an order of the seed's."""
    lists = sorted(_LISTS.glob("*.list"))
    if not lists:
        raise OgError("No installed packages are found here.", hint="Run it on a Debian.")
    random.Random(seed).shuffle(lists)  # noqa: S311 - the same order every time
    return [
        (each.stem, [Path(line) for line in each.read_text().splitlines() if "/usr/" in line])
        for each in lists
    ]


def make_filesystem(path: Path, used_bytes: int) -> None:
    """An ext4 at ``path`` with ``used_bytes`` of files in a device half as large again."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(used_bytes * 3 // 2 + (64 << 20))
    run("mkfs.ext4", "-q", "-F", "-L", "bench", path)
    with _mounted(path) as root:
        left = used_bytes
        for _name, files in _packages(_SEED):
            # One large package must not be most of the data, nor burst the device.
            if sum(map(_room_of, files)) <= min(left, used_bytes // _LARGEST_SHARE):
                left -= sum(_copied(each, root) for each in files)
            if left <= used_bytes // 100:
                return
    raise OgError(
        f"The packages of this machine are {left >> 20} MiB smaller than the data asked for.",
        hint="Ask for less with --used.",
    )


def _room_of(file: Path) -> int:
    """The bytes that the regular file ``file`` takes; 0 for anything else, or nothing."""
    try:
        status = file.lstat()
    except FileNotFoundError:  # a site removed it, or it is listed for another architecture
        return 0
    return _blocks(status.st_size) if stat.S_ISREG(status.st_mode) else 0


def _blocks(size_bytes: int) -> int:
    return -(-size_bytes // _GRAIN_BYTES) * _GRAIN_BYTES


def _copied(file: Path, root: Path) -> int:
    """Copy one file of a package; the bytes that it takes."""
    place = root / file.relative_to("/")
    if place.is_symlink() or place.exists() or not (file.is_symlink() or file.is_file()):
        return 0
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place, follow_symlinks=False)
    return _room_of(place)


def updated_copy(before: Path, after: Path, share: float, which: int) -> None:
    """``before`` copied to ``after`` and updated until ``share`` of its used bytes are new.

    Each ``which`` is an update of other packages.
    """
    run("cp", "--sparse=always", before, after)
    chance = random.Random(_SEED + which)  # noqa: S311
    with _mounted(after) as root:
        space = os.statvfs(root)
        left = share * (space.f_blocks - space.f_bfree) * space.f_frsize
        for number, (_name, files) in enumerate(_packages(_SEED + 1 + which)):
            places = [root / each.relative_to("/") for each in files]
            regular = [each for each in places if each.is_file() and not each.is_symlink()]
            if sum(each.stat().st_size for each in regular) > left:
                continue  # one kernel would be the whole update
            if number % _REMOVED_EVERY == 0:
                for each in regular:
                    each.unlink()
                continue
            left -= sum(_upgraded(each, chance) for each in regular)
            if left < _GRAIN_BYTES:
                break


def _upgraded(file: Path, chance: random.Random) -> int:
    """Replace ``file`` as dpkg does by a version some bytes longer; the bytes it takes."""
    data = file.read_bytes()
    place = chance.randrange(len(data) // 8 + 1)
    data = data[:place] + chance.randbytes(chance.randrange(1, 200)) + data[place:]
    new = file.with_name(file.name[:200] + ".dpkg-new")
    with new.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    new.rename(file)
    return _blocks(len(data))


def changed_blocks(before: Path, after: Path, stream: Path) -> Changed:
    """Compare two devices under the bitmap of ``stream``, partclone's stream of ``after``."""
    compressor = zstandard.ZstdCompressor(level=3).compressobj()
    changed = stored = 0
    with before.open("rb") as old, after.open("rb") as new, stream.open("rb") as file:
        header = parse_header(file.read(HEADER_BYTES))
        with Bitmap(file, HEADER_BYTES, header.total_blocks) as bitmap:
            for start in range(0, header.total_blocks, _STEP_BLOCKS):
                for block, count in bitmap.runs(start, _STEP_BLOCKS):
                    at, length = block * header.block_size, count * header.block_size
                    here, there = (os.pread(each.fileno(), length, at) for each in (new, old))
                    for place in range(0, length if here != there else 0, _GRAIN_BYTES):
                        piece = here[place : place + _GRAIN_BYTES]
                        if piece != there[place : place + _GRAIN_BYTES]:
                            changed += len(piece)
                            stored += len(compressor.compress(piece))
    stored += len(compressor.flush())
    return Changed(header.used_blocks * header.block_size, changed, stored)


def make_large_filesystem(path: Path, size_bytes: int) -> None:
    """A sparse ext4 of ``size_bytes`` that holds next to nothing, its inode tables included."""
    with path.open("wb") as file:
        file.truncate(size_bytes)
    run("mkfs.ext4", "-q", "-F", "-N", "100000", "-J", "size=64", "-O", "^resize_inode", path)
    with _mounted(path) as root:
        for _name, files in _packages(_SEED)[:20]:
            for each in files:
                _copied(each, root)
