# SPDX-License-Identifier: GPL-3.0-or-later
"""What GRUB is refused for, and the exact commands; nothing is started here."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.boot import fittings
from oglib.boot.grub import bios_argv, uefi_argv
from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk, Partition, TableKind
from oglib.errors import NotFoundError, OgErr, OgError
from oglib.osconfig.root import TargetRoot

LINUX = Partition(number=1, start_bytes=1024**2, size_bytes=1024**3, type="LINUX", type_id="83")


def disk(table: TableKind, *partitions: Partition) -> Disk:
    return Disk(
        number=1, path=Path("/dev/vda"), size_bytes=1024**4, table=table, partitions=partitions
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "boot/grub").mkdir(parents=True)
    (tmp_path / "boot/grub/grub.cfg").write_text("linux /vmlinuz root=UUID=x\n")
    return tmp_path


def refused(tree: Path, target: Disk, firmware: Firmware) -> OgError:
    with TargetRoot(tree) as root, pytest.raises(OgError) as caught:
        fittings.check(root, target, firmware)
    return caught.value


def test_a_gpt_without_bios_boot_partition_cannot_start_by_bios(tree: Path) -> None:
    error = refused(tree, disk(TableKind.GPT, LINUX), Firmware.BIOS)
    assert error.code == OgErr.NOTUEFI
    assert "BIOS boot partition" in error.message


def test_a_disk_without_esp_cannot_start_by_uefi(tree: Path) -> None:
    error = refused(tree, disk(TableKind.GPT, LINUX), Firmware.UEFI)
    assert error.code == OgErr.NOTBIOS


@pytest.mark.parametrize("name", ["boot", "boot/grub"])
def test_a_folder_that_is_a_link_is_refused(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside/grub"
    outside.mkdir(parents=True)
    (outside / "grub.cfg").touch()
    root = tmp_path / "root"
    (root / name).parent.mkdir(parents=True)
    (root / name).symlink_to(outside if name.endswith("grub") else outside.parent)
    error = refused(root, disk(TableKind.MSDOS, LINUX), Firmware.BIOS)
    assert isinstance(error, NotFoundError)
    assert list(outside.iterdir()) == [outside / "grub.cfg"]


@pytest.mark.parametrize(
    "name", ["i386-pc/normal.mod", "fonts/unicode.pf2", "grubenv", "locale", "grub.cfg"]
)
def test_a_link_where_grub_would_write_is_refused(tree: Path, name: str) -> None:
    link = tree / "boot/grub" / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    outside = tree.parent / f"{tree.name}-outside"
    outside.write_text("x")
    link.symlink_to(outside)
    error = refused(tree, disk(TableKind.MSDOS, LINUX), Firmware.BIOS)
    assert "is not installed through it" in error.message or "no boot/grub/grub.cfg" in str(error)
    assert outside.read_text() == "x"


def test_a_root_without_grub(tmp_path: Path) -> None:
    error = refused(tmp_path, disk(TableKind.MSDOS, LINUX), Firmware.BIOS)
    assert "no folder boot" in error.message


def test_the_commands() -> None:
    boot, esp = Path("/mnt/root/boot"), Path("/mnt/esp")
    assert bios_argv(boot, Path("/dev/vda")) == (
        "grub-install",
        "--target=i386-pc",
        "--modules=part_gpt part_msdos",
        "--boot-directory=/mnt/root/boot",
        "--recheck",
        "/dev/vda",
    )
    assert uefi_argv(boot, esp, "")[-1] == "--removable"
    assert uefi_argv(boot, esp, "debian") == (
        "grub-install",
        "--target=x86_64-efi",
        "--modules=part_gpt part_msdos",
        "--boot-directory=/mnt/root/boot",
        "--recheck",
        "--efi-directory=/mnt/esp",
        "--no-nvram",
        "--bootloader-id=debian",
    )
