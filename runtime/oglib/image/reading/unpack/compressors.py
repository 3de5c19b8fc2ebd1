# SPDX-License-Identifier: GPL-3.0-or-later
"""One row per compressor: the bytes that its files begin with, and what unpacks them.

The library of a compressor is loaded when the first of its files is read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib import import_module

from oglib.image.reading.unpack.feed import Feed

NONE = "none"
Pieces = Generator[bytes | bytearray, None, None]
Unpacker = Callable[[Feed, int], Pieces]


@dataclass(frozen=True, slots=True)
class Compressor:
    """``module`` is beside this file; its function gets the bytes and how many threads may run.

    Empty: known by name only. Without ``magics`` it is recognised in another way, in ``detect``.
    """

    name: str
    magics: tuple[bytes, ...] = ()
    module: str = ""
    function: str = "unpack"

    def unpacker(self) -> Unpacker:
        """What unpacks its files; only where ``module`` is named."""
        package = __name__.rpartition(".")[0]
        found: Unpacker = getattr(import_module(f"{package}.{self.module}"), self.function)
        return found


# Longest magic first where one begins like another.
COMPRESSORS = (
    Compressor("lzop", (b"\x89LZO\0\r\n\x1a\n",), "lzop"),
    Compressor("xz", (b"\xfd7zXZ\0",), "plain", "unpack_xz"),
    Compressor("zstd", (b"\x28\xb5\x2f\xfd",), "zstd"),
    Compressor("lz4", (b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18"), "lz4"),
    Compressor("lzip", (b"LZIP",), "lzip"),
    Compressor("lrzip", (b"LRZI",)),
    Compressor("gzip", (b"\x1f\x8b\x08",), "gzip"),
    Compressor("compress", (b"\x1f\x9d",)),
    Compressor("bzip2", (), "plain", "unpack_bzip2"),
    Compressor("lzma", (), "plain", "unpack_lzma"),
    Compressor(NONE, (), "plain", "as_it_is"),
)
