# SPDX-License-Identifier: GPL-3.0-or-later
"""The checksums that images carry between their blocks, and content without them.

``Groups`` hands over content of which every so many bytes are followed by a checksum, and
checks each on the way. Which bytes, which checksum: the formats say. xxHash comes from the
system's libxxhash (rsync, apt and btrfs-progs bring it); where it is missing, an image that
needs it is refused by name before anything is written.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Protocol

from isal import isal_zlib

from oglib.errors import ImageError, OgErr
from oglib.image.format.partclone import (
    CHECKSUM_CRC32,
    CHECKSUM_NONE,
    CHECKSUM_V1,
    CHECKSUM_XXH64,
    CHECKSUM_XXH128,
)
from oglib.image.reading.formats.model import Buffer
from oglib.image.reading.formats.reader import Reader

NAMES = {
    CHECKSUM_NONE: "none",
    CHECKSUM_CRC32: "crc32",
    CHECKSUM_XXH64: "xxh64",
    CHECKSUM_XXH128: "xxh128",
    CHECKSUM_V1: "v1",
}
_MANY_VIEWS = 256


class Checker(Protocol):
    """One kind of checksum, fed with content."""

    def update(self, piece: Buffer) -> None: ...

    def matches(self, stored: bytes) -> bool:
        """Whether ``stored`` is the checksum of what was fed; the next group begins."""
        ...


class Crc32:
    """CRC-32; ``inverted`` at the end as everybody does but partclone.

    ``reseed``: every group starts anew.
    """

    def __init__(self, *, inverted: bool, reseed: bool = True) -> None:
        self._last = 0 if inverted else 0xFFFFFFFF
        self._reseed = reseed
        self._value = 0

    def update(self, piece: Buffer) -> None:
        self._value = isal_zlib.crc32(piece, self._value)

    def matches(self, stored: bytes) -> bool:
        value = self._value ^ self._last
        if self._reseed:
            self._value = 0
        return int.from_bytes(stored, "little") == value


class FirstByteCrc32:
    """partclone's checksum of version 0001: the first byte of a block, again and again.

    Its routine forgot to advance the pointer, and no block starts anew. So it says nothing of
    the rest of a block.
    """

    def __init__(self, block_size: int) -> None:
        self._size = block_size
        self._value = 0
        self._fresh = True

    def update(self, piece: Buffer) -> None:
        if self._fresh:
            self._value = isal_zlib.crc32(bytes(piece[:1]) * self._size, self._value)
            self._fresh = False

    def matches(self, stored: bytes) -> bool:
        self._fresh = True
        return int.from_bytes(stored[:4], "little") == self._value ^ 0xFFFFFFFF


class _Xxh128Hash(ctypes.Structure):
    _fields_ = (("low", ctypes.c_uint64), ("high", ctypes.c_uint64))


class Xxh:
    """XXH64 or XXH3-128 of libxxhash, seed 0.

    partclone stores XXH64 as the machine's (little-endian) integer. No writer of the 128-bit
    kind was at hand: its two halves are accepted in the machine's order and in xxHash's
    canonical one, which costs nothing of its strength.
    """

    def __init__(self, mode: int, *, reseed: bool) -> None:
        library = _xxhash()
        kind, create = ("XXH64", "XXH64") if mode == CHECKSUM_XXH64 else ("XXH3_128bits", "XXH3")
        make = getattr(library, f"{create}_createState")
        make.restype = ctypes.c_void_p
        self._free = getattr(library, f"{create}_freeState")
        self._free.argtypes = (ctypes.c_void_p,)
        self._reset_with = getattr(library, f"{kind}_reset")
        self._reset_with.argtypes = (
            (ctypes.c_void_p, ctypes.c_uint64) if mode == CHECKSUM_XXH64 else (ctypes.c_void_p,)
        )
        self._update = getattr(library, f"{kind}_update")
        self._update.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
        self._digest = getattr(library, f"{kind}_digest")
        self._digest.argtypes = (ctypes.c_void_p,)
        self._digest.restype = ctypes.c_uint64 if mode == CHECKSUM_XXH64 else _Xxh128Hash
        self._wide = mode == CHECKSUM_XXH128
        self._reseed = reseed
        self._state = ctypes.c_void_p(make())
        self._reset()

    def __del__(self) -> None:
        if state := getattr(self, "_state", None):
            self._free(state)

    def _reset(self) -> None:
        if self._wide:
            self._reset_with(self._state)
        else:
            self._reset_with(self._state, 0)

    def update(self, piece: Buffer) -> None:
        self._update(self._state, bytes(piece), len(piece))

    def matches(self, stored: bytes) -> bool:
        digest = self._digest(self._state)
        if self._reseed:
            self._reset()
        if not self._wide:
            return bool(stored == int(digest).to_bytes(8, "little"))
        halves = (int(digest.low), int(digest.high))
        return stored in (
            b"".join(half.to_bytes(8, "little") for half in halves),
            b"".join(half.to_bytes(8, "big") for half in reversed(halves)),
        )


def _xxhash() -> ctypes.CDLL:
    try:
        return ctypes.CDLL("libxxhash.so.0")
    except OSError:
        raise ImageError(
            "The image has xxHash checksums, and libxxhash is not installed to check them.",
            hint="Install libxxhash0, or capture the image with CRC32 checksums.",
            code=OgErr.NOTEXEC,
        ) from None


class Bare:
    """Content without checksums."""

    def __init__(self, reader: Reader) -> None:
        self.take = reader.take

    def finish(self) -> None:
        """Nothing stands behind the last block."""


class Groups:
    """Content from ``reader``: after each ``group_bytes`` of it stands its checksum.

    ``short_last``: a last, shorter group has a checksum too. ``after`` is told every piece of
    content and checksum, for formats that sum up the whole.
    """

    def __init__(
        self, reader: Reader, checker: Checker, group_bytes: int, checksum_bytes: int,
        *, short_last: bool = True, after: Callable[[Buffer], None] | None = None,
    ) -> None:  # fmt: skip
        self._reader = reader
        self._checker = checker
        self._group = self._left = group_bytes
        self._checksum = checksum_bytes
        self._short_last = short_last
        self._after = after
        self._taken = 0

    def take(self, count: int) -> list[memoryview]:
        """Exactly ``count`` bytes of content; ``ImageError`` where it is damaged or ends."""
        views: list[memoryview] = []
        while count:
            got = self._reader.take(min(count, self._left))
            size = 0
            for view in got:
                self._checker.update(view)
                size += len(view)
                if self._after:
                    self._after(view)
            views += got
            count -= size
            self._left -= size
            self._taken += size
            if not self._left:
                self._check()
        # Blocks of 512 bytes with a checksum each are better joined than handed over by the dozen.
        return views if len(views) <= _MANY_VIEWS else [memoryview(b"".join(views))]

    def _check(self) -> None:
        stored = self._reader.take_bytes(self._checksum)
        if self._after:
            self._after(stored)
        if not self._checker.matches(stored):
            start = self._taken - (self._group - self._left)
            raise ImageError(
                f"The image is damaged: the checksum of its content between byte {start} and "
                f"{self._taken} does not match.",
                hint="Copy or fetch it again; if that does not help, it was damaged before.",
            )
        self._left = self._group

    def finish(self) -> None:
        """Check the last, shorter group."""
        if self._short_last and self._left < self._group:
            self._check()
