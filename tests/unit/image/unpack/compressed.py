# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed files as the tools write them, made in memory, and a source over them."""

from __future__ import annotations

import bz2
import ctypes
import gzip
import lzma
import random
import struct
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import ClassVar

import lz4.block
import lz4.frame
import zstandard

from oglib.image.reading.unpack import Unpacked, unpacked

SKIPPABLE = b"\x50\x2a\x4d\x18" + struct.pack("<I", 20) + bytes(20)


class BytesSource:
    """A frame source over bytes that remembers whether it was closed."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.closed = False

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        assert offset + length <= len(self.data), "read past the end"
        return self.data[offset : offset + length]

    def describe(self) -> str:
        return "test image"

    def close(self) -> None:
        self.closed = True


def content(size: int, seed: int = 1) -> bytes:
    """Half of it random, half of it the same again: neither stored nor trivial."""
    chance = random.Random(seed)
    pieces = [chance.randbytes(2048) + bytes(512) + b"0123456789abcdef" * 96 for _ in range(64)]
    return b"".join(pieces[chance.randrange(64)] for _ in range(size // 4096 + 1))[:size]


def unpack_all(data: bytes, *, workers: int = 2, step: int = 1 << 20) -> bytes:
    with unpacked(BytesSource(data), workers=workers) as stream:
        got = read_all(stream, step)
        stream.finish()
        assert stream.position == len(got)
        return got


def read_all(stream: Unpacked, step: int = 1 << 20) -> bytes:
    parts: list[memoryview] = []
    while views := stream.take_up_to(step):
        parts += views
    return b"".join(parts)


class Lzop:
    """Writes lzop files with liblzo2, with each set of flags that lzop can."""

    ADLER, ADLER_STORED, CRC, CRC_STORED = 0x1, 0x2, 0x100, 0x200
    EXTRA, MULTIPART, FILTER, HEADER_CRC = 0x40, 0x400, 0x800, 0x1000
    _library: ClassVar[ctypes.CDLL | None] = None

    @classmethod
    def compress(cls, data: bytes) -> bytes:
        cls._library = cls._library or ctypes.CDLL("liblzo2.so.2")
        room = ctypes.create_string_buffer(len(data) + len(data) // 16 + 67)
        work = ctypes.create_string_buffer(64 << 10 << 3)
        size = ctypes.c_size_t(len(room))
        assert cls._library.lzo1x_1_compress(data, len(data), room, ctypes.byref(size), work) == 0
        return room.raw[: size.value]

    @classmethod
    def header(
        cls, flags: int = ADLER, *, method: int = 1, version: int = 0x1040, name: bytes = b"x"
    ) -> bytes:
        head = struct.pack(">HHHB", version, 0x20A0, 0x0940, method)
        head += b"\5" if version >= 0x0940 else b""
        head += struct.pack(">I", flags) + (bytes(4) if flags & cls.FILTER else b"")
        head += bytes(12 if version >= 0x0940 else 8) + bytes([len(name)]) + name
        summed = zlib.crc32 if flags & cls.HEADER_CRC else zlib.adler32
        extra = struct.pack(">I", 5) + b"extra" if flags & cls.EXTRA else b""
        extra += struct.pack(">I", summed(extra)) if extra else b""
        return b"\x89LZO\0\r\n\x1a\n" + head + struct.pack(">I", summed(head)) + extra

    @classmethod
    def block(cls, data: bytes, flags: int) -> bytes:
        stored = min(cls.compress(data), data, key=len)
        sums = b""
        for flag, function, of in (
            (cls.ADLER, zlib.adler32, data),
            (cls.CRC, zlib.crc32, data),
            (cls.ADLER_STORED, zlib.adler32, stored),
            (cls.CRC_STORED, zlib.crc32, stored),
        ):
            if flags & flag and (of is data or len(stored) < len(data)):
                sums += struct.pack(">I", function(of))
        return struct.pack(">II", len(data), len(stored)) + sums + stored

    @classmethod
    def file(cls, data: bytes, flags: int = ADLER, block_bytes: int = 256 << 10) -> bytes:
        starts = range(0, len(data), block_bytes)
        blocks = b"".join(cls.block(data[at : at + block_bytes], flags) for at in starts)
        return cls.header(flags) + blocks + bytes(4)


def lz4_legacy(data: bytes) -> bytes:
    out = b"\x02\x21\x4c\x18"
    for at in range(0, len(data), 8 << 20):
        block = lz4.block.compress(data[at : at + (8 << 20)], store_size=False)
        out += struct.pack("<I", len(block)) + block
    return out


def zstd(data: bytes, *, tells_size: bool = True, checksum: bool = True) -> bytes:
    context = zstandard.ZstdCompressor(
        level=1, write_checksum=checksum, write_content_size=tells_size
    )
    return context.compress(data)


def cut(data: bytes, size: int) -> list[bytes]:
    marks = [*range(0, len(data), size), len(data)]
    return [data[start:stop] for start, stop in pairwise(marks)]


def pzstd(data: bytes) -> bytes:
    """A skippable frame before each frame tells its size, as pzstd writes it."""
    out = b""
    for piece in cut(data, 700_000):
        frame = zstd(piece)
        out += b"\x50\x2a\x4d\x18" + struct.pack("<II", 4, len(frame)) + frame
    return out


def lz4_frame(data: bytes, *, linked: bool = False) -> bytes:
    return bytes(
        lz4.frame.compress(
            data, block_linked=linked, content_checksum=True, block_checksum=not linked
        )
    )


def in_members(compress: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda data: b"".join(compress(piece) for piece in cut(data, len(data) // 3 + 1))


def lzip(data: bytes) -> bytes:
    """One member, as lzip writes it."""
    coder: dict[str, int] = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": 1 << 16,
        "lc": 3,
        "lp": 0,
        "pb": 2,
    }
    raw = lzma.compress(data, lzma.FORMAT_RAW, filters=[coder])
    tail = struct.pack("<IQQ", zlib.crc32(data), len(data), len(raw) + 26)
    return b"LZIP\1\x10" + raw + tail


FILES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "none": ("none", bytes),
    "gzip": ("gzip", gzip.compress),
    "gzip-members": ("gzip", in_members(gzip.compress)),
    "lzop": ("lzop", Lzop.file),
    "lzop-members": ("lzop", in_members(Lzop.file)),
    "lzop-crc": ("lzop", lambda data: Lzop.file(data, Lzop.CRC | Lzop.CRC_STORED)),
    "lzop-adler-both": ("lzop", lambda data: Lzop.file(data, Lzop.ADLER | Lzop.ADLER_STORED)),
    "lzop-unchecked": ("lzop", lambda data: Lzop.file(data, 0)),
    "lzop-extra": ("lzop", lambda data: Lzop.file(data, Lzop.EXTRA | Lzop.HEADER_CRC)),
    "zstd": ("zstd", zstd),
    "zstd-unsized": ("zstd", lambda data: zstd(data, tells_size=False)),
    "zstd-unchecked": ("zstd", lambda data: zstd(data, checksum=False)),
    "zstd-skippable-first": ("zstd", lambda data: SKIPPABLE + zstd(data) + SKIPPABLE),
    "zstd-frames": ("zstd", pzstd),
    "lz4": ("lz4", lz4_frame),
    "lz4-linked": ("lz4", lambda data: lz4_frame(data, linked=True)),
    "lz4-frames": ("lz4", in_members(lz4_frame)),
    "lz4-skippable-first": ("lz4", lambda data: SKIPPABLE + lz4_frame(data)),
    "lz4-legacy": ("lz4", lz4_legacy),
    "lz4-legacy-then-frame": ("lz4", lambda data: lz4_legacy(data[:1000]) + lz4_frame(data[1000:])),
    "xz": ("xz", lambda data: lzma.compress(data, preset=0)),
    "xz-padded": ("xz", lambda d: lzma.compress(d[:9], preset=0) + bytes(8) + lzma.compress(d[9:])),
    "lzma": ("lzma", lambda data: lzma.compress(data, lzma.FORMAT_ALONE, preset=0)),
    "lzip": ("lzip", lzip),
    "lzip-members": ("lzip", in_members(lzip)),
    "bzip2": ("bzip2", bz2.compress),
    "bzip2-streams": ("bzip2", in_members(bz2.compress)),
}
