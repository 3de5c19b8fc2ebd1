# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that are not simply put back: shrunk, of a whole disk, made by another program."""

from __future__ import annotations

from harness import clonezilla, restored
from harness.captured import TOKEN_FILE, Captured
from harness.disks import MIB, Bus, Disk
from harness.golden import GoldenDisks
from harness.inventory import BIOS_PC, UEFI_PC
from harness.qemu_argv import Firmware
from harness.room import Room
from harness.steps import step

from oglib.errors import OgErr

SMALL_MIB = 1100


def test_image_of_a_large_partition_boots_from_a_small_one(
    room: Room, debian_bios: Captured
) -> None:
    disk = room.empty_disk("target", size_mib=SMALL_MIB)
    pc = room.ready_pc(disk)
    with step("the image as captured is refused, and the blank disk stays blank"):
        refused = pc.fail("og deploy debian-bios 1 1 --layout bios --yes --json")
        assert refused.status == OgErr.IMGSIZEPARTITION
        assert disk.read(0, MIB) == bytes(MIB)
    with step("shrink a copy of it, beside the repository and without a disk"):
        room.server.convert(debian_bios.name, "debian-small", "--fit", "700MiB")
        assert room.server.required_bytes("debian-small") <= 700 * MIB
    with step("the listing says which of the two fits"):
        fits = pc.succeed("og image list --fits 1 --json").output
        assert "debian-small" in fits
    with step("deploy the copy"):
        pc.deploy("debian-small", partition=1, layout="bios", hostname="aula1-pc03")
        pc.kill()
    with step("boot the restored disk alone"):
        pc = room.pc(BIOS_PC, disk)
        pc.boot_from_disk()
        report = pc.wait_for_report()
    with step("the restored Debian knows its disk, its name and its new size"):
        small = room.server.required_bytes("debian-small")
        restored.check(report, disk, debian_bios, hostname="aula1-pc03", image_bytes=small)


def test_whole_disk_image_boots_on_another_disk(room: Room, golden: GoldenDisks) -> None:
    source = golden.get(Firmware.UEFI)
    with step("capture the whole disk into the repository"):
        pc = room.ready_pc(source.disk)
        pc.place_secret(TOKEN_FILE, room.server.token("lab-pc"))
        pc.succeed(
            f"og image create 1 lab-pc --to {room.server.url}", seconds=pc.timeouts.long_command
        )
        pc.kill()
    disk = room.empty_disk("target", size_mib=3072)
    with step("put it onto a larger, blank disk"):
        pc = room.ready_pc(disk)
        # The PC whose ready state is saved starts by BIOS.
        refused = pc.fail("og image restore lab-pc 1 --yes --json")
        assert refused.status == OgErr.NOTUEFI
        pc.succeed(
            "og image restore lab-pc 1 --other-firmware --yes --json",
            seconds=pc.timeouts.long_command,
        )
        pc.kill()
    with step("boot the restored disk alone, on another connector"):
        pc = room.pc(UEFI_PC, disk.on(Bus.SATA))
        pc.boot_from_disk()
        report = pc.wait_for_report()
    with step("it is the captured system, and the disk is its own"):
        assert report.running == "running", f"failed units: {report.failed}"
        assert report.root_uuid == source.disk.filesystem(2)["UUID"]
        assert report.mounts["/"]["source"].endswith("sda2")


def test_what_clonezilla_saved_is_restored_as_it_restores_it(
    room: Room, golden: GoldenDisks
) -> None:
    source = golden.get(Firmware.BIOS)
    ours, theirs = room.empty_disk("ours", size_mib=2048), room.empty_disk("theirs", size_mib=2048)
    pc = room.ready_pc(source.disk, clonezilla.disk_of(room), ours, theirs)
    peer, image = clonezilla.Clonezilla(pc), f"{clonezilla.IMAGES}/lab-image"
    with step("Clonezilla saves a disk"):
        peer.save(source.disk, "lab-image")
    with step("ogLive knows what that is, and that it is sound"):
        told = pc.succeed(f"og image info {image} --json").json()
        assert (told["tool"], told["compressor"]) == ("clonezilla", "zstd")
        pc.succeed(f"og image verify {image}", seconds=pc.timeouts.long_command)
    with step("both restore it, each to a blank disk"):
        pc.succeed(
            f"og image restore {image} {by_serial(ours)} --keep-size --yes --json",
            seconds=pc.timeouts.long_command,
        )
        peer.restore("lab-image", theirs)
    with step("the two disks hold the same, by the image and byte for byte"):
        for disk in (ours, theirs):
            pc.succeed(
                f"og image verify {image} {by_serial(disk)}", seconds=pc.timeouts.long_command
            )
        root = pc.succeed(f"cmp {by_serial(ours)}-part1 {by_serial(theirs)}-part1 && echo same")
        assert "same" in root.output
        pc.kill()
    with step("boot the restored disk alone"):
        pc = room.pc(BIOS_PC, ours)
        pc.boot_from_disk()
        report = pc.wait_for_report()
    with step("it is the saved system"):
        assert report.running == "running", f"failed units: {report.failed}"
        assert report.root_uuid == source.disk.filesystem(1)["UUID"]


def by_serial(disk: Disk) -> str:
    """The disk's own name on the PC that it is plugged into."""
    return f"/dev/disk/by-id/virtio-{disk.serial}"
