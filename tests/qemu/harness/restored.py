# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging a restored system by its own words and by what lies on its disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.captured import Captured
from harness.disks import MIB, Disk
from harness.models import kernel_name
from harness.qemu_argv import Firmware
from harness.report import BootReport

# resize2fs leaves out a last block group that is too small to hold its own metadata.
_BLOCK_GROUP_BYTES = 128 * MIB


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a restored system shall say of itself.

    ``partitions``: the numbers of ``/``, ``swap`` and what else has one of its own, by mount point.
    ``old_machine_id``, ``old_bytes``: of the system and the root filesystem that was captured.
    """

    disk: Disk
    firmware: Firmware
    hostname: str
    partitions: Mapping[str, int]
    old_machine_id: str
    old_bytes: int
    subvolume: str = ""

    def uuid(self, point: str) -> str:
        return self.disk.filesystem(self.partitions[point])["UUID"]

    def check(self, report: BootReport) -> None:
        """Every promise of a deployment, one assertion each."""
        root, swap = self.uuid("/"), self.uuid("swap")

        assert report.running == "running", f"failed units: {report.failed}"
        assert report.hostname == self.hostname
        assert report.machine_id != self.old_machine_id, "the machine-id is the captured one's"
        assert report.firmware == ("efi" if self.firmware is Firmware.UEFI else "bios")

        assert report.root_uuid == root, "the mounted root is not the restored filesystem"
        device = kernel_name(self.disk.bus, self.partitions["/"])
        below = f"[/{self.subvolume}]" if self.subvolume else ""
        assert report.mounts["/"]["source"] == device + below
        boot = "/boot" if "/boot" in self.partitions else "/"
        assert report.grub_uuid == self.uuid(boot), "GRUB reads another filesystem"
        assert report.grub_device == kernel_name(self.disk.bus, self.partitions[boot])
        assert f"root=UUID={root}" in report.command_line
        if "resume=" in report.command_line:
            assert f"resume=UUID={swap}" in report.command_line

        wanted = {point: self.uuid(point) for point in self.partitions}
        if self.subvolume:
            wanted["/home"] = root
        assert report.fstab_uuids() == wanted
        assert report.swaps == (kernel_name(self.disk.bus, self.partitions["swap"]),)

        number = self.partitions["/"]
        grown = self.disk.filesystem_bytes(number)
        left = self.disk.partition(number).size_bytes - grown
        assert left < _BLOCK_GROUP_BYTES, "the root was not grown"
        assert grown > self.old_bytes


def check(
    report: BootReport, disk: Disk, image: Captured, hostname: str, *, image_bytes: int = 0
) -> None:
    """Of a golden Debian that was put back to the partition it was on.

    ``image_bytes``: how large the filesystem in the image is where it is not the golden one.
    """
    golden = image.golden
    number = golden.root_partition
    partitions = {"/": number, "swap": number + 1}
    if golden.firmware is Firmware.UEFI:
        partitions["/boot/efi"] = number - 1
    Wanted(
        disk,
        golden.firmware,
        hostname,
        partitions,
        golden.report.machine_id,
        image_bytes or golden.disk.filesystem_bytes(number),
    ).check(report)
