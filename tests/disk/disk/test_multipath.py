# SPDX-License-Identifier: GPL-3.0-or-later
"""The maps of a multipath disk's partitions around a change of its table.

This host has no device mapper: ``kpartx`` is one that notes its calls, the map is a loop device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from disk.disk.tables import UEFI, a_file
from oglib.disk import probe
from oglib.disk.loop import attached
from oglib.disk.model import Disk, DiskKind, Partition, TableKind
from oglib.disk.planning.layout import layout_from
from oglib.disk.planning.plan import plan_layout
from oglib.disk.probe import probe_target
from oglib.disk.writing import table
from oglib.disk.writing.table import apply_table
from oglib.errors import OgErr, PartitionError

KPARTX = """#!/bin/sh
for device; do :; done
printf '%s partitions: %s\\n' "$*" "$(sfdisk --dump "$device" 2>&1 | grep -c start=)" >> {log}
[ "$1" != {fails} ]
"""


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    with attached(a_file(tmp_path / "disk.img")) as made:
        yield made


@pytest.fixture
def kpartx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts the noting kpartx in front; gives what it notes into."""

    def put(fails: str = "nothing") -> Path:
        tool = tmp_path / "bin/kpartx"
        tool.parent.mkdir()
        log = tmp_path / "calls"
        log.touch()
        tool.write_text(KPARTX.format(log=log, fails=fails))
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:/usr/sbin:/usr/bin:/sbin:/bin")
        monkeypatch.setattr(table, "probe_target", as_map)
        return log

    return put


def as_map(path: Path, *, contents: bool = True) -> Disk:
    return replace(probe_target(path, contents=contents), kind=DiskKind.MULTIPATH)


def test_the_maps_go_before_the_change_and_come_back_after_it(
    device: Path, kpartx: Callable[..., Path]
) -> None:
    log = kpartx()
    layout = layout_from({"table": "gpt", "partitions": UEFI})
    disk = apply_table(plan_layout(layout, as_map(device)))
    assert len(disk.partitions) == 3
    assert log.read_text().splitlines() == [
        f"-d {device} partitions: 0",
        f"-u -p -part {device} partitions: 3",
    ]


def test_maps_that_are_held_stop_the_change(device: Path, kpartx: Callable[..., Path]) -> None:
    kpartx(fails="-d")
    layout = layout_from({"table": "gpt", "partitions": UEFI})
    with pytest.raises(PartitionError, match="not changed") as caught:
        apply_table(plan_layout(layout, as_map(device)))
    assert caught.value.code is OgErr.LOCKED
    assert probe_target(device).table is TableKind.NONE


def test_maps_that_do_not_come_back_are_an_error(device: Path, kpartx: Callable[..., Path]) -> None:
    kpartx(fails="-u")
    layout = layout_from({"table": "gpt", "partitions": UEFI})
    with pytest.raises(PartitionError, match="kernel does not show the partitions"):
        apply_table(plan_layout(layout, as_map(device)))


def test_a_map_of_another_size_is_not_taken_for_the_partition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = Partition(1, 1 << 20, 1 << 30, "LINUX", "x")
    fits = replace(written, start_bytes=0, path=Path("/dev/mapper/m-part1"), use=("mounted",))
    disk = Disk(1, Path("/dev/mapper/m"), 1 << 33, TableKind.GPT, (fits,))
    monkeypatch.setattr(probe, "read_table", lambda _: (TableKind.GPT, (written,)))
    assert probe._with_places(disk).partitions == (replace(fits, start_bytes=1 << 20),)
    stale = replace(disk, partitions=(replace(fits, size_bytes=1 << 29),))
    assert probe._with_places(stale).partitions == (replace(written, use=("mounted",)),)
