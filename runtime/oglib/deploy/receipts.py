# SPDX-License-Identifier: GPL-3.0-or-later
"""Receipts of this boot's restores, kept in ``/run/oglive/receipts`` for ``og report`` and for who
tells which image stands where."""

from __future__ import annotations

import json
import time
from pathlib import Path

from oglib.image.writing.receipt import Receipt

FOLDER = Path("/run/oglive/receipts")


def keep(receipt: Receipt, folder: Path = FOLDER) -> None:
    """Write the receipt beside the earlier ones; on a machine that is no ogLive, nothing."""
    if not folder.parent.is_dir():
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{time.time_ns()}.json"
    path.write_text(json.dumps(receipt.as_dict(), indent=2) + "\n", encoding="utf-8")


def restored(folder: Path = FOLDER) -> dict[str, str]:
    """``IMAGE@VERSION`` by the name of the target that got it last since this boot.

    Each partition of a restored disk has its own (``lab/pc/p2@7``). A receipt that was cut tells
    nothing.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            receipt = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        found[receipt["target"]] = f"{receipt['image']}@{receipt['version']}"
    return found
