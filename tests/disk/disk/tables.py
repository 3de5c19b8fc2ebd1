# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies tables to sparse files and loop devices and has sfdisk and sgdisk judge them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.disk.planning.layout import layout_from
from oglib.disk.planning.plan import plan_layout
from oglib.disk.planning.planned import TablePlan
from oglib.disk.probe import probe_target
from oglib.disk.writing.table import apply_table

GIB = 1024**3
Rows = list[dict[str, object]]
UEFI: Rows = [
    {"type": "EFI", "size": "256MiB"},
    {"type": "LINUX", "size": "rest", "name": "root of it"},
    {"type": "LINUX-SWAP", "size": "512MiB"},
]
PRIMARY: Rows = [
    {"type": "LINUX", "size": "rest"},
    {"type": "LINUX-SWAP", "size": "512MiB"},
]


def a_file(path: Path, size_bytes: int = 8 * GIB) -> Path:
    with path.open("wb") as file:
        file.truncate(size_bytes)
    return path


def applied(target: Path, table: str, partitions: Rows) -> Disk:
    """The disk after the layout; a second apply has nothing to change."""
    layout = layout_from({"table": table, "partitions": partitions})
    disk = apply_table(plan_layout(layout, probe_target(target)))
    again = plan_layout(layout, disk)
    assert again.nothing_to_change, again.changes
    before = first_and_last(target)
    assert apply_table(again) == disk
    assert first_and_last(target) == before
    judge(target, disk)
    return disk


def changed(target: Path, plan: TablePlan) -> Disk:
    """The disk after a plan, judged."""
    disk = apply_table(plan)
    judge(target, disk)
    return disk


def first_and_last(target: Path) -> bytes:
    with target.open("rb") as file:
        head = file.read(2 * MIB)
        file.seek(-2 * MIB, os.SEEK_END)
        return head + file.read()


def judge(target: Path, disk: Disk) -> None:
    assert disk.damage == ()
    assert "No errors detected" in said("sfdisk", "--verify", target)
    if disk.table is TableKind.GPT:
        assert "No problems found" in said("sgdisk", "-v", target)


def said(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def dump(target: Path) -> Rows:
    rows: Rows = json.loads(said("sfdisk", "--json", target))["partitiontable"]["partitions"]
    return rows


def write_at(target: Path, offset: int, raw: bytes) -> None:
    with target.open("r+b") as file:
        file.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def fill(target: Path, part: Partition) -> str:
    """Give both ends of a partition a content of its own; the digest of the whole of it."""
    word = f"partition from {part.start_bytes} ".encode()
    raw = word * (MIB // len(word) + 1)
    write_at(target, part.start_bytes, raw[: min(MIB, part.size_bytes)])
    tail = min(MIB, part.size_bytes)
    write_at(target, part.end_bytes - tail, raw[-tail:])
    return digest(target, part)


def digest(target: Path, part: Partition) -> str:
    """Over the content; the holes of the sparse file below are read too, so keep parts small."""
    total = hashlib.blake2b()
    with target.open("rb", buffering=0) as file:
        file.seek(part.start_bytes)
        left = part.size_bytes
        while left:
            raw = file.read(min(left, 1 << 16))
            total.update(raw)
            left -= len(raw)
    return total.hexdigest()
