# SPDX-License-Identifier: GPL-3.0-or-later
"""Real filesystems with wrong bytes in their tables: read, or unreadable, and never for long."""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from disk.filesystem.devices import MIB, need_tools
from oglib.filesystem.kinds import KINDS
from oglib.filesystem.state import state_in
from oglib.filesystem.used import Unreadable, used_pieces

# Where their tables are, in the first mebibytes of what is made here.
PLACES = {
    "ext4": (48, (1024, 4096, 8192, 66_000, 131_072)),
    "xfs": (304, (0, 512, 1536, 4096, 8192)),
    "btrfs": (128, (65536, 66_347, 22_036_480, 22_052_864, 38_797_312, 38_912_000)),
    "fat12": (8, (0, 512, 2048)),
    "fat32": (40, (0, 16384, 17408)),
    "exfat": (40, (0, 64, 1 << 20, 1 << 21)),
    "ntfs": (20, (0, 48, 16384, 17408, 22528)),
    "f2fs": (64, (1024, 2 << 20, 4 << 20)),
}
TRIES = 150


@pytest.mark.parametrize("kind", PLACES)
def test_wrong_bytes_in_the_tables(tmp_path: Path, kind: str) -> None:
    need_tools(kind)
    mib, places = PLACES[kind]
    path = tmp_path / "fs"
    path.touch()
    os.truncate(path, mib * MIB)
    subprocess.run([*KINDS[kind].make, path], check=True, capture_output=True)
    chance = random.Random(kind)
    with path.open("rb") as file:
        for _ in range(TRIES):
            wrong = {}
            for _ in range(chance.randrange(1, 4)):
                at = chance.choice(places) + chance.randrange(256)
                wrong[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))

            def read(offset: int, size: int, wrong: dict[int, int] = wrong) -> bytes:
                if offset >= mib * MIB:
                    return b""
                got = bytearray(os.pread(file.fileno(), size, offset))
                for at, value in wrong.items():
                    if offset <= at < offset + len(got):
                        got[at - offset] = value
                return bytes(got)

            started = time.monotonic()
            state_in(read)
            try:
                for _ in used_pieces(kind, read):
                    pass
            except Unreadable:
                continue
            finally:
                assert time.monotonic() - started < 20
