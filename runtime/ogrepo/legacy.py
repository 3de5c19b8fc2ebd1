# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that older OpenGnsys tools expect beside an image: ``.sum .full.sum .info``.

They are written for those readers and never read here: an MD5 of the last MiB proves nothing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from oglib.image.manifest import Manifest

_LAST_BYTES = 1 << 20
_STEP_BYTES = 4 << 20
# Older tools know a filesystem by the word in partclone's own header.
_PARTCLONE_WORDS = {"EXT2": "EXTFS", "EXT3": "EXTFS", "EXT4": "EXTFS", "VFAT": "FAT32"}


def checksums(image: Path) -> tuple[str, str]:
    """MD5 of the last MiB and of everything, in one pass."""
    size = image.stat().st_size
    whole = hashlib.md5(usedforsecurity=False)
    last = hashlib.md5(usedforsecurity=False)
    with image.open("rb") as file:
        while step := file.read(_STEP_BYTES):
            whole.update(step)
        file.seek(max(0, size - _LAST_BYTES))
        last.update(file.read())
    return last.hexdigest(), whole.hexdigest()


def info_line(manifest: Manifest) -> str:
    """``TOOL:COMPRESSOR:FILESYSTEM:KB:HOST``; a colon in a host name would shift the fields."""
    word = manifest.filesystem.upper()
    host = "".join(char for char in manifest.source.hostname if char.isalnum() or char in "-._")
    kilobytes = manifest.device_size_bytes // 1024
    return f"PARTCLONE:ZSTD:{_PARTCLONE_WORDS.get(word, word)}:{kilobytes}:{host}\n"
