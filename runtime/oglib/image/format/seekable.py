# SPDX-License-Identifier: GPL-3.0-or-later
"""The zstd seekable format's seek table: the skippable frame that ends ``NAME.img``.

It follows from the frame table, so it is produced from there, piece by piece, both to write
it and to compare it. Source: zstd's contrib/seekable_format/zstd_seekable_compression_format.md
(per-frame checksums are not in the table: each frame carries zstd's own).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from oglib.image.format.frames import FrameTable

_SKIPPABLE = 0x184D2A5E
_SEEKABLE = 0x8F92EAB1
_HEAD = struct.Struct("<II")
_ENTRY = struct.Struct("<II")
_FOOT = struct.Struct("<IBI")
_STEP_ENTRIES = 1 << 13


def seek_table_bytes(count: int) -> int:
    """The length of the seek table of ``count`` frames."""
    return _HEAD.size + count * _ENTRY.size + _FOOT.size


def seek_table(frames: FrameTable) -> Iterator[bytes]:
    """The seek table's bytes in pieces of at most 64 KiB."""
    yield _HEAD.pack(_SKIPPABLE, len(frames) * _ENTRY.size + _FOOT.size)
    piece = bytearray()
    for frame in frames:
        piece += _ENTRY.pack(frame.stored_len, frame.content_len)
        if len(piece) >= _STEP_ENTRIES * _ENTRY.size:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece) + _FOOT.pack(len(frames), 0, _SEEKABLE)
