# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's own scripts for entries of the kind `custom`: in `custom/` beside the inventory.

`template = "NAME"` means `NAME.ipxe`, a script of iPXE, and where there is one `NAME.cfg`, lines of
GRUB for PCs that start by it. Both are served as they are: they are as trusted as the inventory.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ognetboot import keeping
from ognetboot.errors import NetbootError
from ognetboot.inventory.entries import Entry

FOLDER = "custom"
IPXE, GRUB = ".ipxe", ".cfg"
_MOST_BYTES = 64 << 10


def custom_files(inventory: Path, entries: Iterable[Entry]) -> dict[str, bytes]:
    """The scripts of all custom entries by their names in the tree."""
    found: dict[str, bytes] = {}
    for entry in entries:
        if entry.template is None:
            continue
        for ending in (IPXE, GRUB):
            content = read_custom(inventory, entry.template + ending)
            if content is not None:
                found[f"{FOLDER}/{entry.template}{ending}"] = content
            elif ending == IPXE:
                raise NetbootError(
                    f"entry `{entry.name}`: {inventory.parent / FOLDER / entry.template}{IPXE} is "
                    "not there",
                    hint="put the entry's script there",
                )
    return found


def read_custom(inventory: Path, name: str) -> bytes | None:
    """One of these files; None: it is not there."""
    path = inventory.parent / FOLDER / name
    try:
        data = keeping.content(path, _MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NetbootError(
            f"{path} cannot be read: {error.strerror}", hint="check its rights"
        ) from None
    if len(data) > _MOST_BYTES:
        raise NetbootError(f"{path} is larger than {_MOST_BYTES >> 10} KiB", hint="shorten it")
    return data
