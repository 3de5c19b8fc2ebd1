# SPDX-License-Identifier: GPL-3.0-or-later
"""Cpio archives as the kernel unpacks them (newc): written and read, nothing started.

What is written depends on names, modes and content alone: never on the order in which a filesystem
lists a folder, on inode numbers, or on whose files they were.
Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ogimage.shell import BuildError

_MAGIC = b"070701"
_HEADER = 110
_TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Member:
    """One file, folder or link of an archive; ``content`` of a link: where it leads to."""

    name: str
    mode: int
    uid: int
    gid: int
    mtime: int
    content: bytes


def archive_of_files(files: dict[str, bytes]) -> bytes:
    """An archive of these files, parent folders included."""
    folders = sorted({os.fspath(p) for name in files for p in Path(name).parents if p.name})
    members = [Member(name, 0o40755, 0, 0, 0, b"") for name in folders]
    members += [Member(name, 0o100644, 0, 0, 0, content) for name, content in files.items()]
    return b"".join(_packed(members))


def write_archive_of_tree(tree: Path, archive: Path, date: int) -> None:
    """An archive of all below ``tree``, owned by root; no file in it is younger than ``date``."""
    with archive.open("wb") as out:
        out.writelines(_packed(_members(tree, date)))


def _members(tree: Path, date: int) -> Iterator[Member]:
    for path in sorted(tree.rglob("*")):
        name, about = os.fspath(path.relative_to(tree)), path.lstat()
        if stat.S_ISLNK(about.st_mode):
            content = os.fsencode(path.readlink())
        elif stat.S_ISREG(about.st_mode):
            content = path.read_bytes()
        elif stat.S_ISDIR(about.st_mode):
            content = b""
        else:
            raise BuildError(f"{name} is neither a file nor a folder nor a link")
        yield Member(name, about.st_mode, 0, 0, min(int(about.st_mtime), date), content)


def _packed(members: Iterator[Member] | list[Member]) -> Iterator[bytes]:
    for inode, member in enumerate(members, 1):
        yield _entry(inode, member)
    yield _entry(0, Member(_TRAILER, 0, 0, 0, 0, b""))


def _entry(inode: int, member: Member) -> bytes:
    size, name = len(member.content), os.fsencode(member.name)
    if size >= 1 << 32:
        raise BuildError(f"{member.name} is too large for a cpio archive")
    # inode mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    owner = (member.uid, member.gid)
    fields = (inode, member.mode, *owner, 1, member.mtime, size, 0, 0, 0, 0, len(name) + 1, 0)
    header = _MAGIC + "".join(f"{value:08x}" for value in fields).encode()
    return padded(header + name + b"\0") + padded(member.content)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def members_of(stream: BinaryIO) -> Iterator[Member]:
    """What one archive holds; the stream is left behind its trailer. BuildError: it is damaged."""
    while True:
        header = stream.read(_HEADER)
        try:
            if len(header) < _HEADER or not header.startswith(_MAGIC):
                raise ValueError
            fields = [int(header[at : at + 8], 16) for at in range(len(_MAGIC), _HEADER, 8)]
        except ValueError:
            raise BuildError("the cpio archive ends early or is damaged") from None
        _, mode, uid, gid, _, mtime, size, *_, name_size, _ = fields
        name = _read(stream, name_size, -(_HEADER + name_size) % 4)
        content = _read(stream, size, -size % 4)
        if name == _TRAILER.encode() + b"\0":
            return
        yield Member(os.fsdecode(name.rstrip(b"\0")), mode, uid, gid, mtime, content)


def _read(stream: BinaryIO, size: int, padding: int) -> bytes:
    data = stream.read(size + padding)
    if len(data) < size:
        raise BuildError("the cpio archive ends early")
    return data[:size]
