# SPDX-License-Identifier: GPL-3.0-or-later
"""Small sound images of every format, and ways to spoil them that reach behind their checksums.

Made by hand from what the formats say: here nothing but bytes is wanted, thousands of times.
That the readers agree with the real tools is shown in ``tests/disk/image``.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import struct
import zlib
from collections.abc import Callable

import lz4.frame
import zstandard
from hypothesis import strategies as st

from oglib.image.format.partclone import HEADER_BYTES, crc32
from unit.image.synthetic import Partition, bitmap_bytes

BLOCK = 512
_CHANCE = random.Random(4)
USED = [index % 3 != 1 for index in range(40)]
BLOCKS = {index: _CHANCE.randbytes(BLOCK) for index, bit in enumerate(USED) if bit}
PARTITION = Partition(USED, BLOCK, BLOCKS)


def plain() -> bytes:
    """partclone 0002 without checksums."""
    return PARTITION.stream()


def sealed(raw: bytes) -> bytes:
    """``raw`` with the right CRC in a partclone 0002 header, whatever the header says."""
    return raw[: HEADER_BYTES - 4] + struct.pack("<I", crc32(raw[: HEADER_BYTES - 4])) + raw[110:]


def checked() -> bytes:
    """partclone 0002 with a CRC behind every four blocks, as it writes by default."""
    raw = bytearray(plain())
    struct.pack_into("<HHI", raw, 96, 0x20, 4, 4)
    body = HEADER_BYTES + len(USED) // 8 + 4
    groups = [raw[at : at + 4 * BLOCK] for at in range(body, len(raw), 4 * BLOCK)]
    return sealed(bytes(raw[:body])) + b"".join(
        bytes(group) + struct.pack("<I", crc32(group)) for group in groups
    )


def old() -> bytes:
    """partclone 0001: one byte a block, and a checksum of each block's first byte."""
    raw = struct.pack(
        "<15s15s4s2xiQQQ", b"partclone-image", b"EXTFS", b"0001", BLOCK,
        len(USED) * BLOCK, len(USED), sum(USED),
    ).ljust(4160, b"\0") + bytes(USED) + b"BiTmAgIc"  # fmt: skip
    value = 0xFFFFFFFF
    for block in BLOCKS.values():
        value = crc32(block[:1] * BLOCK, value)
        raw += block + struct.pack("<I", value)
    return raw


def ntfsclone() -> bytes:
    total = len(USED)
    raw = struct.pack(
        "<16sBBIQqqI2x", b"\0ntfsclone-image", 10, 1, BLOCK, total * BLOCK + BLOCK, total,
        sum(USED), 52,
    )  # fmt: skip
    for index, bit in enumerate(USED):
        raw += b"\1" + BLOCKS[index] if bit else b"\0" + struct.pack("<q", 1)
    return raw + b"\1" + BLOCKS[0]


def partimage() -> bytes:
    raw = b"PaRtImAgE-VoLuMe".ljust(32, b"\0") + b"0.6.1".ljust(64, b"\0")
    volume = (raw + struct.pack("<IQ", 0, 7)).ljust(512, b"\0")

    def header(content: bytes) -> bytes:
        whole = content.ljust(16384, b"\0")
        return whole + struct.pack("<I", sum(memoryview(whole).cast("b")) & 0xFFFFFFFF)

    bits = bitmap_bytes(USED)
    content = b"".join(BLOCKS.values())
    parts = [header(b"ext2fs"), b"MAGIC-BEGIN-MBRBACKUP"]
    parts += [b"MAGIC-BEGIN-EXT%03d" % number + bytes(4) for number in range(10)]
    local = struct.pack("<4Q", BLOCK, sum(USED), len(USED), len(bits))
    parts += [b"MAGIC-BEGIN-LOCALHEADER", header(local), b"MAGIC-BEGIN-BITMAP", bits]
    parts += [b"MAGIC-BEGIN-INFO", header(b""), b"MAGIC-BEGIN-DATABLOCKS", content]
    parts += [b"MAGIC-BEGIN-TAIL"]
    joined = b"".join(parts)
    return volume + joined + struct.pack("<Q", sum(joined)).ljust(16384, b"\0")


def lzop(raw: bytes) -> bytes:
    """Blocks as lzop stores what cannot be made smaller, with the checksums it takes."""
    inner = struct.pack(">HHHBBIIIIB", 0x1040, 0x20A0, 0x0940, 1, 5, 0x0300_0001, 0o644, 0, 0, 0)
    packed = b"\x89LZO\0\r\n\x1a\n" + inner + struct.pack(">I", zlib.adler32(inner))
    for at in range(0, len(raw), 4096):
        piece = raw[at : at + 4096]
        packed += struct.pack(">III", len(piece), len(piece), zlib.adler32(piece)) + piece
    return packed + bytes(4)


IMAGES: dict[str, Callable[[], bytes]] = {
    "partclone": plain,
    "partclone-crc": checked,
    "partclone-0001": old,
    "ntfsclone": ntfsclone,
    "partimage": partimage,
}
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": lambda raw: gzip.compress(raw, mtime=0),
    "lzop": lzop,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "lz4": lambda raw: lz4.frame.compress(raw, content_checksum=True, block_checksum=True),
    "xz": lambda raw: lzma.compress(raw, preset=0),
    "bzip2": bz2.compress,
}

_EXTREMES = tuple(
    struct.pack(layout, value & (1 << bits) - 1)
    for layout, bits in (("<I", 32), ("<Q", 64), (">I", 32))
    for value in (0, 1, (1 << (bits - 1)) - 1, 1 << (bits - 1), -1)
)


@st.composite
def spoiled(draw: st.DrawFn, raw: bytes, *, first: int = 0) -> bytes:
    """``raw`` after one to four changes; ``first``: more of them in that many first bytes."""
    data = bytearray(raw)
    for _ in range(draw(st.integers(1, 4))):
        most = min(first, len(data)) if first and draw(st.booleans()) else len(data)
        place = draw(st.integers(0, most))
        piece = draw(st.sampled_from(_EXTREMES) | st.binary(min_size=1, max_size=12))
        match draw(st.sampled_from(("put", "put", "insert", "delete", "cut"))):
            case "put":
                data[place : place + len(piece)] = piece
            case "insert":
                data[place:place] = piece
            case "delete":
                del data[place : place + len(piece)]
            case _:
                del data[place:]
    return bytes(data)
