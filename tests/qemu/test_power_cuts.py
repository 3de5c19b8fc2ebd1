# SPDX-License-Identifier: GPL-3.0-or-later
"""The power fails while a disk, the cache or a system is changed; then it comes back.

tests/power replays hundreds of such cuts; here some of them are lived through by a whole PC.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path

import pytest
from harness import esp_cuts
from harness.disks import MIB, Disk
from harness.inventory import BIOS_PC, UEFI_PC
from harness.machine import Machine
from harness.models import Models, Root, Start
from harness.moving import Move, on_this_host
from harness.power_cut import RecordedWork
from harness.process import run
from harness.qemu_argv import Firmware
from harness.room import Room
from harness.steps import step

from power.crash import crash_states, make_disk
from power.recorder import recorded_disk
from power.write_log import read_log

_SERIAL = "CUT00001"
_IMAGE_MIB = 12
_CUTS = 5
_ESP_STATES = 200
_ANOTHER_NAME = "aula1-pc02"
# What is fitted, and whether the PC then waits for the same command before it starts: GRUB's files
# and the code that loads them are not changed in one write.
_FITTED = {
    "texts": (("hostname", "hosts", "fstab", "grub.cfg", "grub-defaults"), False),
    "all": ((), True),
}


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


@pytest.mark.parametrize("what", _FITTED)
def test_cut_while_a_system_is_fitted_and_it_starts(
    room: Room, models: Models, tmp_path: Path, what: str
) -> None:
    only, again = _FITTED[what]
    move = Move(models.get(Start.BIOS_MBR, Root.EXT4))
    disk = room.empty_disk(_SERIAL, size_mib=2048)
    with step("a disk with a system that has been fitted once"):
        move.capture(room)
        move.as_file(room, disk)
    root = str(move.partitions["/"])
    words = ["--hostname", _ANOTHER_NAME, *(word for one in only for word in ("--step", one))]
    with (
        step("it is fitted to another PC, and every write is noted"),
        recorded_disk(tmp_path / "log", disk.size_bytes, disk.path) as recorded,
    ):
        on_this_host("os", "configure", str(recorded.device), root, *words)
    recording = recorded.recording()
    for state in crash_states(recording.log, seed=what, count=_CUTS + 2)[2:]:
        with step(f"the power fails: {state}"):
            left = room.snapshot(disk)
            make_disk(recording.log, recording.base, state, left.path)
            if again:
                on_this_host("os", "configure", str(left.path), root, *words)
            pc = room.pc(BIOS_PC, left)
            pc.boot_from_disk()
            report = pc.wait_for_report()
            pc.kill()
            assert report.hostname == _ANOTHER_NAME or not again
            wanted = move.wanted(left, BIOS_PC.firmware)
            names = (wanted.hostname, _ANOTHER_NAME)
            replace(wanted, hostname=next(one for one in names if one == report.hostname)).check(
                report
            )


def test_cut_while_the_esp_is_written(room: Room, models: Models, tmp_path: Path) -> None:
    move = Move(models.get(Start.UEFI, Root.EXT4))
    disk = room.empty_disk(_SERIAL, size_mib=2048)
    esp, root = move.partitions["/boot/efi"], move.partitions["/"]
    with step("a disk whose ESP has loaders of another version"):
        move.capture(room)
        pc = room.ready_pc(disk, firmware=Firmware.UEFI)
        move.in_guest(pc)
        pc.succeed(f"mount /dev/vda{esp} /mnt && find /mnt -type f | while read -r one; do "
                   'echo another >> "$one"; done; umount /mnt')  # fmt: skip
        pc.kill()
    work = RecordedWork(room, disk)
    command = f"og os configure 1 {root} --hostname {_ANOTHER_NAME}"
    with step("the power fails while it is fitted to another PC"):
        pc = room.ready_pc(work.disk, firmware=Firmware.UEFI)
        work.begin(pc)
        pc.succeed(command, seconds=pc.timeouts.long_command)
        pc.kill()
    with step("each file of the ESP is the old one or the new one, in every state"):
        place = disk.partition(esp)
        base = esp_cuts.cut_out(work.base, place, tmp_path / "base")
        log = esp_cuts.of_partition(read_log(work.log), place)
        wrong = esp_cuts.violations(base, log, seed="esp", count=_ESP_STATES, work=tmp_path)
        assert not wrong, "\n".join(wrong)
    with step("the same command again ends it, and it starts"):
        left = work.cut(seed="esp")
        pc = room.ready_pc(left, firmware=Firmware.UEFI)
        pc.succeed(command, seconds=pc.timeouts.long_command)
        pc.kill()
        pc = room.pc(UEFI_PC, left)
        pc.boot_from_disk()
        report = pc.wait_for_report()
        replace(move.wanted(left, UEFI_PC.firmware), hostname=_ANOTHER_NAME).check(report)


def _kept(disk: Disk) -> str:
    return hashlib.sha256(disk.read(MIB, 64 * MIB)).hexdigest()


def _make_image(pc: Machine, name: str) -> None:
    """A file that looks like an image of this name, each of other bytes."""
    pc.succeed(f"head -c {_IMAGE_MIB}M /dev/urandom > /run/{name}.img")


def _digest(pc: Machine, path: str) -> str:
    return pc.succeed(f"sha256sum < {path}").output
