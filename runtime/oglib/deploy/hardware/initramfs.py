# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernel modules an initramfs carries: read from its bytes, and no code of it is run.

It is one or more cpio archives, one behind the other, as the kernel reads it
(Documentation/driver-api/early-userspace/buffer-format.rst): those with microcode or firmware as
they are, the last one mostly compressed. Of a module nothing counts but its name and its kernel.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import BinaryIO

from oglib.errors import ImageError, OgError, printable
from oglib.image.reading.unpack import Unpacked, unpacked
from oglib.image.reading.unpack.compressors import NONE
from oglib.osconfig.linux.modules import spelled

# newc and crc: magic, 13 numbers of eight hexadecimal digits, the name, the file (cpio(5)).
_MAGICS = (b"070701", b"070702")
_BEGIN = b"0707"
_HEAD_BYTES = 110
_FILE_SIZE = slice(54, 62)
_NAME_SIZE = slice(94, 102)
_NUMBERS = re.compile(rb"[0-9A-Fa-f]{104}")
_TRAILER = b"TRAILER!!!"
_MODULE = re.compile(rb"(?:\./|/)?(?:usr/)?lib/modules/([^/]+)/(?:.*/)?([^/]+)\.ko(?:\.[a-z0-9]+)?")
# What only the initramfs of one program holds.
_MAKERS = {
    "initramfs-tools": re.compile(rb"(?:\./|/)?conf/initramfs\.conf"),
    "dracut": re.compile(rb"(?:\./|/)?(?:usr/)?lib/dracut(?:/.*)?"),
    "mkinitcpio": re.compile(rb"(?:\./|/)?buildconfig"),
}
_MOST_NAME_BYTES = 4096
_MOST_FILES = 200_000
_MOST_CONTENT_BYTES = 4 << 30
MOST_BYTES = 1 << 30
_MOST_STREAMS = 64
_MOST_ZEROS = 1 << 20  # between two archives
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Carried:
    """``modules``: (kernel, module) of each; ``makers``: the programs that it looks made by."""

    modules: frozenset[tuple[str, str]]
    makers: frozenset[str]

    def of(self, kernel: str) -> frozenset[str]:
        """The modules for one kernel, by its version."""
        return frozenset(name for version, name in self.modules if version == kernel)


def read_initramfs(file: BinaryIO, called: str) -> Carried:
    """What the open file carries. OgError where that cannot be told: damaged, foreign, endless."""
    walk = _Walk()
    try:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            raise _Strange(f"it has {size} bytes")
        offset = 0
        while offset < size:
            walk.streams += 1
            if walk.streams > _MOST_STREAMS:
                raise _Strange(f"it is made of more than {_MOST_STREAMS} pieces")
            offset += _stream(_Stretch(file.fileno(), offset, size - offset, called), walk)
        if not walk.archives:
            raise _Strange("it holds no archive")
    except (_Strange, ImageError) as error:
        why = error.message if isinstance(error, ImageError) else str(error)
        raise OgError(
            f"What the initramfs {printable(called)} carries cannot be read: {why.rstrip('.')}."
        ) from error
    return Carried(frozenset(walk.modules), frozenset(walk.makers))


class _Strange(Exception):
    """What is there is no archive that the kernel would take."""


@dataclass(slots=True)
class _Walk:
    """What was found so far, in all archives of one initramfs."""

    modules: set[tuple[str, str]] = field(default_factory=set)
    makers: set[str] = field(default_factory=set)
    streams: int = 0
    archives: int = 0
    files: int = 0
    content_bytes: int = 0

    def take(self, name: bytes, size_bytes: int) -> None:
        self.files += 1
        self.content_bytes += size_bytes
        if self.files > _MOST_FILES or self.content_bytes > _MOST_CONTENT_BYTES:
            raise _Strange("it unpacks to more than any initramfs holds")
        if found := _MODULE.fullmatch(name):
            kernel, module = (os.fsdecode(one) for one in found.groups())
            self.modules.add((kernel, spelled(module)))
        else:
            self.makers |= {maker for maker, mark in _MAKERS.items() if mark.fullmatch(name)}


class _Stretch:
    """The rest of an open file from a place on, as a source of stored bytes."""

    def __init__(self, fd: int, start: int, size_bytes: int, called: str) -> None:
        self.size_bytes = size_bytes
        self._fd, self._start, self._called = fd, start, called

    def read(self, offset: int, length: int) -> bytes:
        try:
            data = os.pread(self._fd, length, self._start + offset)
        except OSError as error:
            raise ImageError(f"{self._called}: {error.strerror}.") from error
        if len(data) != length:
            raise ImageError(f"{self._called} became shorter while it was read.")
        return data

    def describe(self) -> str:
        return self._called

    def close(self) -> None:
        """The file is its owner's."""


def _stream(source: _Stretch, walk: _Walk) -> int:
    """Read the archives that begin here, as they are or as one compressor wrote them.

    Returns how many stored bytes they take; to the end, where they are compressed.
    """
    with unpacked(source, workers=_WORKERS) as stream:
        end = _archives(stream, walk)
        if stream.compressor != NONE:
            return source.size_bytes
        if not end:
            raise _Strange("it goes on with what is neither an archive nor compressed")
        return end


def _archives(stream: Unpacked, walk: _Walk) -> int:
    """Read archives and the zeros between them; where something else begins, or the stream ends."""
    before = walk.archives
    zeros = 0
    while True:
        try:
            four = b"".join(stream.take_up_to(len(_BEGIN)))
        except ImageError:
            if walk.archives > before:  # behind whole archives: the kernel reads no further either
                return stream.position
            raise
        if four and not any(four):
            zeros += len(four)
            if zeros > _MOST_ZEROS:
                raise _Strange("it is mostly zeros")
            continue
        if four != _BEGIN:
            return stream.position - len(four.lstrip(b"\0"))
        _archive(stream, walk)


def _archive(stream: Unpacked, walk: _Walk) -> None:
    """One archive, of which the first bytes were taken."""
    start = stream.position - len(_BEGIN)
    head = _BEGIN + stream.take_bytes(_HEAD_BYTES - len(_BEGIN))
    while True:
        numbers = head[len(_MAGICS[0]) :]
        if not head.startswith(_MAGICS) or not _NUMBERS.fullmatch(numbers):
            raise _Strange(f"a file in it begins wrongly, before byte {stream.position}")
        name_bytes, file_bytes = int(head[_NAME_SIZE], 16), int(head[_FILE_SIZE], 16)
        if not 0 < name_bytes <= _MOST_NAME_BYTES:
            raise _Strange(f"a name in it has {name_bytes} bytes")
        name = stream.take_bytes(name_bytes).split(b"\0")[0]
        _align(stream, start)
        if name == _TRAILER:
            walk.archives += 1
            return
        walk.take(name, file_bytes)
        stream.skip(file_bytes)
        _align(stream, start)
        head = stream.take_bytes(_HEAD_BYTES)


def _align(stream: Unpacked, start: int) -> None:
    stream.skip((start - stream.position) % 4)
