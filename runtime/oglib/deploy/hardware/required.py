# SPDX-License-Identifier: GPL-3.0-or-later
"""Which modules an initramfs must carry for a system to find its root, by the kernel's own tables.

What drives the disk here may be another module in another kernel: there it is looked for by its
name, then by the words with which that kernel finds a driver for the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oglib.disk.probing.drivers import Driver
from oglib.errors import FilesystemError
from oglib.filesystem.kinds import kind_of
from oglib.osconfig.linux.modules import Modules, spelled

# Where a system may be brought to: QEMU and KVM, VMware, Hyper-V, Xen, and PCs of any age.
ANYWHERE = (
    "ahci",
    "ata_piix",
    "nvme",
    "sd_mod",
    "virtio_pci",
    "virtio_blk",
    "virtio_scsi",
    "vmw_pvscsi",
    "hv_storvsc",
    "xen_blkfront",
)


@dataclass(frozen=True, slots=True)
class RootHardware:
    """What a system shall find its root with.

    ``drivers``: of this PC's disk, its own first. ``modules``: by name, as far as a kernel has
    them. ``kind``: blkid's word for the root's filesystem.
    """

    kind: str
    drivers: tuple[Driver, ...] = ()
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequiredModules:
    """``each``: of these modules one at least, for each. ``unknown``: what the kernel has not.

    ``missing`` of those in ``unknown``: without them it does not find this PC's disk.
    """

    each: tuple[frozenset[str], ...]
    unknown: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def lacking(self, carried: frozenset[str], modules: Modules) -> tuple[str, ...]:
        """What is neither carried nor built in, a word each."""
        have = carried | modules.built_in
        return tuple(" or ".join(sorted(one)) for one in self.each if not one & have)


def required_by(hardware: RootHardware, modules: Modules) -> RequiredModules:
    """What one kernel's initramfs must carry for this hardware."""
    each: dict[frozenset[str], None] = {}
    missing = []
    for driver in hardware.drivers:
        found = _for_driver(driver, modules)
        if found:
            each[found] = None
        elif not driver.built_in:  # what is no module here either is part of every kernel
            missing.append(driver.module)
    mounting = _filesystem(hardware.kind)
    if found := frozenset(filter(modules.named, mounting)):
        each[found] = None
    else:
        missing.append(mounting[0])
    for name in hardware.modules:
        if modules.named(name):
            each[frozenset((name,))] = None
    unknown = tuple(name for name in hardware.modules if not modules.named(name))
    return RequiredModules(tuple(each), (*missing, *unknown), tuple(missing))


def _for_driver(driver: Driver, modules: Modules) -> frozenset[str]:
    if modules.named(driver.module):
        return frozenset((driver.module,))
    return modules.for_device(driver.modalias) if driver.modalias else frozenset()


def _filesystem(kind: str) -> tuple[str, ...]:
    """The modules of which each mounts a filesystem, its own first."""
    try:
        row = kind_of(kind)
    except FilesystemError:
        return (spelled(kind),)
    return tuple(spelled(one) for one in (row.mount_type or row.name, row.driver) if one)


def shortlist(names: Sequence[str], most: int = 8) -> str:
    """Modules for a sentence."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
