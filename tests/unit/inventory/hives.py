# SPDX-License-Identifier: GPL-3.0-or-later
"""Small real registry hives for tests: an empty one is packed by hand, hivex fills it.

Format: a 4 KiB base block "regf", then bins "hbin" of cells; here one bin with the root key and its
security descriptor. hivex can only open hives that exist, so the first one is made here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import reduce
from pathlib import Path

import hivex

REG_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ, REG_QWORD = 1, 3, 4, 7, 11
_NONE = 0xFFFFFFFF
_BIN_BYTES = 4096

Keys = Mapping[str, Mapping[str, str | int | list[str] | bytes]]


def _cell(body: bytes) -> bytes:
    size = (len(body) + 4 + 7) // 8 * 8
    return struct.pack("<i", -size) + body.ljust(size - 4, b"\0")


def empty_hive() -> bytes:
    """A hive with nothing but its root key."""
    name = b"ROOT"
    # fields: flags, time, access, parent, subkeys, volatile, lists, values, list, sk, class, ...
    root = struct.pack(
        "<2sHQIIIIIIIIIIIIIIIHH",
        *(b"nk", 0x2C, 0, 0, _NONE, 0, 0, _NONE, _NONE, 0, _NONE, 0, _NONE),
        *(0, 0, 0, 0, 0, len(name), 0),
    )
    cells = _cell(root + name)
    sk_offset = 0x20 + len(cells)
    cells = cells[:48] + struct.pack("<I", sk_offset) + cells[52:]  # the root key's descriptor
    security = struct.pack("<2sHIIII", b"sk", 0, sk_offset, sk_offset, 1, 20)
    cells += _cell(security + struct.pack("<BBHIIII", 1, 0, 0x8000, 0, 0, 0, 0))
    free = _BIN_BYTES - 0x20 - len(cells)
    page = struct.pack("<4sIIIIQI", b"hbin", 0, _BIN_BYTES, 0, 0, 0, 0) + cells
    page += struct.pack("<i", free) + bytes(free - 4)
    base = struct.pack("<4sIIQIIIIIII", b"regf", 1, 1, 0, 1, 5, 0, 1, 0x20, _BIN_BYTES, 1)
    base = base.ljust(0x1FC, b"\0")
    checksum = reduce(lambda sum_, word: sum_ ^ word, struct.unpack("<127I", base))
    return (base + struct.pack("<I", checksum)).ljust(4096, b"\0") + page


def make_hive(path: Path, keys: Keys) -> Path:
    """Write a hive with ``{"Key\\\\Sub": {"Value": "text" | 7 | ["a", "b"] | b"raw"}}``."""
    path.write_bytes(empty_hive())
    hive = hivex.Hivex(str(path), write=True)
    for name, values in keys.items():
        node = hive.root()
        for part in name.split("\\"):
            node = hive.node_get_child(node, part) or hive.node_add_child(node, part)
        hive.node_set_values(node, [_value(key, value) for key, value in values.items()])
    hive.commit(str(path))
    return path


def _value(key: str, value: str | int | list[str] | bytes) -> dict[str, object]:
    if isinstance(value, bytes):
        return {"key": key, "t": REG_BINARY, "value": value}
    if isinstance(value, int):
        large = value >= 1 << 32
        data = struct.pack("<Q" if large else "<I", value)
        return {"key": key, "t": REG_QWORD if large else REG_DWORD, "value": data}
    if isinstance(value, list):
        text = "".join(f"{item}\0" for item in value) + "\0"
        return {"key": key, "t": REG_MULTI_SZ, "value": text.encode("utf-16-le")}
    return {"key": key, "t": REG_SZ, "value": f"{value}\0".encode("utf-16-le")}
