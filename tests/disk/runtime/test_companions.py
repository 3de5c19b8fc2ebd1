# SPDX-License-Identifier: GPL-3.0-or-later
"""The ESP and swap beside a deployed system: made fresh, but what the layout keeps is not."""

from __future__ import annotations

from pathlib import Path

from disk.disk.tables import a_file, applied
from oglib.deploy.system.companions import companions, make_companions
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk
from oglib.disk.planning.layout import layout_from
from oglib.disk.planning.plan import plan_layout
from oglib.disk.probe import probe_target
from oglib.disk.writing.table import apply_table
from oglib.filesystem.make import format_filesystem, make_swap
from oglib.filesystem.probe import probe_filesystem
from oglib.fitting.steps import Outcome

MIB = 1 << 20


def uuid_on(disk: Disk, number: int) -> str:
    with partition_device(disk, disk.partitions[number - 1]) as device:
        return probe_filesystem(device).uuid


def test_an_esp_that_the_layout_keeps_is_not_formatted(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"type": "EFI", "size": "64MiB"},
        {"type": "LINUX", "size": "128MiB"},
        {"type": "LINUX-SWAP", "size": "64MiB"},
    ]
    target = a_file(tmp_path / "disk.img", 280 * MIB)
    disk = applied(target, "gpt", rows)
    with partition_device(disk, disk.partitions[0]) as device:
        format_filesystem(device, "fat32", label="WINDOWS")
    with partition_device(disk, disk.partitions[2]) as device:
        make_swap(device)
    esp, swap = uuid_on(disk, 1), uuid_on(disk, 3)

    rows[0] = {"type": "EFI", "keep": True, "number": 1}
    layout = layout_from({"table": "gpt", "partitions": rows})
    plan = plan_layout(layout, probe_target(target))
    disk = apply_table(plan)
    steps = make_companions(disk, disk.partitions[1], plan)
    assert [step.outcome for step in steps] == [Outcome.NOT_NEEDED, Outcome.DONE]
    assert uuid_on(disk, 1) == esp
    assert uuid_on(disk, 3) != swap
    assert [(one.number, one.kept) for one in companions(plan, 2)] == [(1, True), (3, False)]
