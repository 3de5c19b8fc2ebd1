# SPDX-License-Identifier: GPL-3.0-or-later
"""The system on a partition, asked for by those who list many: read and never changed.

Hibernated or dirty filesystems are read without replaying anything: what is read may be a little
old, nothing is lost.
"""

from __future__ import annotations

from oglib.disk.model import Disk, Partition
from oglib.inventory.system import System, identify
from oglib.osconfig.opened_system import holds_files, opened_system


def system_of(disk: Disk, part: Partition) -> System | None:
    """The system on a partition; None where there is none, or no files at all.

    OgError where files cannot be read: that is no answer.
    """
    if not holds_files(part):
        return None
    with opened_system(disk, part) as opened:
        return identify(opened.root)
