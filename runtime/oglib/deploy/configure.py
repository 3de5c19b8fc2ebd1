# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit the system on a partition to this PC: names, fstab, boot loader; each step is told."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from oglib.boot.grub import Firmware, install_grub, running_firmware
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.filesystem.mount import mounted
from oglib.filesystem.probe import probe_filesystem
from oglib.osconfig import linux
from oglib.osconfig.fstab import Known
from oglib.osconfig.root import TargetRoot
from oglib.steps import Step


@dataclass(frozen=True, slots=True)
class _Found:
    """The filesystems of the disk that the system's files may name."""

    root: Known
    swaps: tuple[Known, ...]
    esp: Known | None
    others: tuple[Known, ...]


def configure(
    disk: Disk, part: Partition, *, hostname: str = "", firmware: Firmware | None = None
) -> tuple[Step, ...]:
    """Write what makes the system on ``part`` this PC's own and ``disk`` bootable.

    ``firmware`` is this PC's own unless it is said. Raises where there is no system to
    configure or the disk cannot boot; a single step that failed is in the result.
    """
    with ExitStack() as stack:
        device = stack.enter_context(partition_device(disk, part))
        found = _look(disk, part)
        point = stack.enter_context(mounted(device, write=True, kind=found.root.kind))
        root = stack.enter_context(TargetRoot(point))
        plan = linux.plan_linux(
            root,
            linux.LinuxFacts(
                root=found.root,
                hostname=hostname,
                swaps=found.swaps,
                esp=found.esp,
                others=found.others,
            ),
        )
        return linux.apply(root, plan) + install_grub(
            root,
            disk,
            firmware=firmware or running_firmware(),
            root_uuid=found.root.uuid,
            swap_uuid=found.swaps[0].uuid if found.swaps else "",
            os_id=plan.system.id,
            present=[known.uuid for known in (*found.others, *found.swaps) if known.uuid],
        )


def _look(disk: Disk, root: Partition) -> _Found:
    known = {part.number: _known(disk, part) for part in disk.partitions}
    swaps = tuple(one for one in known.values() if one.kind == "swap")
    esps = [known[part.number] for part in disk.partitions if part.type == "EFI"]
    esp = esps[0] if esps else None
    others = tuple(
        one for one in known.values() if one.number != root.number and one.kind not in ("", "swap")
    )
    return _Found(known[root.number], swaps, esp, others)


def _known(disk: Disk, part: Partition) -> Known:
    """Read from the device itself: what udev remembers may be older than the restore."""
    if part.type == "EXTENDED":
        return Known(kind="", uuid="", number=part.number)
    with partition_device(disk, part) as device:
        info = probe_filesystem(device)
    return Known(
        kind=info.kind,
        uuid=info.uuid,
        label=info.label,
        partuuid=part.partuuid,
        partlabel=part.name,
        number=part.number,
    )
