# SPDX-License-Identifier: GPL-3.0-or-later
"""Which compressor wrote a file, by its first bytes and by nothing else (names lie)."""

from __future__ import annotations

from oglib.errors import ImageError
from oglib.image.reading.source import FrameSource
from oglib.image.reading.unpack.compressors import COMPRESSORS, NONE

# A level digit alone would make any text that begins with "BZh" a bzip2 file.
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")
_SKIPPABLE = b"\x2a\x4d\x18"
_SKIPPABLE_HEAD_BYTES = 8
_MOST_SKIPPABLE = 64
_HEAD_BYTES = 16


def compressor_of(head: bytes) -> str:
    """none, gzip, lzop, zstd, lz4, xz, bzip2, lzma, lzip; lrzip and compress are named only.

    16 bytes are enough, but for a skippable frame at the start (zstd and lz4 share it), which
    counts as zstd's unless ``head`` reaches beyond it.
    """
    for known in COMPRESSORS:
        if head.startswith(known.magics):
            return known.name
    if head[:3] == b"BZh" and head[3:4] in b"123456789" and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    if _is_lzma(head):
        return "lzma"
    if is_skippable(head):
        return compressor_of(head[skippable_bytes(head) :]) if _reaches(head) else "zstd"
    return NONE


def _reaches(head: bytes) -> bool:
    return len(head) >= skippable_bytes(head) + 4


def is_skippable(head: bytes) -> bool:
    """Whether a skippable frame of zstd and lz4 begins here."""
    return len(head) >= _SKIPPABLE_HEAD_BYTES and head[0] >> 4 == 5 and head[1:4] == _SKIPPABLE


def skippable_bytes(head: bytes) -> int:
    """The whole length of the skippable frame that begins here."""
    return _SKIPPABLE_HEAD_BYTES + int.from_bytes(head[4:8], "little")


def _is_lzma(head: bytes) -> bool:
    """The old .lzma has no magic: the usual properties, a sane window, an unknown length."""
    return head[:3] == b"\x5d\0\0" and len(head) >= 13 and head[5:13] == b"\xff" * 8


def compressor_in(source: FrameSource) -> str:
    """The compressor of a whole file, past any skippable frames at its start."""
    offset = 0
    for _ in range(_MOST_SKIPPABLE):
        head = source.read(offset, min(_HEAD_BYTES, source.size_bytes - offset))
        if not is_skippable(head):
            return compressor_of(head) if offset == 0 or compressor_of(head) != NONE else "zstd"
        offset += skippable_bytes(head)
        if offset >= source.size_bytes:
            return "zstd"
    raise ImageError(f"{source.describe()} begins with more than {_MOST_SKIPPABLE} empty frames.")
