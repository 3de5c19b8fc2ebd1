# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be refused: a damaged image, and a target that is too small."""

from __future__ import annotations

from harness.captured import Captured
from harness.disks import MIB, SECTOR_BYTES
from harness.room import Room
from harness.steps import step

from oglib.errors import OgErr


def test_flipped_bit_is_refused(room: Room, debian_bios: Captured) -> None:
    disk = room.empty_disk("target", size_mib=4096)
    disk.make_table(debian_bios.golden.disk, size_bytes=4000 * MIB)
    pc = room.ready_pc(disk)
    frames = room.server.frames(debian_bios.name)
    first, end = frames[len(frames) // 2]
    with (
        room.server.flipped_bit(debian_bios.name, (first + end) // 2),
        step("restore an image of which one bit has changed"),
    ):
        refused = pc.fail(
            f"og image restore {debian_bios.name} 1 1 --yes --json",
            seconds=pc.timeouts.long_command,
        )
    with step("the error says so, and nothing claims success"):
        assert refused.status == OgErr.IMAGE
        assert refused.error()["code"] == OgErr.IMAGE
        assert "digest does not match" in str(refused.error()["message"])
        assert "read-back" not in refused.output, "a receipt was printed"
    with step("the half-written target begins with zeros and does not boot"):
        pc.kill()
        assert disk.read(disk.partition(1).start_bytes, MIB) == bytes(MIB)
        pc.boot_from_disk()
        pc.wait_for_grub_rescue()


def test_target_one_sector_too_small_is_refused(room: Room, debian_bios: Captured) -> None:
    needed = room.server.required_bytes(debian_bios.name)
    disk = room.empty_disk("target", size_mib=4096)
    disk.make_table(debian_bios.golden.disk, size_bytes=needed - SECTOR_BYTES)
    before = disk.digest()
    pc = room.ready_pc(disk)
    with step("restore onto a partition that is one sector too small"):
        refused = pc.fail(f"og image restore {debian_bios.name} 1 1 --yes --json")
    with step("the error names both sizes"):
        assert refused.status == OgErr.IMGSIZEPARTITION
        message = str(refused.error()["message"])
        assert str(needed) in message
        assert str(needed - SECTOR_BYTES) in message
    with step("not one byte of the disk has changed"):
        pc.kill()
        assert disk.digest() == before
