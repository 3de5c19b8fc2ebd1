# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what differs from its image was grown, told by sizes alone."""

from __future__ import annotations

import pytest

from oglib.deploy.partition.restore import is_larger
from oglib.image.reading.formats.model import ImageInfo

MIB = 1 << 20


@pytest.mark.parametrize(
    ("filesystem", "block", "total", "now", "grown"),
    [
        # 64 MiB as mkfs.ntfs makes it: seven sectors and the spare boot sector behind the last
        # whole cluster
        ("NTFS", 4096, 16383, 64 * MIB, False),
        ("NTFS", 4096, 16383, 65 * MIB, True),
        ("EXTFS", 1024, 65536, 64 * MIB, False),
        ("EXTFS", 1024, 65536, 80 * MIB, True),
        ("EXTFS", 1024, 65536, 0, False),  # nothing to be seen there any more
    ],
)
def test_a_cluster_that_is_not_whole_is_no_growth(
    filesystem: str, block: int, total: int, now: int, grown: bool
) -> None:
    info = ImageInfo("partclone", "zstd", filesystem, block, total)
    assert is_larger(now, info) is grown
