# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's own files for entries of the kind `custom`: in `custom/` beside the inventory.

One file holds lines of iPXE that are put behind the entry's label as they are: whoever may write
the inventory may write them.
"""

from __future__ import annotations

from pathlib import Path

from ognetboot.errors import NetbootError

FOLDER = "custom"
_MOST_BYTES = 64 << 10


def read_custom(inventory: Path, name: str) -> str:
    """The file `name` that belongs to the inventory at that path."""
    path = inventory.parent / FOLDER / name
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise NetbootError(
            f"{path} cannot be read: {error.strerror}", hint="put the entry's template there"
        ) from None
    if len(data) > _MOST_BYTES:
        raise NetbootError(f"{path} is larger than {_MOST_BYTES >> 10} KiB", hint="shorten it")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise NetbootError(f"{path} is not UTF-8 text", hint="save it as UTF-8") from None
