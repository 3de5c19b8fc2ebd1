# SPDX-License-Identifier: GPL-3.0-or-later
"""Four kinds of disk in one PC: told apart, partitioned, formatted, and found again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness.disks import Bus, Disk
from harness.inventory import BIOS_PC
from harness.layouts import KINDS_MIB
from harness.machine import Machine
from harness.room import Room
from harness.steps import LOG, step

from oglib.errors import OgErr

_LAYOUT_OF = {
    "VIRT0001": "every-kind",
    "SATA0001": "logical",
    "NVME0001": "esp-and-root",
    "SCSI4K01": "four-kib",
}
_KINDS_OF = {
    "VIRT0001": dict(enumerate(KINDS_MIB, start=1)),
    "SATA0001": {1: "ntfs", 5: "ext4", 6: "fat32"},
    "NVME0001": {1: "fat32", 2: "btrfs"},
    "SCSI4K01": {1: "ext4", 2: "xfs", 3: "fat32", 4: "ntfs"},
}
# What blkid calls them, where that is another word.
_TYPE_OF = {"fat12": "vfat", "fat16": "vfat", "fat32": "vfat"}

# Mounts each partition with the kernel (NTFS: ntfs-3g) and leaves or reads a file; no og in it.
_EACH = (
    "for p in {nodes}; do t=$(blkid -p -s TYPE -o value $p); [ $t = swap ] && continue; "
    "[ $t = ntfs ] && t=ntfs-3g; mount -t $t $p /mnt && {{ {what}; }} || echo $p $t failed; "
    "umount /mnt; done"
)


def test_four_disks(room: Room) -> None:
    virtio, sata, nvme, scsi = (
        room.empty_disk("VIRT0001", size_mib=2048).on(Bus.VIRTIO),
        room.empty_disk("SATA0001", size_mib=1024).on(Bus.SATA),
        room.empty_disk("NVME0001", size_mib=2048).on(Bus.NVME),
        room.empty_disk("SCSI4K01", size_mib=2048).on(Bus.SCSI, sector_bytes=4096),
    )
    pc = _booted(room, virtio, sata, nvme, scsi)
    with step("og tells the four blank disks apart"):
        found = _disks(pc)
        assert {serial: _traits(disk) for serial, disk in found.items()} == {
            "VIRT0001": ("virtio", 512, "none"),
            "SATA0001": ("sata", 512, "none"),
            "NVME0001": ("nvme", 512, "none"),
            "SCSI4K01": ("scsi", 4096, "none"),
        }
    with step("partition each of them, twice: the second time there is nothing to change"):
        for serial, layout in _LAYOUT_OF.items():
            pc.succeed(f"og disk apply {serial} {layout} --yes")
            assert pc.succeed(f"og disk apply {serial} {layout} --yes").output == (
                "nothing to change"
            )
    with step("format every kind of filesystem, and use each with its own driver"):
        for serial, kinds in _KINDS_OF.items():
            for number, kind in kinds.items():
                label = "" if kind == "reiserfs" else f" --label {kind}"
                pc.succeed(f"og fs format {serial} {number} {kind}{label} --yes")
        before = _disks(pc)
        _use_each(pc, before, "echo $p > /mnt/left-here")
    with step("create the cache at the end of the NVMe disk"):
        pc.succeed("og cache create 512MiB --disk NVME0001 --yes")
        pc.succeed("og cache list")
        before = _disks(pc)

    pc.kill()
    pc = _booted(room, virtio, sata, nvme, scsi)
    with step("after a reboot everything is found again"):
        after = _disks(pc)
        _show(after)
        assert {serial: _content(disk) for serial, disk in after.items()} == {
            serial: _content(disk) for serial, disk in before.items()
        }
        assert {serial: _traits(disk) for serial, disk in after.items()} == {
            "VIRT0001": ("virtio", 512, "gpt"),
            "SATA0001": ("sata", 512, "msdos"),
            "NVME0001": ("nvme", 512, "gpt"),
            "SCSI4K01": ("scsi", 4096, "gpt"),
        }
        for serial, kinds in _KINDS_OF.items():
            made = {part["number"]: part["filesystem"] for part in after[serial]["partitions"]}
            for number, kind in kinds.items():
                assert made[number] == _TYPE_OF.get(kind, kind), f"{serial} {number}"
        _use_each(pc, after, "grep -q /dev/ /mnt/left-here")
        cache = after["NVME0001"]["partitions"][-1]
        assert (cache["type"], cache["filesystem"], cache["label"]) == ("CACHE", "ext4", "CACHE")
        assert (
            pc.succeed("ogFindCache").output == f"{after['NVME0001']['number']} {cache['number']}"
        )
        for serial, layout in _LAYOUT_OF.items():
            said = pc.succeed(f"og disk apply {serial} {layout} --yes").output
            assert said == "nothing to change"

    saved = {serial: disk["pinned"] for serial, disk in after.items()}
    pc.kill()
    moved = _booted(room, virtio.on(Bus.SATA), sata.on(Bus.VIRTIO), nvme, scsi)
    with step("with two disks exchanged, stable names still mean the same disks"):
        now = _disks(moved)
        assert now["VIRT0001"]["transport"] == "sata"
        for serial in saved:
            assert _content(now[serial]) == _content(after[serial])
    with step("a number that means another disk now is refused in a saved task"):
        for serial, pin in saved.items():
            command = f"og disk apply {pin} {_LAYOUT_OF[serial]} --yes --json"
            if now[serial]["number"] == after[serial]["number"]:
                moved.succeed(command)
                continue
            refused = moved.fail(command)
            assert refused.status == OgErr.NOTFOUND
            assert serial in str(refused.error()["message"])
        assert now["VIRT0001"]["number"] != after["VIRT0001"]["number"]


def _booted(room: Room, *disks: Disk) -> Machine:
    pc = room.pc(BIOS_PC, *disks)
    with step(f"boot ogLive with {', '.join(disk.serial for disk in disks)}"):
        pc.netboot()
        pc.wait_for_ready()
    return pc


def _disks(pc: Machine) -> dict[str, dict[str, Any]]:
    """``og disk list --json``, by serial number."""
    said = pc.succeed("og disk list --json").output
    return {disk["serial"]: disk for disk in json.loads(said)}


def _show(disks: dict[str, dict[str, Any]]) -> None:
    """What `og disk list --json` said, a line for each disk, the partitions counted."""
    for disk in disks.values():
        told = {key: value for key, value in disk.items() if value not in ("", [], False)}
        LOG.show(json.dumps({**told, "partitions": len(disk["partitions"])}))


def _traits(disk: dict[str, Any]) -> tuple[str, int, str]:
    return disk["transport"], disk["logical_sector_bytes"], disk["table"]


def _content(disk: dict[str, Any]) -> list[tuple[object, ...]]:
    keys = (
        "number",
        "start_bytes",
        "size_bytes",
        "type",
        "partuuid",
        "filesystem",
        "label",
        "uuid",
    )
    return [tuple(part[key] for key in keys) for part in disk["partitions"]]


def _use_each(pc: Machine, disks: dict[str, dict[str, Any]], what: str) -> None:
    for serial, kinds in _KINDS_OF.items():
        nodes = _nodes(disks[serial], list(kinds))
        said = pc.succeed(_EACH.format(nodes=" ".join(nodes), what=what)).output
        assert "failed" not in said, said


def _nodes(disk: dict[str, Any], numbers: Sequence[int]) -> list[str]:
    return [part["path"] for part in disk["partitions"] if part["number"] in numbers]
