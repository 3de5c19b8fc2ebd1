# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk with a plain table, written without any tool."""

from __future__ import annotations

import struct
from pathlib import Path

MIB = 1 << 20
SECTORS_OF_MIB = MIB // 512


def plain_disk(path: Path, sizes_mib: tuple[int, ...] = (2, 3)) -> Path:
    """A sparse file of 8 MiB with an msdos table of Linux partitions, the first one active."""
    rows, at = b"", 1
    for number, size in enumerate(sizes_mib):
        boot = 0 if number else 0x80
        rows += struct.pack(
            "<B3sB3sII", boot, bytes(3), 0x83, bytes(3), at * SECTORS_OF_MIB, size * SECTORS_OF_MIB
        )
        at += size
    with path.open("wb") as file:
        file.truncate(8 * MIB)
        file.seek(440)
        file.write(bytes.fromhex("78563412") + bytes(2) + rows.ljust(64, b"\0") + b"\x55\xaa")
    return path
