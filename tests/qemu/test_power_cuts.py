# SPDX-License-Identifier: GPL-3.0-or-later
"""The power fails while a disk is partitioned, and while the cache changes; then it comes back.

tests/power replays hundreds of such cuts; here three of them are lived through by a whole PC.
"""

from __future__ import annotations

import hashlib
import random

import pytest
from harness.disks import MIB, Disk
from harness.machine import Machine
from harness.power_cut import RecordedWork
from harness.process import run
from harness.room import Room
from harness.steps import step

_SERIAL = "CUT00001"
_IMAGE_MIB = 12


def test_cut_while_partitioning_converges(room: Room) -> None:
    disk = room.empty_disk(_SERIAL, size_mib=512)
    run(
        ["sfdisk", "--quiet", "--no-tell-kernel", str(disk.path)],
        stdin="label: dos\nstart=2048,size=64MiB,type=83\n",
    )
    with disk.path.open("r+b") as stream:
        stream.seek(MIB)
        stream.write(random.Random(1).randbytes(64 * MIB))
    kept = _kept(disk)
    work = RecordedWork(room, disk)
    command = f"og disk apply {_SERIAL} keep-first-on-gpt --yes"
    with step("the power fails while an MBR becomes a GPT around a partition that stays"):
        pc = room.ready_pc(work.disk)
        work.begin(pc)
        pc.succeed(command)
        pc.kill()
        left = work.cut(seed="1")
        assert _kept(left) == kept
    with step("the same command again ends it, and what stays has not changed by a byte"):
        pc = room.ready_pc(left)
        pc.succeed(command)
        assert pc.succeed(command).output == "nothing to change"
        pc.kill()
        assert _kept(left) == kept
        assert "No problems found" in run(["sgdisk", "--verify", str(left.path)])


@pytest.mark.parametrize("work_done", ["publishing", "evicting"])
def test_cut_while_the_cache_changes(room: Room, work_done: str) -> None:
    work = RecordedWork(room, room.empty_disk(_SERIAL, size_mib=640))
    with step("a PC with a cache that holds one image"):
        pc = room.ready_pc(work.disk)
        pc.succeed(f"og disk apply {_SERIAL} empty-gpt --yes")
        pc.succeed(f"og cache create 320MiB --disk {_SERIAL} --yes")
        _make_image(pc, "first")
        pc.succeed("og cache add /run/first.img")
        _make_image(pc, "second")
        digests = {name: _digest(pc, f"/run/{name}.img") for name in ("first", "second")}
    with step(f"the power fails while {work_done}"):
        work.begin(pc)
        if work_done == "publishing":
            pc.succeed("og cache add /run/second.img")
        else:
            pc.succeed("og cache evict first --yes")
        pc.kill()
        left = work.cut(seed=work_done)
    with step("after the power is back the cache shows whole images only"):
        pc = room.ready_pc(left)
        listed = pc.succeed("og cache list --json").json()
        point = pc.succeed("ogMountCache").output.splitlines()[-1]
        entries = listed["entries"]
        assert isinstance(entries, list)
        names = {str(entry["name"]) for entry in entries}
        sure = {"first"} if work_done == "publishing" else set()
        assert sure <= names <= sure | ({"second"} if work_done == "publishing" else {"first"})
        images = f"{point}/opt/opengnsys/images"
        for name in names:
            assert _digest(pc, f"{images}/{name}.img") == digests[name]
        seen = set(pc.succeed(f"ls {images}").output.split())
        assert {name for name in seen if name.endswith(".img")} == {f"{name}.img" for name in names}
    with step("and takes the next one"):
        _make_image(pc, "third")
        pc.succeed("og cache add /run/third.img")
        pc.succeed("og cache check --deep")


def _kept(disk: Disk) -> str:
    return hashlib.sha256(disk.read(MIB, 64 * MIB)).hexdigest()


def _make_image(pc: Machine, name: str) -> None:
    """A file that looks like an image of this name, each of other bytes."""
    pc.succeed(f"head -c {_IMAGE_MIB}M /dev/urandom > /run/{name}.img")


def _digest(pc: Machine, path: str) -> str:
    return pc.succeed(f"sha256sum < {path}").output
