# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and devices that stand for the disks of this PC."""

from __future__ import annotations

import os
from pathlib import Path

from oglib.errors import UsageError

# Files or block devices, colons between: these are then the disks 1, 2, … of this PC. For work on
# disk images, and for tests.
INSTEAD = "OG_DISKS"
MEND = f"Mend or unset {INSTEAD}."


def instead_of_disks() -> tuple[Path, ...]:
    """The files or devices that stand for the disks of this PC, in order; () where none do.

    A name may hold a colon itself: the fewest pieces that together name something are one name.
    """
    said = os.environ.get(INSTEAD, "")
    pieces = said.split(":")
    paths: list[Path] = []
    while pieces:
        if not pieces[0]:
            del pieces[0]
            continue
        joined = (":".join(pieces[:count]) for count in range(1, len(pieces) + 1))
        ends = (count for count, name in enumerate(joined, start=1) if _may_be_disk(Path(name)))
        count = next(ends, 1)
        paths.append(Path(":".join(pieces[:count])))
        del pieces[:count]
    if said and not paths:
        # whoever wanted to work on an image must not find itself on the disks of this PC
        raise UsageError(f"{INSTEAD} is {said!r}, which names no disk.", hint=MEND)
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError(f"{INSTEAD} names a disk twice: {said}.", hint=MEND)
    return tuple(paths)


def _may_be_disk(path: Path) -> bool:
    try:
        return path.is_file() or path.is_block_device()
    except OSError:  # longer than a name can be
        return False
