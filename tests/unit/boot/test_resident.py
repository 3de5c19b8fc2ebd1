# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems whose kernels lie on the ESP are called by their name."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.boot import fittings
from oglib.boot.resident import why_resident
from oglib.disk.firmware import Firmware
from oglib.disk.model import Disk, Partition, TableKind
from oglib.errors import OgError
from oglib.osconfig.root import TargetRoot

BOOTCTL = "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
ESP = Partition(number=1, start_bytes=1 << 20, size_bytes=1 << 28, type="EFI", type_id="ef")
DISK = Disk(1, Path("/dev/none"), 1 << 34, TableKind.GPT, (ESP,))


def tree(folder: Path, *names: str, **texts: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(texts.get("text", ""))
    return folder


@pytest.mark.parametrize(
    ("files", "who"),
    [
        ({"etc/kernel/uki.conf": ""}, "a unified kernel image (UKI)"),
        ({"etc/kernel/install.conf": "# x\nlayout = uki\n"}, "a unified kernel image (UKI)"),
        ({"etc/mkinitcpio.d/linux.preset": 'default_uki="/efi/x.efi"\n'}, "a unified kernel"),
        ({BOOTCTL: "", "etc/fstab": "UUID=AA-BB /boot vfat umask=0077 0 2\n"}, "systemd-boot"),
        ({BOOTCTL: "", "etc/kernel/install.conf": "layout=bls\n"}, "systemd-boot"),
        ({BOOTCTL: "", "etc/fstab": ""}, "systemd-boot"),
        ({BOOTCTL: "", "boot/vmlinuz-6.12": ""}, ""),
        ({"etc/kernel/uki.conf": "", "boot/grub/grub.cfg": ""}, ""),
        ({"etc/fstab": "# UUID=x /boot vfat defaults 0 0\n"}, ""),
        ({"etc/hostname": "pc"}, ""),
    ],
)
def test_who_starts_it(tmp_path: Path, files: dict[str, str], who: str) -> None:
    for name, text in files.items():
        tree(tmp_path, name, text=text)
    with TargetRoot(tmp_path) as root:
        found = why_resident(root)
        assert found.startswith(who)
        assert bool(found) == bool(who)


def test_it_is_refused_by_name(tmp_path: Path) -> None:
    tree(tmp_path, "etc/kernel/uki.conf", "boot/x")
    with TargetRoot(tmp_path) as root, pytest.raises(OgError) as caught:
        fittings.check(root, DISK, Firmware.UEFI)
    assert "starts by a unified kernel image (UKI), whose kernels lie on the ESP" in str(
        caught.value
    )
