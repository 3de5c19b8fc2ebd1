# SPDX-License-Identifier: GPL-3.0-or-later
"""Where else on its disk a filesystem is named by its UUID: other systems, loaders. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from oglib.boot.esp import opened_esp
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.disk.starts import ESP
from oglib.errors import FilesystemError, OgError
from oglib.filesystem.kind import Family
from oglib.filesystem.kinds import family_probed
from oglib.filesystem.probe import probe_filesystem
from oglib.fitting.edits import content
from oglib.osconfig.opened_system import NoFilesError, opened_system

# without what these name a system does not start, or starts without a part of itself
_MOUNTED_BY = ("etc/fstab", "etc/crypttab")
# on which no such system lies: that one of them cannot be read here hides none
_NO_ROOTS = (Family.FAT, Family.EXFAT, Family.NTFS, Family.HFSPLUS, Family.SWAP)
_MOST_LOADERS = 1000
_MOST_BYTES = 16 << 20


def word_of(uuid: str) -> re.Pattern[bytes]:
    """The UUID as a word of its own, in any case."""
    return re.compile(rb"(?<![0-9A-Za-z])%s(?![0-9A-Za-z])" % re.escape(uuid.encode()), re.I)


def check_unnamed(disk: Disk, part: Partition, uuid: str) -> None:
    """Raise where another system of the disk mounts the filesystem by this UUID, or cannot be read.

    Not where another partition keeps the UUID: that of a copy, which the names mean as well.
    """
    others = [one for one in disk.partitions if one.number != part.number]
    roots = []
    for one in others:
        with partition_device(disk, one) as device:
            info = probe_filesystem(device)
        if info.uuid.lower() == uuid.lower():
            return
        if family_probed(info.kind) not in _NO_ROOTS:
            roots.append(one)
    for one in roots:
        if path := _named_in(disk, one, _MOUNTED_BY, word_of(uuid)):
            raise FilesystemError(
                f"{path} on {disk.called(one)} names {disk.called(part)} by its UUID {uuid}; with "
                "another one that system would not find it. Nothing was changed.",
                hint="Name it there by its label, or leave its UUID as it is.",
            )


def _named_in(
    disk: Disk, part: Partition, paths: Sequence[str], word: re.Pattern[bytes]
) -> str | None:
    try:
        with opened_system(disk, part) as system:
            for path in paths:
                raw = content(system.root, path) or b""
                if any(word.search(line.partition(b"#")[0]) for line in raw.split(b"\n")):
                    return path
    except NoFilesError:
        return None
    return None


def loaders_naming(disk: Disk, uuid: str) -> tuple[str, ...]:
    """What is to be told of the loaders on the disk's ESPs that name this UUID."""
    notes = []
    for esp in (one for one in disk.partitions if one.type == ESP):
        try:
            with opened_esp(disk, esp) as at:
                named = any(word_of(uuid).search(data) for data in _loaders(at))
        except (OgError, OSError) as error:
            notes.append(f"whether loaders on {disk.called(esp)} name the old one is not known: "
                         f"{error}")  # fmt: skip
            continue
        if named:
            notes.append(
                f"loaders on {disk.called(esp)} name the old one: `og os configure` makes them anew"
            )
    return tuple(notes)


def _loaders(at: Path) -> Iterator[bytes]:
    found = (one for one in (at / "EFI").rglob("*") if one.suffix.lower() in (".cfg", ".efi"))
    for number, path in enumerate(found):
        if number >= _MOST_LOADERS:
            raise OSError(f"there are more than {_MOST_LOADERS}")
        if path.is_file():
            with path.open("rb") as file:
                yield file.read(_MOST_BYTES)
