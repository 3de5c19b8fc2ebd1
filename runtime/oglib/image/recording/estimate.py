# SPDX-License-Identifier: GPL-3.0-or-later
"""How large an image will become, known before its first byte: used blocks and a sample of them.

The sample is compressed at zstd's lowest level, so the estimate is rather too high. Reads what
``read_at`` gives and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import zstandard

from oglib.image.format.bitmap import Bitmap
from oglib.image.format.frames import region_bytes_for
from oglib.image.format.partclone import Header

ReadAt = Callable[[int, int], bytes]

TYPICAL_RATIO = 0.6
_SAMPLES = 32
_LOOKS = 16 * _SAMPLES
_SAMPLE_BYTES = 256 << 10
_ROW_BYTES = 96  # of the frame table and the seek table, for each region


def estimated_bytes(header: Header, bitmap: Bitmap, read_at: ReadAt | None) -> int:
    """The bytes of image and frame table; ``read_at(offset, length)`` gives the partition's.

    Without ``read_at`` (or when the sample met no used block) by what is typical.
    """
    region = region_bytes_for(header.block_size)
    regions = -(-header.total_blocks * header.block_size // region)
    used = header.used_blocks * header.block_size
    ratio = _ratio(header, bitmap, regions, read_at) if read_at else TYPICAL_RATIO
    # bitmaps compress well, at worst to nothing less
    rows = min(regions, header.used_blocks) * _ROW_BYTES
    return int(used * ratio) + rows + header.prefix_bytes // 8


def _ratio(header: Header, bitmap: Bitmap, regions: int, read_at: ReadAt) -> float:
    per_region = region_bytes_for(header.block_size) // header.block_size
    chance = random.Random(header.used_blocks)  # noqa: S311 - a sample, and the same each time
    looks = range(regions) if regions <= _SAMPLES else _some(regions, chance)
    compressor = zstandard.ZstdCompressor(level=1)
    found = taken = stored = 0
    for region in looks:
        runs = bitmap.runs(region * per_region, per_region)
        if not runs:
            continue
        block, count = runs[chance.randrange(len(runs))]
        length = min(count * header.block_size, _SAMPLE_BYTES)
        content = read_at(block * header.block_size, length)
        taken += len(content)
        stored += len(compressor.compress(content))
        found += 1
        if found == _SAMPLES:
            break
    return min(1.0, stored / taken) if taken else TYPICAL_RATIO


def _some(regions: int, chance: random.Random) -> list[int]:
    return [chance.randrange(regions) for _ in range(_LOOKS)]
