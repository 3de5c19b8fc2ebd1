# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens when something is pulled out in the middle."""

from __future__ import annotations

from harness import accesslog
from harness.captured import Captured
from harness.disks import MIB
from harness.og import OG_ERR_REPO
from harness.room import Room
from harness.steps import step

_SLOW_DISK_MIB_S = 12
"""Slow enough that pulling the cable at a fifth is surely in the middle."""


def test_cable_out_during_restore_resumes(room: Room, debian_bios: Captured) -> None:
    name = debian_bios.name
    disk = room.empty_disk("target", size_mib=4096, write_limit_mib_s=_SLOW_DISK_MIB_S)
    disk.make_table("msdos", start_bytes=MIB, size_bytes=4000 * MIB)
    pc = room.ready_pc(disk)
    restore = f"og image restore {name} 1 1 --yes --json"
    whole = sum(end - first for first, end in room.server.frames(name))

    with step("pull the cable when a fifth is restored"):
        running = pc.begin(restore)
        running.wait_for_progress("restore", 20)
        pc.set_link(up=False)
    with step("the restore ends by itself with a clear error"):
        cut = running.wait(pc.timeouts.stalled_restore)
        assert cut.status == OG_ERR_REPO
        assert room.server.url in str(cut.error()["message"])
        assert cut.error()["hint"]
    fetched = accesslog.total_bytes(room.server.image_reads(name))
    with step("the half-written target begins with zeros and does not boot"):
        copy = room.snapshot(disk)
        assert copy.read(copy.partition(1).start_bytes, MIB) == bytes(MIB)
        other = room.pc_with_disk_only(copy)
        other.boot_from_disk()
        other.wait_for_no_bootable_disk()
        other.kill()
    with step("plug the cable in and say it again"):
        pc.set_link(up=True)
        pc.wait_for_server(room.server.url)
        pc.succeed(restore, seconds=pc.timeouts.long_command)
    with step("only the rest was fetched"):
        reads = room.server.image_reads(name)
        rest = accesslog.total_bytes(reads) - fetched
        assert rest < whole * 0.9, f"{rest} of {whole} bytes were fetched again"
        assert not accesslog.missing(reads, room.server.frames(name))
    with step("the restored filesystem is whole"):
        pc.succeed(f"og image verify {name} 1 1", seconds=pc.timeouts.long_command)
        pc.kill()
        disk.check_ext4(1, room)
