# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile that sites use has no way in: it is judged by network, screen and keys alone."""

from __future__ import annotations

import re

import pytest
from harness import accesslog, keyboard, lockout, restored
from harness.captured import Captured
from harness.disks import MIB
from harness.golden import GoldenDisks
from harness.inventory import CHANGED_PC, IN_FOLDER, LOCKED_PC, MODEL_PC
from harness.qemu_argv import Firmware
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
    with step("the job ends, says so, and the PC switches itself off"):
        pc.lift_write_limit(disk)
        serial = pc.running.console
        shown = pc.wait_for_last_screen(pc.timeouts.long_command)
        assert serial.text() == "", "something spoke on the serial line"
        onto = f"Debian 13 ({name} version 1) onto disk 1 partition 1, /dev/vda (4.0 GiB)"
        assert onto in " ".join(shown.split()), shown
        assert re.search(r"^step 1 of \d: partition the disk$", shown, re.MULTILINE), shown
        assert re.search(rf"^step 2 of \d: restore {name} version 1$", shown, re.MULTILINE), shown
        assert re.search(rf"^Ready: Debian 13 as {LOCKED_PC.name}$", shown, re.MULTILINE), shown
        assert "This PC switches itself off." in shown
        assert "The job failed" not in shown, shown
        assert "echo OG" not in shown, "keys draw over the screen"
        reads = room.server.image_reads(name, LOCKED_PC.ip)
        assert not accesslog.missing(reads, room.server.frames(name))
    with step("boot the restored disk alone"):
        pc.boot_from_disk()
        report = pc.wait_for_report()
        restored.check(report, disk, debian_bios, hostname=LOCKED_PC.name)


@pytest.mark.usefixtures("default_profile")
def test_boot_entries_capture_a_pc_and_put_it_back(room: Room, golden: GoldenDisks) -> None:
    model = golden.get(Firmware.BIOS)
    with step("a PC whose entry says `create` asks for a token before anything else"):
        pc = room.pc(MODEL_PC, room.snapshot(model.disk))
        pc.netboot()
        shown = pc.wait_for_screen("This PC waits for an hour.", pc.timeouts.ready)
        assert f"This PC has no upload token for {IN_FOLDER}" in shown
        pc.running.screen.dump(pc.log_dir / "token.png")
    with step("the typed token is not shown, and the PC captures its disk and goes off"):
        token = room.server.token(IN_FOLDER)
        keyboard.type_all(pc, f"{token}\n")
        shown = pc.wait_for_last_screen(pc.timeouts.long_command)
        assert f"Captured: {IN_FOLDER} version 1" in shown, shown
        assert "The job failed" not in shown, shown
        assert "og1~" not in shown
        assert room.server.manifest(IN_FOLDER)["version"] == 1
    with step("another PC, whose system does not start any more, gets it back"):
        disk = room.snapshot(model.disk)
        disk.blank(disk.partition(1).start_bytes, 4 * MIB)
        pc = room.pc(CHANGED_PC, disk)
        pc.netboot()
        shown = pc.wait_for_screen("Ctrl-Alt-Del restarts it.", pc.timeouts.long_command)
        assert f"({IN_FOLDER} version 1) onto disk 1 partition 1" in " ".join(shown.split())
        assert f"step 1 of 1: restore {IN_FOLDER} version 1" in shown
        assert "Ready: Debian 13\n" in shown, shown
        pc.running.screen.dump(pc.log_dir / "ready.png")
    with step("it stays, and Ctrl-Alt-Del restarts it"):
        pc.running.screen.press("ctrl", "alt", "delete")
        assert pc.wait_for_shutdown() == "guest-reset"
    with step("boot the restored disk alone"):
        pc.boot_from_disk()
        report = pc.wait_for_report()
        assert report.running == "running", report.failed
        assert report.hostname == model.report.hostname
