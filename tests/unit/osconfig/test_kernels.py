# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernels a menu starts, with which initramfs, and which drivers each of them has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from oglib.errors import OgError
from oglib.osconfig.linux.kernels import Kernel, kernels
from oglib.osconfig.linux.modules import modules_of
from oglib.osconfig.root import TargetRoot

NEW, OLD = "6.12.10-amd64", "6.12.9-amd64"


def bzimage(version: str) -> bytes:
    """The head of an x86 kernel, with what ``file`` tells of it."""
    head = bytearray(0x400)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x300 - 0x200).to_bytes(2, "little")
    text = f"{version} (builder) #1 SMP".encode()
    head[0x300 : 0x300 + len(text)] = text
    return bytes(head)


def found(folder: Path, files: Mapping[str, object], *versions: str) -> list[tuple[str, str]]:
    more = {f"lib/modules/{version}/modules.dep": "" for version in versions}
    for name, content in {**files, **more}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(
            content if isinstance(content, bytes) else str(content).encode()
        )
    with TargetRoot(folder) as root:
        return [(one.version, one.initramfs) for one in kernels(root)]


def pair(image: str, initramfs: str, before: str = "") -> str:
    return (
        f"menuentry 'x' {{\n\tlinux\t{before}/{image} root=UUID=1 ro\n\tinitrd\t{initramfs}\n}}\n"
    )


BOTH = {
    f"boot/{kind}-{version}": "content"
    for kind in ("vmlinuz", "initrd.img")
    for version in (NEW, OLD)
}
IN_ORDER = [(version, f"boot/initrd.img-{version}") for version in (NEW, OLD)]


@pytest.mark.parametrize("menu", ["boot/grub/grub.cfg", "boot/grub2/grub.cfg"])
@pytest.mark.parametrize(
    "before", ["/boot", "", "/@/boot", "/@/.snapshots/1/snapshot/boot", "($root)/boot"]
)
def test_grub_s_menu_in_its_order_whatever_its_paths_count_from(
    menu: str, before: str, tmp_path: Path
) -> None:
    text = "".join(
        pair(f"vmlinuz-{version}", f"{before}/initrd.img-{version}", before)
        for version in (NEW, OLD, NEW)
    )
    assert found(tmp_path, {**BOTH, menu: text}, NEW, OLD) == IN_ORDER


def test_legacy_grub_and_several_files(tmp_path: Path) -> None:
    text = (
        f"title one\r\n  kernel /boot/vmlinuz-{NEW} ro\r\n"
        f"  initrd /boot/intel-ucode.img /boot/initrd.img-{NEW}\r\n"
    )
    files = {**BOTH, "boot/grub/menu.lst": text, "boot/intel-ucode.img": "microcode"}
    assert found(tmp_path, files, NEW, OLD) == IN_ORDER[:1]


def test_entries_by_their_versions_the_newest_first(tmp_path: Path) -> None:
    entries = {
        f"boot/loader/entries/0123-{version}.conf": f"title x\nversion {version}\n"
        f"linux /vmlinuz-{version}\ninitrd /initrd.img-{version} $tuned_initrd\n"
        for version in (OLD, NEW)
    }
    files = {**BOTH, **entries, "boot/grub2/grub.cfg": "blscfg\n"}
    assert found(tmp_path, files, NEW, OLD) == IN_ORDER


def test_without_a_menu_by_their_names(tmp_path: Path) -> None:
    assert found(tmp_path, BOTH, NEW, OLD) == IN_ORDER
    more = {"boot/vmlinuz-5.14": "", "boot/initramfs-5.14.img": "", "boot/vmlinuz-4": ""}
    assert found(tmp_path, more, "5.14", "4", NEW, OLD)[2:] == [("5.14", "boot/initramfs-5.14.img")]


def test_the_kernel_s_own_word_for_its_version_comes_first(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "boot/vmlinuz-linux": bzimage("6.9.1-arch1-1"),
        "boot/initramfs-linux.img": "",
        "boot/grub/grub.cfg": pair("vmlinuz-linux", "/initramfs-linux.img"),
    }
    assert found(tmp_path, files, "6.9.1-arch1-1") == [
        ("6.9.1-arch1-1", "boot/initramfs-linux.img")
    ]


@pytest.mark.parametrize("version", ["../../etc", "-x", "..", "6.1/../6.2", ""])
def test_a_version_that_is_a_path_or_an_option_is_none(version: str, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "boot/vmlinuz-x": bzimage(version),
        "boot/initrd.img-x": "",
        "boot/grub/grub.cfg": pair("vmlinuz-x", "/initrd.img-x"),
        "etc/modules.dep": "",
    }
    assert found(tmp_path, files) == []


def test_what_is_not_there_is_left_out(tmp_path: Path) -> None:
    text = pair("vmlinuz-gone", "/initrd.img-gone") + pair(f"vmlinuz-{NEW}", "/gone")
    assert found(tmp_path, {**BOTH, "boot/grub/grub.cfg": text}, OLD) == [IN_ORDER[1]]


def test_a_kernel_is_a_value() -> None:
    assert Kernel(NEW, "boot/x") == Kernel(NEW, "boot/x")


LISTS = {
    "modules.dep": "kernel/drivers/nvme/host/nvme.ko.xz: kernel/drivers/nvme/host/nvme-core.ko.xz\n"
    "kernel/drivers/nvme/host/nvme-core.ko.xz:\nkernel/drivers/block/xen-blkfront.ko:\n",
    "modules.builtin": "kernel/fs/ext4/ext4.ko\nkernel/drivers/ata/ata-piix.ko\n",
    "modules.alias": "# Aliases extracted from modules themselves.\n"
    "alias pci:v*d*sv*sd*bc01sc08i02* nvme\nalias pci:v00001B36d00000010sv*sd*bc*sc*i* nvme\n"
    "alias xen:vbd xen-blkfront\nalias broken\n" + f"alias pci:{'*a' * 60} evil\n",
    "modules.builtin.modinfo": "ata_piix.license=GPL\0ata_piix.alias=pci:v00008086d00007010sv*\0",
}


def test_the_modules_of_a_kernel(tmp_path: Path) -> None:
    folder = tmp_path / "lib/modules/6.1"
    folder.mkdir(parents=True)
    for name, text in LISTS.items():
        (folder / name).write_text(text)
    with TargetRoot(tmp_path) as root:
        modules = modules_of(root, "6.1")
        with pytest.raises(FileNotFoundError):
            modules_of(root, "6.2")
        (folder / "modules.builtin").unlink()
        with pytest.raises(FileNotFoundError):
            modules_of(root, "6.1")
        (folder / "modules.dep").unlink()
        (folder / "modules.dep").mkdir()
        with pytest.raises(OgError):
            modules_of(root, "6.1")
    assert modules.loadable == {"nvme", "nvme_core", "xen_blkfront"}
    assert modules.built_in == {"ext4", "ata_piix"}
    assert modules.named("xen_blkfront")
    assert not modules.named("xen-blkfront")
    nvme = "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02"
    assert modules.for_device(nvme) == {"nvme"}
    assert modules.for_device("pci:v00008086d00007010sv1") == {"ata_piix"}
    assert modules.for_device("xen:vbd") == {"xen_blkfront"}
    assert modules.for_device("pci:" + "a" * 5000) == set()
