# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree of plain files as Linux shows a firmware's variables.

``samples/ovmf-boot.json`` is what OVMF (edk2) wrote for a PC with a disk and a network card.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from oglib.boot.nvram.variables import Variables

GUID = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
ESP = "11111111-1111-4111-8111-111111111111"
OTHER_ESP = "22222222-2222-4222-8222-222222222222"
OVMF: Mapping[str, str] = json.loads((Path(__file__).parent / "samples/ovmf-boot.json").read_text())


def variables(folder: Path, values: Mapping[str, bytes]) -> Variables:
    """A new tree with these."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / f"{name}-{GUID}").write_bytes(b"\x07\0\0\0" + value)
    return Variables(folder)


def ovmf(folder: Path, **more: bytes) -> Variables:
    """Those of the sample, and more."""
    return variables(folder, {**{name: bytes.fromhex(raw) for name, raw in OVMF.items()}, **more})


def words(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}H", *numbers)


def option(label: str, file: str, partition: str = ESP, *, active: bool = True) -> bytes:
    """An entry as the specification has it: the short form, a partition of a GPT and a file."""
    disk = struct.pack("<IQQ", 1, 2048, 68000) + UUID(partition).bytes_le + b"\x02\x02"
    path = struct.pack("<BBH", 4, 1, 4 + len(disk)) + disk
    name = file.replace("/", "\\").encode("utf-16-le") + b"\0\0"
    path += struct.pack("<BBH", 4, 4, 4 + len(name)) + name + b"\x7f\xff\x04\0"
    return struct.pack("<IH", active, len(path)) + label.encode("utf-16-le") + b"\0\0" + path
