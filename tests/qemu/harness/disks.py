# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw sparse disks on the host: making, describing to QEMU, and looking at from outside."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from harness.errors import HarnessError
from harness.paths import HASH_STEP_BYTES
from harness.process import run

SECTOR_BYTES = 512
MIB = 1 << 20
_BOOT_CODE_BYTES = 440  # of an MBR, before the disk signature


class Bus(StrEnum):
    """What a disk is connected by."""

    VIRTIO = "virtio"
    IDE = "ide"
    SATA = "sata"
    NVME = "nvme"
    SCSI = "scsi"
    USB = "usb"


# The device model that QEMU gives the guest; PCs with a BIOS have a controller for IDE.
_MODELS = {
    Bus.VIRTIO: "virtio-blk-pci",
    Bus.IDE: "ide-hd",
    Bus.SATA: "ide-hd",
    Bus.NVME: "nvme",
    Bus.SCSI: "scsi-hd",
    Bus.USB: "usb-storage",
}
# What a bus hangs on where the machine has none of its own; each serves one disk here.
_CONTROLLERS = {Bus.SATA: "ich9-ahci", Bus.SCSI: "virtio-scsi-pci", Bus.USB: "qemu-xhci"}


@dataclass(frozen=True, slots=True)
class Disk:
    """A raw file that a machine sees as a disk; the limit slows its writes."""

    path: Path
    serial: str
    read_only: bool = False
    write_limit_bytes_s: int = 0
    bus: Bus = Bus.VIRTIO
    sector_bytes: int = SECTOR_BYTES
    log: Path | None = None
    """Where QEMU notes every write and flush (as dm-log-writes does), for replaying power cuts.

    On the SCSI bus, where the guest is told to send one command at a time: with several in flight
    blklogwrites of QEMU 7.2 now and then answers a write with an I/O error.
    """
    paths: int = 1
    """How many ways lead to it; more than one on the SCSI bus only."""

    @classmethod
    def empty(cls, path: Path, size_bytes: int, serial: str) -> Disk:
        """A new, all-zero disk."""
        with path.open("xb") as stream:
            stream.truncate(size_bytes)
        return cls(path, serial)

    def on(self, bus: Bus, *, sector_bytes: int = 0) -> Disk:
        """The same disk on another connector."""
        return replace(self, bus=bus, sector_bytes=sector_bytes or self.sector_bytes)

    def copy(self, path: Path) -> Disk:
        """A second disk with the same content, still sparse."""
        run(["cp", "--sparse=always", "--reflink=auto", "--", str(self.path), str(path)])
        return replace(self, path=path, read_only=False, write_limit_bytes_s=0)

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def digest(self) -> str:
        """sha256 of the whole content (holes read as zeros)."""
        digest = hashlib.sha256()
        with self.path.open("rb") as stream:
            while block := stream.read(HASH_STEP_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def make_table(self, golden: Disk, size_bytes: int) -> None:
        """An MBR table with one partition at 1 MiB, and the boot loader of the golden disk.

        So the disk is like one that had a working Debian: only what is in the partition decides
        whether it boots.
        """
        sectors = size_bytes // SECTOR_BYTES
        script = f"label: dos\nunit: sectors\n{MIB // SECTOR_BYTES},{sectors},83,*\n"
        run(["sfdisk", "--quiet", "--no-tell-kernel", str(self.path)], stdin=script)
        with self.path.open("r+b") as stream:
            stream.write(golden.read(0, _BOOT_CODE_BYTES))
            stream.seek(SECTOR_BYTES)
            stream.write(golden.read(SECTOR_BYTES, MIB - SECTOR_BYTES))

    def blank(self, offset: int, length: int) -> None:
        """Zeros over what lies there."""
        with self.path.open("r+b") as stream:
            stream.seek(offset)
            stream.write(bytes(length))

    def read(self, offset: int, length: int) -> bytes:
        with self.path.open("rb") as stream:
            stream.seek(offset)
            return stream.read(length)

    def partition(self, number: int) -> Partition:
        """Where a partition lies, as the table on the disk says."""
        table = json.loads(run(["sfdisk", "--json", str(self.path)]))["partitiontable"]
        sector = int(table.get("sectorsize", SECTOR_BYTES))
        for row in table["partitions"]:
            if row["node"] == f"{self.path}{number}" or row["node"] == f"{self.path}p{number}":
                return Partition(int(row["start"]) * sector, int(row["size"]) * sector)
        raise HarnessError(f"{self.path} has no partition {number}")

    def filesystem(self, number: int) -> dict[str, str]:
        """What blkid says of a partition's content: TYPE, UUID, LABEL …"""
        place = self.partition(number)
        out = run(
            ["blkid", "--probe", "--output", "export", f"--offset={place.start_bytes}",
             f"--size={place.size_bytes}", str(self.path)]
        )  # fmt: skip
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def filesystem_bytes(self, number: int) -> int:
        """How large the filesystem on a partition is, by its own superblock."""
        kind, start = self.filesystem(number)["TYPE"], self.partition(number).start_bytes
        if kind == "xfs":
            superblock = self.read(start, 16)
            block_bytes = int.from_bytes(superblock[4:8], "big")
            return int.from_bytes(superblock[8:16], "big") * block_bytes
        if kind == "btrfs":
            return int.from_bytes(self.read(start + (64 << 10) + 0x70, 8), "little")
        if kind != "ext4":
            raise HarnessError(f"the size of {kind} is not known here")
        superblock = self.read(start + 1024, 1024)
        low = int.from_bytes(superblock[0x4:0x8], "little")
        log_size = int.from_bytes(superblock[0x18:0x1C], "little")
        high = int.from_bytes(superblock[0x150:0x154], "little")
        return (low | high << 32) * (1024 << log_size)

    def nodes(self) -> list[dict[str, object]]:
        """QEMU block nodes, lowest first; the last one is what the device gets."""
        file: dict[str, object] = {
            "driver": "file",
            "node-name": f"{self.serial}-file",
            "filename": str(self.path),
            "read-only": self.read_only,
            "discard": "unmap",
            # A killed QEMU keeps what the guest wrote (the host's page cache does); the host
            # itself is not cut off in these scenarios, so its own flushes only cost time.
            "cache": {"direct": False, "no-flush": True},
        }
        raw: dict[str, object] = {
            "driver": "raw",
            "node-name": self.serial,
            "file": f"{self.serial}-file",
            "read-only": self.read_only,
            "discard": "unmap",
            "detect-zeroes": "off" if self.read_only else "unmap",
        }
        if self.log is not None:
            raw["node-name"] = f"{self.serial}-raw"
            self.log.touch()
            log: dict[str, object] = {
                "driver": "file",
                "node-name": f"{self.serial}-log",
                "filename": str(self.log),
            }
            logged: dict[str, object] = {
                "driver": "blklogwrites",
                "node-name": self.serial,
                "file": f"{self.serial}-raw",
                "log": f"{self.serial}-log",
            }
            return [file, raw, log, logged]
        if not self.write_limit_bytes_s:
            return [file, raw]
        raw["node-name"] = f"{self.serial}-raw"
        throttle: dict[str, object] = {
            "driver": "throttle",
            "node-name": self.serial,
            "throttle-group": f"{self.serial}-limit",
            "file": f"{self.serial}-raw",
        }
        return [file, raw, throttle]

    def objects(self) -> list[dict[str, object]]:
        """QEMU objects the nodes refer to."""
        if not self.write_limit_bytes_s:
            return []
        limits = {"bps-write": self.write_limit_bytes_s}
        return [{"qom-type": "throttle-group", "id": f"{self.serial}-limit", "limits": limits}]

    def devices(self, boot_index: int | None = None) -> list[dict[str, object]]:
        """What the guest sees: the disk once per path, each behind the host adapter it needs."""
        found: list[dict[str, object]] = []
        for path in range(self.paths):
            device: dict[str, object] = {
                "driver": _MODELS[self.bus],
                "id": f"dev-{self.serial}-{path}",
                "drive": self.serial,
                "serial": self.serial,
            }
            if self.bus in _CONTROLLERS:
                adapter = f"adapter-{self.serial}-{path}"
                one_by_one = {"cmd_per_lun": 1} if self.log is not None else {}
                found.append({"driver": _CONTROLLERS[self.bus], "id": adapter, **one_by_one})
                device["bus"] = f"{adapter}.0"
            if self.sector_bytes != SECTOR_BYTES:
                device["logical_block_size"] = self.sector_bytes
                device["physical_block_size"] = self.sector_bytes
            if self.paths > 1:
                device |= {"share-rw": True, "wwn": self.wwn}
            elif boot_index is not None:
                device["bootindex"] = boot_index
            found.append(device)
        return found

    @property
    def link(self) -> Path:
        """udev's name for it in a guest, of the kinds that are plugged into running ones."""
        before = {Bus.VIRTIO: "virtio-", Bus.SCSI: "scsi-0QEMU_QEMU_HARDDISK_"}[self.bus]
        return Path(f"/dev/disk/by-id/{before}{self.serial}")

    @property
    def wwn(self) -> int:
        """The worldwide name of a disk with several paths: one per serial number."""
        digest = hashlib.sha256(self.serial.encode()).digest()
        return 0x5000_C500_0000_0000 | int.from_bytes(digest[:4], "big")


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition's place on its disk, in bytes."""

    start_bytes: int
    size_bytes: int
