# SPDX-License-Identifier: GPL-3.0-or-later
"""Listing a PC that this machine is not: its tools are files that print what they printed there."""

from __future__ import annotations

from pathlib import Path

import pytest
from blkinfo.errors import NoLsblkFound

from oglib.disk import probe
from oglib.disk.probe import list_disks
from oglib.errors import OgError, PartitionError

MACHINES = Path(__file__).parents[2] / "unit/disk/machines"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin")
    monkeypatch.delenv("OG_DISKS", raising=False)
    monkeypatch.setattr(probe, "_LOOK_PAUSE_S", 0)
    return tmp_path


def prints(tools: Path, name: str, file: str, *, status: int = 0) -> None:
    """A program that knows JSON only: blkinfo asks lsblk for lines, and gives up."""
    script = f"#!/bin/sh\necho ran >>{tools}/{name}.log\n"
    script += f'case "$*" in *json*) cat {MACHINES / file}; exit {status};; esac\nexit 1\n'
    (tools / name).write_text(script)
    (tools / name).chmod(0o755)


def test_volume_groups_are_asked_for_only_where_there_is_one(tools: Path) -> None:
    for name in ("vgs", "lvs"):
        prints(tools, name, f"lvm.{name}.json")
    prints(tools, "lsblk", "emmc.json")
    assert [str(disk.path) for disk in list_disks()] == ["/dev/mmcblk0", "/dev/mmcblk1"]
    assert not (tools / "vgs.log").exists()
    prints(tools, "lsblk", "lvm.json")
    assert [str(disk.path) for disk in list_disks()][3:] == ["/dev/backup", "/dev/vg-data"]
    assert (tools / "vgs.log").read_text() == (tools / "lvs.log").read_text() == "ran\n"


def test_a_group_that_cannot_be_read_does_not_hide_the_others(tools: Path) -> None:
    for name in ("vgs", "lvs"):
        prints(tools, name, f"lvm.{name}.json", status=5)
    prints(tools, "lsblk", "lvm.json")
    assert len(list_disks()) == 5


def test_disks_that_cannot_be_read_are_listed_and_say_so(tools: Path) -> None:
    prints(tools, "lsblk", "server.json")
    disks = list_disks()
    assert [disk.number for disk in disks] == [1, 2, 3, 4, 5, 6, 7]
    assert all("cannot be read" in disk.damage[0] for disk in disks)


def test_a_pc_without_disks_and_an_lsblk_that_fails(tools: Path) -> None:
    prints(tools, "lsblk", "no-disks.json")
    assert list_disks() == ()
    prints(tools, "lsblk", "no-disks.json", status=1)
    with pytest.raises(OgError, match="lsblk"):
        list_disks()


@pytest.mark.parametrize("error", [KeyError("sdz"), OSError(5, "x"), NoLsblkFound(), TypeError()])
def test_no_failure_of_blkinfo_hides_the_disks(
    tools: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise error

    prints(tools, "lsblk", "emmc.json")
    monkeypatch.setattr("blkinfo.BlkDiskInfo.__init__", broken)
    assert [str(disk.path) for disk in list_disks()] == ["/dev/mmcblk0", "/dev/mmcblk1"]


@pytest.mark.parametrize("odd", ["", "{", "[]", '{"blockdevices": [{"name": "sda"}]}'])
def test_what_lsblk_stammers_is_asked_for_again(tools: Path, odd: str) -> None:
    """A device that vanishes while lsblk looks: three looks, then the truth."""
    script = f"#!/bin/sh\necho ran >>{tools}/log\n[ $(wc -l <{tools}/log) -gt 2 ] && "
    script += f"exec cat {MACHINES}/emmc.json\necho '{odd}'\n"
    (tools / "lsblk").write_text(script)
    (tools / "lsblk").chmod(0o755)
    assert len(list_disks()) == 2
    (tools / "lsblk").write_text(f"#!/bin/sh\necho '{odd}'\n")
    with pytest.raises(PartitionError, match="what lsblk prints is not understood, 3 times"):
        list_disks()
