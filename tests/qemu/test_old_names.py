# SPDX-License-Identifier: GPL-3.0-or-later
"""A script as sites have them for OpenGnsys, on a PC with real disks and device nodes."""

from __future__ import annotations

from harness.machine import Machine
from harness.room import Room
from harness.steps import step

from oglib.errors import OgErr

_KIB_PER_MIB = 1024


def test_a_script_for_opengnsys(room: Room) -> None:
    pc = room.ready_pc(
        room.empty_disk("OLDDISK1", size_mib=1024), room.empty_disk("OLDDISK2", size_mib=512)
    )
    with step("disks and their devices"):
        says(pc, "ogDiskToDev", "/dev/vda /dev/vdb")
        says(pc, "ogDevToDisk /dev/vdb", "2")
        says(pc, "ogGetDiskType /dev/vda", "VIRTBLK")
        says(pc, "ogGetDiskSize 1", str(1024 * _KIB_PER_MIB))
    with step("primary and logical partitions, a hole among them, and the cache"):
        words = "NTFS:102400 EMPTY:0 EXTENDED:204800 EMPTY:0 LINUX:65536 FAT32:65536"
        says(pc, f"ogCreatePartitionTable 1 MSDOS && ogCreatePartitions 1 {words}", "")
        says(pc, "ogListPartitions 1", words)
        says(pc, "ogListLogicalPartitions 1", "LINUX:65536 FAT32:65536")
        says(pc, "ogGetPartitionsNumber 1", "6")
        says(pc, "ogDiskToDev 1 5; ls /dev/vda5", "/dev/vda5\n/dev/vda5")
        says(pc, "ogDevToDisk /dev/vda6", "1 6")
        says(pc, "ogGetPartitionTableType 1", "MSDOS")
        says(pc, "ogCreateCache 1 4 300000 && ogFormatCache && ogFindCache", "1 4")
    with step("filesystems are made, mounted, used, shrunk and grown"):
        says(pc, "ogFormatFs 1 1 NTFS WINDOWS && ogGetFsType 1 1", "NTFS")
        says(
            pc, "ogFormatFs 1 5 EXT4 ROOT && ogFormatFs 1 6 FAT32 DATA && ogGetFsType 1 6", "FAT32"
        )
        says(pc, "ogMount 1 5", "/mnt/vda5")
        says(pc, "echo kept > /mnt/vda5/file; ogUnmount 1 5; ogIsMounted 1 5; echo $?", "1")
        shrunk = pc.succeed("ogReduceFs 1 5").output
        assert 0 < int(shrunk) < 65536
        says(pc, "ogExtendFs 1 5 && ogMount 1 5 && cat /mnt/vda5/file", "/mnt/vda5\nkept")
        says(
            pc, "ogGetMountPoint 1 5; ogUnmountAll 1; ogGetMountPoint 1 5; echo $?", "/mnt/vda5\n1"
        )
        says(pc, "ogMount 1 6 && ogIsWritable 1 6; echo $?; ogUnmount 1 6", "/mnt/vda6\n0")
        says(pc, "ogCheckFs 1 6; echo $?", "0")
    with step("a table is changed while the cache is mounted, which comes back"):
        point = pc.succeed("ogMountCache").output
        says(pc, f"ogSetPartitionType 1 1 WIN-DYNAMIC; findmnt -no TARGET {point}", point)
        says(pc, "ogGetPartitionType 1 1; ogGetPartitionId 1 1", "WIN-DYNAMIC\n42")
    with step("a locked disk is left alone; a lock ends with its script"):
        said = pc.execute(
            "ogLockDisk 2; ogIsPartitionLocked 2 1; ogFormatFs 2 1 EXT4; echo $?"
        ).output
        assert said.splitlines()[-1] != "0"
        says(pc, "bash -c 'ogLockDisk 2; :'; ogIsDiskLocked 2; echo $?", "1")
    with step("errors are numbers, and say why"):
        refused = pc.fail("ogGetPartitionSize 1 9")
        assert refused.status == OgErr.NOTFOUND
        assert "partition 9" in refused.output
        assert pc.fail("ogFormatFs 1 5 NOSUCHFS").status == OgErr.PARTITION
    with step("the shell's own part"):
        says(
            pc,
            "bash -c 'source /opt/opengnsys/etc/preinit/loadenviron.sh; "
            'echo $OGIMG; f() { ogRaiseError "" 2 here; }; f; echo $?; ogGetNetInterface\'',
            None,
        )
        says(pc, "ogGetIpAddress", "10.77.0.11")
        says(pc, "ogIsEfiActive; echo $?", "1")


def says(pc: Machine, command: str, expected: str | None) -> None:
    """The command ends well and prints exactly this; None: whatever it prints."""
    said = pc.succeed(command, seconds=pc.timeouts.long_command).output
    assert expected is None or said == expected, f"`{command}` said {said!r}"
