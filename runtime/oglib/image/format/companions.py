# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that older OpenGnsys tools expect beside an image: ``.sum .full.sum .info``.

They are written for those readers and never read here: an MD5 of the last MiB proves nothing, and
one of everything takes a tenth of a capture's processor time, so it is taken where it is wanted.
"""

from __future__ import annotations

import hashlib
from collections import deque
from pathlib import Path

from oglib.filesystem.kinds import kind_in_image

SUM, FULL_SUM, INFO = ".sum", ".full.sum", ".info"
# In the order in which checksums and line are given; ``.info`` announces an image to them.
COMPANIONS = (SUM, FULL_SUM, INFO)
_LAST_BYTES = 1 << 20
_STEP_BYTES = 4 << 20


class Checksums:
    """MD5 of the last MiB and, with ``full``, of everything, taken while an image is written."""

    def __init__(self, *, full: bool) -> None:
        self._whole = hashlib.md5(usedforsecurity=False) if full else None
        # What was given last, held rather than copied: it passes here as fast as it is made.
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0

    def update(self, data: bytes) -> None:
        if self._whole is not None:
            self._whole.update(data)
        self._tail.append(data)
        self._tail_bytes += len(data)
        while self._tail_bytes - len(self._tail[0]) >= _LAST_BYTES:
            self._tail_bytes -= len(self._tail.popleft())

    def texts(self) -> tuple[str, str]:
        """The content of ``.sum`` and ``.full.sum``, of which the second is empty without it."""
        last = hashlib.md5(b"".join(self._tail)[-_LAST_BYTES:], usedforsecurity=False)
        return f"{last.hexdigest()}\n", f"{self._whole.hexdigest()}\n" if self._whole else ""


def checksums_of(image: Path) -> tuple[str, str]:
    """As ``Checksums.texts``, of a file that is there already."""
    sums = Checksums(full=True)
    with image.open("rb") as file:
        while step := file.read(_STEP_BYTES):
            sums.update(step)
    return sums.texts()


def info_line(
    filesystem: str,
    size_bytes: int,
    hostname: str,
    compressor: str = "zstd",
    *,
    tool: str = "partclone",
) -> str:
    """``TOOL:COMPRESSOR:FILESYSTEM:KB:HOST``; a colon in a host name would shift the fields."""
    kind = kind_in_image(filesystem)  # older tools know it by the word in partclone's own header
    word = (kind.image_word if kind else filesystem).upper().replace(" ", "")
    host = "".join(char for char in hostname if char.isalnum() or char in "-._")
    return f"{tool.upper()}:{compressor.upper()}:{word}:{size_bytes // 1024}:{host}\n"
