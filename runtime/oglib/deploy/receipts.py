# SPDX-License-Identifier: GPL-3.0-or-later
"""Receipts of this boot's restores, kept in ``/run/oglive/receipts`` for ``og report``."""

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
