# SPDX-License-Identifier: GPL-3.0-or-later
"""lzop files: blocks that stand alone, so threads unpack them side by side.

Parses lzop's layout and gives the blocks to liblzo2's safe decompressor. Big-endian, as lzop 1.04
reads and writes it:

    magic[9] | u16 version, library, version needed | u8 method, level | u32 flags [u32 filter]
    u32 mode, time, time's upper half | u8 length, name | u32 checksum of all after the magic
    [u32 length, extra field, u32 checksum]

Then blocks: u32 unpacked length (0 = end) | u32 stored length | checksums of the unpacked and,
where it is shorter, of the stored bytes, as the flags say | stored bytes.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

from isal import isal_zlib

from oglib.errors import ImageError, OgErr
from oglib.image.ordered import in_order
from oglib.image.reading.unpack.feed import Feed

Checksum = Callable[[memoryview | bytes], int]

MAGIC = b"\x89LZO\0\r\n\x1a\n"

_ADLER_UNPACKED, _CRC_UNPACKED = 0x1, 0x100
_ADLER_STORED, _CRC_STORED = 0x2, 0x200
_EXTRA_FIELD, _MULTIPART, _FILTER, _HEADER_CRC = 0x40, 0x400, 0x800, 0x1000
_LZO1X_METHODS = (1, 2, 3)
_FIRST_WITH_LEVEL = 0x0940
_MOST_EXTRA_BYTES = 1 << 20
# lzop writes 256 KiB and never more unless told; its limit of 64 MiB a thread is too much memory.
_MAX_BLOCK_BYTES = 8 << 20
_BATCH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Sums:
    """The checksum of the unpacked and that of the stored bytes, where there is one."""

    unpacked: Checksum | None
    stored: Checksum | None


@dataclass(frozen=True, slots=True)
class _Block:
    """``stored`` holds the block's bytes from ``offset`` on, and others."""

    stored: bytes
    offset: int
    stored_len: int
    unpacked_len: int
    unpacked_sum: int
    stored_sum: int


@dataclass(frozen=True, slots=True)
class _Batch:
    blocks: list[_Block]
    sums: _Sums
    unpacked_len: int
    end: int


class _WrongError(Exception):
    pass


def unpack(feed: Feed, workers: int) -> Generator[bytearray, None, None]:
    """The content in pieces of about 1 MiB; every checksum in the file is verified."""
    lzo1x = _lzo1x()

    def work(batch: _Batch) -> bytearray:
        try:
            return _unpack(batch, lzo1x)
        except _WrongError as error:
            raise feed.damaged(str(error), batch.end) from None

    with closing(in_order(work, _batches(feed), workers)) as pieces:
        yield from pieces


@cache
def _lzo1x() -> Any:
    try:
        library = ctypes.CDLL("liblzo2.so.2")
    except OSError as error:
        raise ImageError(
            f"lzop images need the LZO library, which cannot be loaded: {error}.",
            hint="Install the package liblzo2-2.",
            code=OgErr.NOTEXEC,
        ) from error
    function = library.lzo1x_decompress_safe
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    function.argtypes = (pointer, size, pointer, ctypes.POINTER(size), pointer)
    return function


def _unpack(batch: _Batch, lzo1x: Any) -> bytearray:
    content = bytearray(batch.unpacked_len)
    view = memoryview(content)
    target = ctypes.addressof(ctypes.c_char.from_buffer(content))
    at = 0
    for block in batch.blocks:
        stop = at + block.unpacked_len
        stored = memoryview(block.stored)[block.offset : block.offset + block.stored_len]
        if block.stored_len == block.unpacked_len:
            view[at:stop] = stored
        else:
            _check(stored, batch.sums.stored, block.stored_sum)
            # The bytes object outlives the call, so its address may be used.
            source = ctypes.cast(ctypes.c_char_p(block.stored), ctypes.c_void_p).value or 0
            got = ctypes.c_size_t(block.unpacked_len)
            status = lzo1x(source + block.offset, block.stored_len, target + at, got, None)
            if status or got.value != block.unpacked_len:
                raise _WrongError("a block does not decompress to its length")
        _check(view[at:stop], batch.sums.unpacked, block.unpacked_sum)
        at = stop
    return content


def _check(data: memoryview, checksum: Checksum | None, expected: int) -> None:
    if checksum is not None and checksum(data) != expected:
        raise _WrongError("a block's checksum does not match")


def _batches(feed: Feed) -> Iterator[_Batch]:
    while not feed.at_end():
        sums = _header(feed)
        blocks: list[_Block] = []
        waiting = 0
        while unpacked_len := _number(feed):
            block = _block(feed, sums, unpacked_len)
            blocks.append(block)
            waiting += unpacked_len
            if waiting >= _BATCH_BYTES:
                yield _Batch(blocks, sums, waiting, feed.position)
                blocks, waiting = [], 0
        if blocks:
            yield _Batch(blocks, sums, waiting, feed.position)


def _block(feed: Feed, sums: _Sums, unpacked_len: int) -> _Block:
    stored_len = _number(feed)
    if not 0 < stored_len <= unpacked_len <= _MAX_BLOCK_BYTES:
        raise feed.damaged(f"a block of {unpacked_len} bytes cannot take {stored_len}")
    unpacked_sum = _number(feed) if sums.unpacked else 0
    stored_sum = _number(feed) if sums.stored and stored_len < unpacked_len else 0
    stored, offset = feed.held(stored_len)
    return _Block(stored, offset, stored_len, unpacked_len, unpacked_sum, stored_sum)


def _number(feed: Feed) -> int:
    return int.from_bytes(feed.exactly(4), "big")


def _header(feed: Feed) -> _Sums:
    """Read a header to its end; how the blocks after it are checked."""
    if feed.exactly(len(MAGIC)) != MAGIC:
        raise feed.damaged("what follows the last block is no lzop data")
    head = feed.exactly(7)
    version, _library, _needed, method = struct.unpack(">HHHB", head)
    if version >= _FIRST_WITH_LEVEL:
        head += feed.exactly(1)
    head += feed.exactly(4)
    flags = int.from_bytes(head[-4:], "big")
    if flags & _FILTER:
        head += feed.exactly(4)
    head += feed.exactly(12 if version >= _FIRST_WITH_LEVEL else 8)
    name_length = feed.exactly(1)
    head += name_length + feed.exactly(name_length[0])
    own = isal_zlib.crc32 if flags & _HEADER_CRC else isal_zlib.adler32
    if _number(feed) != own(head):
        raise feed.damaged("the lzop header's checksum does not match")
    if method not in _LZO1X_METHODS or flags & (_FILTER | _MULTIPART):
        raise ImageError(
            f"{feed.name} is made by lzop's method {method} with flags {flags:#x}, "
            "which no image tool writes.",
            hint="Unpack it with lzop and restore the result.",
        )
    if flags & _EXTRA_FIELD:
        _skip_extra(feed, own)
    return _Sums(
        _checksum(flags, _ADLER_UNPACKED, _CRC_UNPACKED),
        _checksum(flags, _ADLER_STORED, _CRC_STORED),
    )


def _checksum(flags: int, adler: int, crc: int) -> Checksum | None:
    """lzop writes one kind or none, never both."""
    if flags & adler:
        return isal_zlib.adler32
    return isal_zlib.crc32 if flags & crc else None


def _skip_extra(feed: Feed, checksum: Checksum) -> None:
    length = feed.exactly(4)
    if (count := int.from_bytes(length, "big")) > _MOST_EXTRA_BYTES:
        raise feed.damaged(f"its extra field claims {count} bytes")
    data = length + feed.exactly(count)
    if _number(feed) != checksum(data):
        raise feed.damaged("the lzop extra field's checksum does not match")
