# SPDX-License-Identifier: GPL-3.0-or-later
"""What an initramfs must carry for a hardware, by the tables of the kernel that it is for."""

from __future__ import annotations

import pytest

from oglib.deploy.hardware.required import ANYWHERE, RootHardware, required_by, shortlist
from oglib.disk.probing.drivers import Driver
from oglib.osconfig.linux.modules import Modules

MODULES = Modules(
    loadable=frozenset(("ahci", "sd_mod", "xfs", "old_nvme", "also_nvme")),
    built_in=frozenset(("ext4", "virtio_blk")),
    aliases=(("pci:nvme*", "old_nvme"), ("pci:nvme*", "also_nvme")),
)


def lacking(hardware: RootHardware, *carried: str) -> tuple[str, ...]:
    return required_by(hardware, MODULES).lacking(frozenset(carried), MODULES)


def test_what_is_built_in_need_not_be_carried() -> None:
    hardware = RootHardware("ext4", (Driver("virtio_blk", built_in=False),))
    assert lacking(hardware) == ()


def test_each_driver_of_the_chain_and_the_filesystem_s() -> None:
    hardware = RootHardware("xfs", (Driver("sd_mod", False), Driver("ahci", False, "pci:ahci")))
    assert lacking(hardware) == ("sd_mod", "ahci", "xfs")
    assert lacking(hardware, "ahci") == ("sd_mod", "xfs")
    assert lacking(hardware, "ahci", "sd_mod", "xfs") == ()


def test_another_kernel_may_have_another_driver_for_the_device() -> None:
    hardware = RootHardware("ext4", (Driver("nvme", False, "pci:nvme0"),))
    assert lacking(hardware) == ("also_nvme or old_nvme",)
    assert lacking(hardware, "old_nvme") == ()


def test_a_driver_that_the_kernel_has_not_is_told_apart_from_one_that_is_part_of_every_kernel() -> (
    None
):
    hardware = RootHardware(
        "ext4", (Driver("vmd", False, "pci:vmd"), Driver("pcieport", True, "pci:p"))
    )
    wanted = required_by(hardware, MODULES)
    assert (wanted.missing, wanted.unknown) == (("vmd",), ("vmd",))


def test_a_filesystem_that_the_kernel_has_not() -> None:
    assert required_by(RootHardware("btrfs"), MODULES).missing == ("btrfs",)


@pytest.mark.parametrize("kind", ["ext2", "ext3", "ext4"])
def test_one_driver_mounts_all_of_ext(kind: str) -> None:
    wanted = required_by(RootHardware(kind), MODULES)
    assert (wanted.each, wanted.missing) == ((frozenset(("ext4",)),), ())


def test_for_any_pc_what_the_kernel_has_of_it() -> None:
    wanted = required_by(RootHardware("ext4", modules=ANYWHERE), MODULES)
    assert wanted.lacking(frozenset(), MODULES) == ("ahci", "sd_mod")
    assert "hv_storvsc" in wanted.unknown
    assert wanted.missing == ()


def test_a_sentence_has_so_many_names() -> None:
    assert shortlist(["a", "b"]) == "a, b"
    assert shortlist(["a", "b", "c"], most=2) == "a, b and 1 more"
