# SPDX-License-Identifier: GPL-3.0-or-later
"""What was restored since the boot can be read afterwards."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from oglib.deploy.receipts import keep
from oglib.image.writing.receipt import Receipt


def receipt() -> Receipt:
    values: dict[str, Any] = {field.name: 0 for field in fields(Receipt)}
    return Receipt(**{**values, "image": "debian", "warnings": ("unsigned",)})


def test_each_restore_leaves_its_receipt(tmp_path: Path) -> None:
    folder = tmp_path / "receipts"
    keep(receipt(), folder)
    keep(receipt(), folder)
    kept = [json.loads(path.read_text()) for path in sorted(folder.iterdir())]
    assert [one["image"] for one in kept] == ["debian", "debian"]
    assert kept[0]["warnings"] == ["unsigned"]


def test_a_machine_that_is_no_oglive_keeps_none(tmp_path: Path) -> None:
    keep(receipt(), tmp_path / "no-run-folder" / "receipts")
    assert list(tmp_path.iterdir()) == []
