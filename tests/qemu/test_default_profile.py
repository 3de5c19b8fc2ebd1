# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile that sites use has no way in: it is judged by its network and its screen alone."""

from __future__ import annotations

import pytest
from harness import accesslog, lockout, restored
from harness.captured import Captured
from harness.inventory import LOCKED_PC
from harness.room import Room
from harness.steps import step

# Keeps the restore going while every door is tried.
_SLOW_DISK_MIB_S = 4


@pytest.mark.usefixtures("default_profile")
def test_default_profile_cycle_without_console(room: Room, debian_bios: Captured) -> None:
    name = debian_bios.name
    disk = room.empty_disk("target", size_mib=4096, write_limit_mib_s=_SLOW_DISK_MIB_S)
    pc = room.pc(LOCKED_PC, disk)
    with step("boot from the network and begin the job of the boot entry"):
        pc.netboot()
        room.wait_for_image_read(name, LOCKED_PC)
    with step("neither keys nor the serial line nor the network open a door"):
        lockout.try_keyboard(pc)
        lockout.try_serial_line(pc)
        scan = lockout.scan_ports(room.lan, LOCKED_PC.ip)
        assert scan.open == ()
        assert scan.refused, "nobody answered at all: the scan proves nothing"
        assert "restore" in lockout.check_screen(pc)
    with step("the job ends and the PC switches itself off"):
        pc.lift_write_limit(disk)
        serial = pc.running.console
        pc.wait_for_shutdown(pc.timeouts.long_command)
        assert serial.text() == "", "something spoke on the serial line"
        reads = room.server.image_reads(name, LOCKED_PC.ip)
        assert not accesslog.missing(reads, room.server.frames(name))
    with step("boot the restored disk alone"):
        pc.boot_from_disk()
        report = pc.wait_for_report()
        restored.check(report, disk, debian_bios, hostname=LOCKED_PC.name)
