# SPDX-License-Identifier: GPL-3.0-or-later
"""What drives a disk, from trees with the links and words that the kernel has in ``/sys``."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from oglib.disk.probing.drivers import Driver, drivers_of, drivers_of_block
from oglib.errors import PartitionError

PCI = "devices/pci0000:00"
SCSI = "host0/target0:0:0/0:0:0:0"
DISK = "scsi:t-0x00"
BUILT_IN = ("pcieportdrv",)  # it has parameters, hence a folder among the modules
AHCI = "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01"


def tree(sys: Path, block: str, bound: Mapping[str, tuple[str, str, str]]) -> Path:
    """A disk's folder; ``bound``: device -> (bus/driver, its module or nothing, modalias)."""
    (sys / "devices").mkdir(parents=True, exist_ok=True)
    folder = sys / block
    folder.mkdir(parents=True)
    for device, (driver, module, modalias) in bound.items():
        (sys / device).mkdir(parents=True, exist_ok=True)
        bus, _, name = driver.partition("/")
        home = sys / "bus" / bus / "drivers" / name
        home.mkdir(parents=True, exist_ok=True)
        if module and not (home / "module").is_symlink():
            (sys / "module" / module).mkdir(parents=True, exist_ok=True)
            (home / "module").symlink_to(sys / "module" / module)
            if module not in BUILT_IN:
                (sys / "module" / module / "initstate").write_text("live\n")
        (sys / device / "driver").symlink_to(home)
        if modalias:
            (sys / device / "modalias").write_text(f"{modalias}\n")
    return folder


TREES: dict[str, tuple[str, dict[str, tuple[str, str, str]], list[str]]] = {
    "virtio-blk": (
        f"{PCI}/0000:00:04.0/virtio1/block/vda",
        {
            f"{PCI}/0000:00:04.0/virtio1": ("virtio/virtio_blk", "virtio_blk", "virtio:d02v1AF4"),
            f"{PCI}/0000:00:04.0": ("pci/virtio-pci", "virtio_pci", "pci:v00001AF4d00001042"),
        },
        ["virtio_blk", "virtio_pci"],
    ),
    "virtio-scsi": (
        f"{PCI}/0000:00:04.0/virtio1/{SCSI}/block/sda",
        {
            f"{PCI}/0000:00:04.0/virtio1/{SCSI}": ("scsi/sd", "sd_mod", DISK),
            f"{PCI}/0000:00:04.0/virtio1": ("virtio/virtio_scsi", "virtio_scsi", "virtio:d08"),
            f"{PCI}/0000:00:04.0": ("pci/virtio-pci", "virtio_pci", "pci:v00001AF4d00001048"),
        },
        ["sd_mod", "virtio_scsi", "virtio_pci"],
    ),
    "AHCI behind a port that is no module": (
        f"{PCI}/0000:00:1c.0/0000:01:00.0/ata1/{SCSI}/block/sda",
        {
            f"{PCI}/0000:00:1c.0/0000:01:00.0/ata1/{SCSI}": ("scsi/sd", "sd_mod", DISK),
            f"{PCI}/0000:00:1c.0/0000:01:00.0": ("pci/ahci", "ahci", AHCI),
            f"{PCI}/0000:00:1c.0": ("pci/pcieport", "", "pci:v00008086d0000A110"),
        },
        ["sd_mod", "ahci", "pcieport (built in)"],
    ),
    "NVMe behind a port whose driver is built in and has parameters": (
        f"{PCI}/0000:00:1c.0/0000:01:00.0/nvme/nvme0/nvme0n1",
        {
            f"{PCI}/0000:00:1c.0/0000:01:00.0": ("pci/nvme", "nvme", "pci:v00001B36d00000010"),
            f"{PCI}/0000:00:1c.0": ("pci/pcieport", "pcieportdrv", "pci:v00001B36d0000000C"),
        },
        ["nvme", "pcieportdrv (built in)"],
    ),
    "IDE": (
        f"{PCI}/0000:00:01.1/ata1/{SCSI}/block/sda",
        {
            f"{PCI}/0000:00:01.1/ata1/{SCSI}": ("scsi/sd", "sd_mod", DISK),
            f"{PCI}/0000:00:01.1": ("pci/ata_piix", "ata_piix", "pci:v00008086d00007010"),
        },
        ["sd_mod", "ata_piix"],
    ),
    "NVMe": (
        f"{PCI}/0000:00:05.0/nvme/nvme0/nvme0n1",
        {f"{PCI}/0000:00:05.0": ("pci/nvme", "nvme", "pci:v00001B36d00000010bc01sc08i02")},
        ["nvme"],
    ),
    "NVMe behind Intel's VMD": (
        f"{PCI}/0000:00:0e.0/pci10000:e0/10000:e1:00.0/nvme/nvme0/nvme0n1",
        {
            f"{PCI}/0000:00:0e.0/pci10000:e0/10000:e1:00.0": ("pci/nvme", "nvme", "pci:v1"),
            f"{PCI}/0000:00:0e.0": ("pci/vmd", "vmd", "pci:v00008086d00009A0B"),
        },
        ["nvme", "vmd"],
    ),
    "VMware": (
        f"{PCI}/0000:00:15.0/0000:03:00.0/{SCSI}/block/sda",
        {
            f"{PCI}/0000:00:15.0/0000:03:00.0/{SCSI}": ("scsi/sd", "sd_mod", DISK),
            f"{PCI}/0000:00:15.0/0000:03:00.0": ("pci/vmw_pvscsi", "vmw_pvscsi", "pci:v15AD"),
        },
        ["sd_mod", "vmw_pvscsi"],
    ),
    "Hyper-V": (
        f"devices/LNXSYSTM:00/VMBUS:00/vm-1/{SCSI}/block/sda",
        {
            f"devices/LNXSYSTM:00/VMBUS:00/vm-1/{SCSI}": ("scsi/sd", "sd_mod", DISK),
            "devices/LNXSYSTM:00/VMBUS:00/vm-1": ("vmbus/hv_storvsc", "hv_storvsc", "vmbus:ba61"),
            "devices/LNXSYSTM:00/VMBUS:00": ("acpi/hv_vmbus", "hv_vmbus", "acpi:VMBUS:"),
        },
        ["sd_mod", "hv_storvsc", "hv_vmbus"],
    ),
    "Xen": (
        "devices/vbd-51712/block/xvda",
        {"devices/vbd-51712": ("xen/vbd", "xen_blkfront", "xen:vbd")},
        ["xen_blkfront"],
    ),
    "card reader": (
        f"{PCI}/0000:00:1a.0/mmc_host/mmc0/mmc0:0001/block/mmcblk0",
        {
            f"{PCI}/0000:00:1a.0/mmc_host/mmc0/mmc0:0001": ("mmc/mmcblk", "mmc_block", "mmc:block"),
            f"{PCI}/0000:00:1a.0": ("pci/sdhci-pci", "sdhci_pci", "pci:v00008086"),
        },
        ["mmc_block", "sdhci_pci"],
    ),
    "loop device": ("devices/virtual/block/loop0", {}, []),
}


@pytest.mark.parametrize(("block", "bound", "wanted"), TREES.values(), ids=TREES)
def test_the_chain_from_the_disk_upwards(
    block: str, bound: dict[str, tuple[str, str, str]], wanted: list[str], tmp_path: Path
) -> None:
    found = drivers_of_block(tree(tmp_path, block, bound), tmp_path)
    told = [f"{one.module} (built in)" if one.built_in else one.module for one in found]
    assert told == wanted
    assert [one.modalias for one in found] == [modalias for _, _, modalias in bound.values()]


def test_an_nvme_of_several_ways_has_its_controllers_drivers(tmp_path: Path) -> None:
    device = f"{PCI}/0000:00:05.0"
    subsystem = tmp_path / "devices/virtual/nvme-subsystem/nvme-subsys0"
    tree(tmp_path, f"{device}/nvme/nvme0", {device: ("pci/nvme", "nvme", "pci:v1")})
    (subsystem / "nvme0n1").mkdir(parents=True)
    (subsystem / "nvme0").symlink_to(tmp_path / device / "nvme/nvme0")
    assert drivers_of_block(subsystem / "nvme0n1", tmp_path) == (Driver("nvme", False, "pci:v1"),)


def test_what_is_made_of_others_has_theirs_once(tmp_path: Path) -> None:
    disks = []
    for number in (1, 2):
        device = f"{PCI}/0000:00:0{number}.0"
        bound = {device: ("pci/ahci", "ahci", AHCI)}
        disks.append(tree(tmp_path, f"{device}/block/sd{number}", bound))
    virtual = tmp_path / "devices/virtual/block"
    for name, slaves in {"md0": disks, "dm-0": [virtual / "md0", disks[0]]}.items():
        (virtual / name / "slaves").mkdir(parents=True)
        for slave in slaves:
            (virtual / name / "slaves" / slave.name).symlink_to(slave)
    assert drivers_of_block(virtual / "dm-0", tmp_path) == (Driver("ahci", False, AHCI),)


def test_devices_in_a_circle_end(tmp_path: Path) -> None:
    virtual = tmp_path / "devices/virtual/block"
    for name, other in (("dm-0", "dm-1"), ("dm-1", "dm-0")):
        (virtual / name / "slaves").mkdir(parents=True)
        (virtual / name / "slaves" / other).symlink_to(virtual / other)
    assert drivers_of_block(virtual / "dm-0", tmp_path) == ()


def test_a_file_has_none_and_what_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk.img").touch()
    assert drivers_of(tmp_path / "disk.img") == ()
    with pytest.raises(PartitionError, match="cannot be read: No such file"):
        drivers_of(tmp_path / "gone")
    monkeypatch.setattr(stat, "S_ISBLK", lambda _mode: True)
    with pytest.raises(PartitionError, match=r"cannot be read: No such file.*/dev"):
        drivers_of(tmp_path / "disk.img", sys=tmp_path)
