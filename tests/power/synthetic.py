# SPDX-License-Identifier: GPL-3.0-or-later
"""A write log made by hand, for what is about the states and not about a disk."""

from __future__ import annotations

from pathlib import Path

from power.recorder import Recording
from power.write_log import DISCARD


def synthetic(folder: Path, *entries: tuple[int, int, int]) -> Recording:
    """A log by hand: (sector, sectors, flags); the data of entry n is n+1 repeated."""
    folder.mkdir(exist_ok=True)
    (folder / "base").write_bytes(bytes(64 * 512))
    parts = [(0x6A736677736872).to_bytes(8, "little"), (1).to_bytes(8, "little")]
    head = b"".join([*parts, len(entries).to_bytes(8, "little"), (512).to_bytes(4, "little")])
    blocks = [head.ljust(512, b"\0")]
    for number, (sector, count, flags) in enumerate(entries, start=1):
        numbers = b"".join(value.to_bytes(8, "little") for value in (sector, count, flags, 0))
        blocks.append(numbers.ljust(512, b"\0"))
        if not flags & DISCARD:
            blocks.append(bytes([number]) * 512 * count)
    (folder / "log").write_bytes(b"".join(blocks))
    return Recording(folder, 512, 0, len(entries))
