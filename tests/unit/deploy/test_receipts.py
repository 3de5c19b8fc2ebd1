# SPDX-License-Identifier: GPL-3.0-or-later
"""What was restored since the boot can be read afterwards."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from oglib.deploy.receipts import keep, restored
from oglib.image.writing.receipt import Receipt


def receipt() -> Receipt:
    values: dict[str, Any] = {field.name: 0 for field in fields(Receipt)}
    return Receipt(**{**values, "image": "debian", "warnings": ("unsigned",), "came_from": ()})


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


def test_the_last_image_of_each_target_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "receipts"
    one = replace(receipt(), version=3, target="/dev/vda2")
    keep(one, folder)
    keep(replace(one, image="lab/pc/p3", version=7, target="/dev/vda3"), folder)
    keep(replace(one, version=4), folder)
    (folder / "9.json").write_text('{"image": "cut')
    assert restored(folder) == {"/dev/vda2": "debian@4", "/dev/vda3": "lab/pc/p3@7"}
    assert restored(tmp_path / "none") == {}
