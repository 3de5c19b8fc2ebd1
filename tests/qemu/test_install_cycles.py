# SPDX-License-Identifier: GPL-3.0-or-later
"""A blank PC boots from the network, is deployed, and boots its own disk: BIOS and UEFI."""

from __future__ import annotations

from harness import restored
from harness.captured import Captured
from harness.inventory import BIOS_PC, UEFI_PC
from harness.room import Room
from harness.steps import step


def test_bios_mbr_cycle(room: Room, debian_bios: Captured) -> None:
    disk = room.empty_disk("target", size_mib=4096)
    pc = room.pc(BIOS_PC, disk)
    with step("boot ogLive from the network"):
        pc.netboot()
        pc.wait_for_ready()
    with step("its screen says what it waits for, and where its console is"):
        shown = pc.succeed("fold -w $(stty -F /dev/tty1 size | cut -d' ' -f2) /dev/vcs1").output
        assert "its boot entry carries no job" in shown, shown
        assert "Console     root, without a password: serial line ttyS0" in shown, shown
    with step("deploy onto the empty disk"):
        pc.deploy("debian-bios", partition=1, layout="bios", hostname="aula1-pc01")
    with step("boot the restored disk alone"):
        pc.boot_from_disk()
        report = pc.wait_for_report()
    with step("the restored Debian knows its disk and its name"):
        restored.check(report, disk, debian_bios, hostname="aula1-pc01")


def test_uefi_gpt_cycle(room: Room, debian_uefi: Captured) -> None:
    disk = room.empty_disk("target", size_mib=4096)
    pc = room.pc(UEFI_PC, disk)
    with step("boot ogLive by the firmware's own PXE"):
        pc.netboot()
        pc.wait_for_ready()
    with step("deploy onto the empty disk"):
        pc.deploy("debian-uefi", partition=2, layout="uefi", hostname="aula1-pc02")
    with step("boot the restored disk alone"):
        pc.boot_from_disk()
        report = pc.wait_for_report()
    with step("the restored Debian knows its disk and its name"):
        restored.check(report, disk, debian_uefi, hostname="aula1-pc02")
