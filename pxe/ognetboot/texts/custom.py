# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's own lines of iPXE, each entry's as a script beside the menus.

They run as what the entry starts: where they come to their end, or fail, the entry has failed.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ognetboot.inventory.custom import FOLDER, read_custom
from ognetboot.inventory.model import Inventory

_HEAD = "#!ipxe\n"


def custom_files(inventory: Inventory, source: Path) -> dict[PurePosixPath, bytes]:
    """By their path in the tree; `source` is the inventory's file, beside which they lie."""
    names = sorted({entry.template for entry in inventory.entries if entry.template is not None})
    texts = {name: read_custom(source, name) for name in names}
    return {
        PurePosixPath(FOLDER, name): (text if text.startswith(_HEAD) else _HEAD + text).encode()
        for name, text in texts.items()
    }
