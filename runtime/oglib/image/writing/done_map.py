# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames are on the target for certain, kept in a file so that a rerun can go on.

A map belongs to one target and one image (its key); another one's map, and a damaged one, is
discarded whole. Marks are appended, each with a check value: a torn last mark is dropped. The
caller marks a frame only after its data was flushed. Little-endian:

    magic[16] | key[32] | u64 frames | check[8], then marks: u32 first | u32 count | check[8]
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

from blake3 import blake3

from oglib.errors import WriteError
from oglib.image.writing.target import Target
from oglib.partfile import stand_in

RUN_FOLDER = Path("/run/oglive/restore")
_MAGIC = b"OGLIVE-DONEMAP\0\1"
_HEAD = struct.Struct("<16s32sQ8s")
_MARK = struct.Struct("<II8s")
_CHECK_BYTES = 8


def map_key(target: Target, image_blake3: str) -> bytes:
    """What a map belongs to: this target and this image."""
    words = f"{target.identity}\0{image_blake3}"
    return blake3(words.encode("utf-8", "surrogateescape")).digest()


def map_path(target: Target, folder: Path = RUN_FOLDER) -> Path:
    """Where the map of ``target`` is: one per target, so a later image replaces an earlier."""
    if not target.is_block:
        return target.path.with_name(f".{stand_in(target.path.name)}.ogmap")
    identity = target.identity.encode("utf-8", "surrogateescape")
    return folder / f"{blake3(identity).hexdigest()[:32]}.map"


class DoneMap:
    """The frames of one restore that are done; iterating gives them, ascending."""

    def __init__(self, path: Path, key: bytes, count: int) -> None:
        self.path = path
        self._key = key
        self._done = bytearray(count)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            if not self._load():
                self.reset()
        except OSError as error:
            os.close(self._fd)
            raise self._unusable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        os.close(self._fd)

    def _check(self, *numbers: int) -> bytes:
        packed = struct.pack(f"<{len(numbers)}Q", *numbers)
        return blake3(self._key + packed).digest()[:_CHECK_BYTES]

    def _head(self) -> bytes:
        count = len(self._done)
        return _HEAD.pack(_MAGIC, self._key, count, self._check(count))

    def _load(self) -> bool:
        """Take over the marks in the file; False when it is not wholly ours and sound."""
        status = os.fstat(self._fd)
        if status.st_uid != os.geteuid() or status.st_size > (len(self._done) + 8) * _MARK.size:
            return False
        data = os.pread(self._fd, status.st_size, 0)
        if data[: _HEAD.size] != self._head():
            return False
        whole = len(data) - (len(data) - _HEAD.size) % _MARK.size
        for first, count, check in _MARK.iter_unpack(data[_HEAD.size : whole]):
            if check != self._check(first, count) or first + count > len(self._done):
                self._done = bytearray(len(self._done))
                return False
            self._done[first : first + count] = b"\1" * count
        os.ftruncate(self._fd, whole)
        os.lseek(self._fd, whole, os.SEEK_SET)
        return True

    def reset(self) -> None:
        """Forget every mark, in memory and in the file."""
        self._done = bytearray(len(self._done))
        try:
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
        except OSError as error:
            raise self._unusable(error) from error
        self._append(self._head())

    def _append(self, data: bytes) -> None:
        try:
            if os.write(self._fd, data) != len(data):
                raise WriteError(f"There is no room for the map of done frames {self.path}.")
            os.fdatasync(self._fd)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> WriteError:
        return WriteError(
            f"The map of done frames {self.path} cannot be kept: {error.strerror}.",
            hint="Make room there, or remove what is in its place.",
        )

    def __contains__(self, index: int) -> bool:
        return bool(self._done[index])

    def __len__(self) -> int:
        """How many are done."""
        return self._done.count(1)

    def __iter__(self) -> Iterator[int]:
        return (index for index, done in enumerate(self._done) if done)

    def mark(self, indexes: Iterable[int]) -> None:
        """These frames, ascending, are done: their data is on the medium."""
        marks = bytearray()
        first = last = -1
        for index in chain(indexes, (-1,)):
            if index == last + 1 and first >= 0:
                last = index
                continue
            if first >= 0:
                count = last - first + 1
                marks += _MARK.pack(first, count, self._check(first, count))
                self._done[first : last + 1] = b"\1" * count
            first = last = index
        if marks:
            self._append(bytes(marks))

    def remove(self) -> None:
        """The restore is complete: nothing is left to resume."""
        self.path.unlink(missing_ok=True)
