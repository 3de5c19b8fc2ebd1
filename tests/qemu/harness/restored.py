# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging a restored system by its own words and by what lies on its disk."""

from __future__ import annotations

from harness.captured import Captured
from harness.disks import MIB, Disk
from harness.qemu_argv import Firmware
from harness.report import BootReport

# resize2fs leaves out a last block group that is too small to hold its own metadata.
_BLOCK_GROUP_BYTES = 128 * MIB


def check(
    report: BootReport, disk: Disk, image: Captured, hostname: str, *, image_bytes: int = 0
) -> None:
    """Every promise of a deployment, one assertion each.

    ``image_bytes``: how large the filesystem in the image is where it is not the golden one.
    """
    golden = image.golden
    number = golden.root_partition
    root = disk.filesystem(number)["UUID"]

    assert report.running == "running", f"failed units: {report.failed}"
    assert report.hostname == hostname
    assert report.machine_id != golden.report.machine_id, "the machine-id is the golden one's"
    assert report.firmware == ("efi" if golden.firmware is Firmware.UEFI else "bios")

    assert report.root_uuid == root, "the mounted root is not the restored filesystem"
    assert report.mounts["/"]["source"].endswith(f"vda{number}")
    assert report.grub_uuid == root, "GRUB reads another filesystem"
    assert report.grub_device.endswith(f"vda{number}")
    assert f"root=UUID={root}" in report.command_line

    wanted = {"/": root, "swap": disk.filesystem(number + 1)["UUID"]}
    if golden.firmware is Firmware.UEFI:
        wanted["/boot/efi"] = disk.filesystem(1)["UUID"]
    assert report.fstab_uuids() == wanted

    partition = disk.partition(number)
    grown = disk.ext4_bytes(number)
    assert partition.size_bytes - grown < _BLOCK_GROUP_BYTES, "the root was not grown"
    assert grown > (image_bytes or golden.disk.ext4_bytes(number))
