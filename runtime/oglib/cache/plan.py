# SPDX-License-Identifier: GPL-3.0-or-later
"""Which entries must go so that an image fits; pure arithmetic.

The least recently used go first, never a pinned one and never one in use. The older version of
the image that is coming goes before all others: it is to be replaced anyway. What is damaged is
the next.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from oglib.cache.model import Entry, Room, Verdict

_SPARE_BYTES = 1 << 20
_SPARE_SHARE = 1024  # extents and folders of ext4 take far less than a thousandth


def needed_bytes(size_bytes: int) -> int:
    """The free space that storing ``size_bytes`` takes, the filesystem's own part included."""
    return size_bytes + size_bytes // _SPARE_SHARE + _SPARE_BYTES


def plan_room(
    size_bytes: int,
    free_bytes: int,
    entries: Sequence[Entry],
    *,
    replaces: str = "",
    in_use: Collection[str] = (),
) -> Room:
    """Whether ``size_bytes`` fit, and after evicting what; no entry is evicted needlessly."""
    need = needed_bytes(size_bytes)
    if need <= free_bytes:
        return Room(Verdict.FITS, need, free_bytes)
    may_go = sorted(
        (entry for entry in entries if not entry.pinned and entry.name not in in_use),
        key=lambda entry: (entry.name != replaces, not entry.damaged, entry.used, entry.name),
    )
    going: list[Entry] = []
    gained = free_bytes
    for entry in may_go:
        if gained >= need:
            break
        going.append(entry)
        gained += entry.size_bytes
    if gained < need:
        return Room(Verdict.NEVER, need, free_bytes)
    # a large entry at the end may have made small ones before it needless
    for entry in sorted(going, key=lambda entry: (entry.used, entry.name), reverse=True):
        if gained - entry.size_bytes >= need:
            going.remove(entry)
            gained -= entry.size_bytes
    names = tuple(entry.name for entry in going)
    return Room(Verdict.AFTER_EVICTING, need, free_bytes, names)
