# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies under a name that the repository trusts, read: a plain file, of a size that it can be.

A pipe that was put there is not waited for, and a device is not read without an end.
"""

from __future__ import annotations

from pathlib import Path

from oglib import limits
from oglib.errors import ImageError
from oglib.texts import NotPlainError, open_plain


def stored(path: Path, most: int = limits.MANIFEST_BYTES) -> bytes:
    """The file's bytes, of one that is too large ``most`` + 1: its reader refuses them.

    Raises ``ImageError`` where it is no plain file, and what ``open`` raises.
    """
    try:
        with open_plain(path) as file:
            return file.read(most + 1)
    except (NotPlainError, IsADirectoryError) as error:
        raise ImageError(f"{path} is no plain file.", hint="Move it away.") from error
