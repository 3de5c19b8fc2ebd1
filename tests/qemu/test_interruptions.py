# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens when something is pulled out in the middle."""

from __future__ import annotations

from harness import accesslog
from harness.captured import Captured
from harness.disks import MIB
from harness.inventory import BIOS_PC
from harness.lan import SERVER_IP
from harness.room import Room
from harness.steps import step

from oglib.errors import OgErr

# Slow enough that a pull at a fifth is surely in the middle.
_SLOW_DISK_MIB_S = 12
_PULL_AT_PERCENT = 20
# Of the image's bytes, before and after the interruption together.
_MOST_IN_ALL = 1.05


def test_cable_out_during_restore_resumes(room: Room, debian_bios: Captured) -> None:
    name = debian_bios.name
    disk = room.empty_disk("target", size_mib=4096, write_limit_mib_s=_SLOW_DISK_MIB_S)
    disk.make_table(debian_bios.golden.disk, size_bytes=4000 * MIB)
    pc = room.ready_pc(disk)
    restore = f"og image restore {name} 1 1 --yes --json"
    frames = room.server.frames(name)
    whole = sum(end - first for first, end in frames)
    earlier = len(room.server.image_reads(name))

    with step("pull the cable when a fifth is restored"):
        running = pc.begin(restore)
        pc.wait_for_progress(running, "restore", _PULL_AT_PERCENT)
        pc.set_link(up=False)
    with step("the restore ends by itself with a clear error"):
        cut = pc.wait_for_end(running, pc.timeouts.stalled_restore)
        assert cut.status == OgErr.REPO
        assert SERVER_IP in str(cut.error()["message"])
        assert cut.error()["hint"]
    with step("the half-written target begins with zeros and does not boot"):
        copy = room.snapshot(disk)
        assert copy.read(copy.partition(1).start_bytes, MIB) == bytes(MIB)
        other = room.pc(BIOS_PC, copy)
        other.boot_from_disk()
        other.wait_for_grub_rescue()
        other.kill()
    with step("plug the cable in and say it again"):
        pc.lift_write_limit(disk)
        fetched = room.server.image_reads(name)[earlier:]
        pc.set_link(up=True)
        done = pc.succeed(restore, seconds=pc.timeouts.long_command).json()
    with step("only the rest was fetched"):
        reads = room.server.image_reads(name)[earlier:]
        total = accesslog.total_bytes(reads)
        assert done["resumed"] is True
        assert accesslog.total_bytes(fetched) > 0
        assert total <= whole * _MOST_IN_ALL, f"{total} bytes for an image of {whole}"
        assert not accesslog.missing(reads, frames)
    with step("what lies on the disk is the image"):
        pc.succeed(f"og image verify {name} 1 1", seconds=pc.timeouts.long_command)
