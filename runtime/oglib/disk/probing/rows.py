# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of ``lsblk --json --bytes`` and what one of them tells; pure, starts nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oglib.disk.model import TableKind

COLUMNS = (
    "NAME,KNAME,PATH,PKNAME,TYPE,MAJ:MIN,SIZE,START,LOG-SEC,PHY-SEC,MODEL,SERIAL,WWN,TRAN,RM,RO,"
    "PTTYPE,PARTTYPE,PARTLABEL,PARTUUID,PARTFLAGS,FSTYPE,LABEL,UUID,MOUNTPOINTS"
)
TABLES = {"gpt": TableKind.GPT, "dos": TableKind.MSDOS}
LVM_MEMBER = "LVM2_member"
START_UNIT_BYTES = 512  # lsblk's START counts 512-byte units whatever the sector size

Row = Mapping[str, Any]


def rows_of(text: str) -> list[Row]:
    """Every row, the ones below others included; a device below two others comes twice."""
    import json  # noqa: PLC0415  a command must start fast

    return list(walk(json.loads(text)["blockdevices"]))


def walk(rows: Iterable[Row]) -> Iterable[Row]:
    for row in rows:
        yield row
        yield from walk(children(row))


def children(row: Row) -> Sequence[Row]:
    below: Sequence[Row] = row.get("children", ())
    return below


def is_partition(row: Row) -> bool:
    # older kernels and lsblk call a partition of an array "md"
    return row["type"] in ("part", "md")


def text_of(row: Row, column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value)


def mountpoints(row: Row) -> tuple[str, ...]:
    return tuple(str(point) for point in row["mountpoints"] if point)


def uses_of(row: Row, holders: Iterable[Row]) -> tuple[str, ...]:
    """Who holds this device: mounts and swap of its own, and mapped devices above it."""
    own = ["active swap" if at == "[SWAP]" else f"mounted on {at}" for at in mountpoints(row)]
    return tuple(own) + tuple(f"holds {text_of(held, 'path')}" for held in holders)


def trailing_number(name: str) -> int:
    found = re.search(r"(\d+)$", name)
    return int(found.group(1)) if found else 0


def major_minor(row: Row) -> tuple[int, int]:
    major, _, minor = str(row["maj:min"]).strip().partition(":")
    return int(major), int(minor)
