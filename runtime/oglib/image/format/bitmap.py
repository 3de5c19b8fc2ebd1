# SPDX-License-Identifier: GPL-3.0-or-later
"""Which blocks are used, read by mmap from a file: a terabyte's bitmap is never in memory.

Bit ``i`` of the bitmap is bit ``i % 8`` of byte ``i // 8``. A region's bits are taken as one
integer, so counting is one operation and a full region one comparison; only a region with
holes costs a step per run. Knows nothing of frames or filesystems.
"""

from __future__ import annotations

import mmap
from types import TracebackType
from typing import BinaryIO, Self

from oglib.errors import ImageError
from oglib.image.format.partclone import CRC_BYTES, crc32

_STEP_BYTES = 1 << 20


class Bitmap:
    """The bitmap of ``total_blocks`` blocks that starts ``offset`` bytes into ``file``."""

    def __init__(self, file: BinaryIO, offset: int, total_blocks: int) -> None:
        self.total_blocks = total_blocks
        self._offset = offset
        self._bytes = (total_blocks + 7) // 8
        self._map = mmap.mmap(file.fileno(), offset + self._bytes + CRC_BYTES, prot=mmap.PROT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        self._map.close()

    def check(self, used_blocks: int) -> None:
        """Raise ``ImageError`` unless the bitmap's CRC and its number of used blocks are right."""
        end = self._offset + self._bytes
        crc, used = 0xFFFFFFFF, 0
        for start in range(self._offset, end, _STEP_BYTES):
            piece = self._map[start : min(start + _STEP_BYTES, end)]
            crc = crc32(piece, crc)
            used += int.from_bytes(piece, "little").bit_count()
            # Pages already seen must not count as this process's memory.
            self._map.madvise(mmap.MADV_DONTNEED)
        used -= self._stray_bits()
        if crc != int.from_bytes(self._map[end : end + CRC_BYTES], "little"):
            raise ImageError("The partclone bitmap is damaged: its CRC does not match.")
        if used != used_blocks:
            raise ImageError(
                f"The partclone bitmap has {used} used blocks, its header says {used_blocks}."
            )

    def _stray_bits(self) -> int:
        """Bits set behind the last block: partclone fills whole bytes, they mean nothing."""
        rest = self.total_blocks % 8
        last = self._map[self._offset + self._bytes - 1]
        return (last >> rest).bit_count() if rest else 0

    def bits(self, first_block: int, count: int) -> int:
        """The bits of ``count`` blocks from ``first_block``, lowest block in the lowest bit."""
        count = min(count, self.total_blocks - first_block)
        if count <= 0:
            return 0
        first_byte = self._offset + first_block // 8
        last_byte = self._offset + (first_block + count + 7) // 8
        bits = int.from_bytes(self._map[first_byte:last_byte], "little") >> (first_block % 8)
        return bits & ((1 << count) - 1)

    def used(self, first_block: int, count: int) -> int:
        """How many of ``count`` blocks from ``first_block`` are used."""
        return self.bits(first_block, count).bit_count()

    def runs(self, first_block: int, count: int) -> list[tuple[int, int]]:
        """The used blocks as ``(block, length)`` runs, ascending, block numbers absolute."""
        bits = self.bits(first_block, count)
        if not bits & (bits + 1):  # one run from the start: a full region, the common case
            return [(first_block, bits.bit_length())] if bits else []
        runs: list[tuple[int, int]] = []
        block = first_block
        while bits:
            gap = (bits & -bits).bit_length() - 1
            bits >>= gap
            length = (~bits & (bits + 1)).bit_length() - 1
            runs.append((block + gap, length))
            bits >>= length
            block += gap + length
        return runs
