# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks in files with small systems on them, each with the menu of its GRUB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from disk.deploy.room import said, tree
from disk.osconfig.systems import device_of, make_disk, seen_at
from unit.boot.menus import MENU, ROOT

MIB = 1 << 20
SIZES = (40, 40)
SYSTEM = {
    "etc/os-release": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
    "etc/hostname": "model-pc\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\tmodel-pc\n",
    "etc/fstab": f"UUID={ROOT} / ext4 errors=remount-ro 0 1\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/default/grub": "GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\n",
    "etc/grub.d/00_header": "#!/bin/sh\n",
    "boot/grub/grub.cfg": MENU,
    "boot/vmlinuz-6.12": "a kernel\n",
    "boot/initrd.img-6.12": "an initrd\n",
}


def put(disk: Path, number: int, content: Path, uuid: str) -> None:
    """An ext4 with this tree on a partition of ``make_disk(…, SIZES)``."""
    offset = (1 + sum(SIZES[: number - 1])) * MIB
    said("mke2fs", "-q", "-F", "-t", "ext4", "-U", uuid, "-d", content, "-E", f"offset={offset}",
         disk, f"{SIZES[number - 1] * 1024}k")  # fmt: skip


def make_system(
    folder: Path, files: Mapping[str, str] | None = None, *, uuid: str = ROOT, number: int = 1
) -> Path:
    """A disk with two partitions and a system on one of them."""
    disk = make_disk(folder / "disk.img", SIZES)
    add_system(disk, {**SYSTEM, **(files or {})}, uuid=uuid, number=number)
    return disk


def add_system(disk: Path, files: Mapping[str, str], *, uuid: str, number: int) -> None:
    """A system on one partition of a disk that is there."""
    content = tree(disk.parent / "tree", dict(files))
    put(disk, number, content, uuid)
    rmtree(content)


@contextmanager
def inside(disk: Path, number: int = 1, options: str = "ro,noload") -> Iterator[Path]:
    """The files of a system, seen by hand."""
    with (
        device_of(disk, SIZES, number) as device,
        seen_at(device, disk.parent / "seen", options) as at,
    ):
        yield at


def read(disk: Path, name: str, number: int = 1) -> str:
    """One file of a system."""
    with inside(disk, number) as at:
        return (at / name).read_text()


def names(disk: Path, number: int = 1) -> dict[str, bytes]:
    """Every regular file of a system with its content."""
    with inside(disk, number) as at:
        return {
            str(one.relative_to(at)): one.read_bytes()
            for one in at.rglob("*")
            if one.is_file() and not one.is_symlink()
        }
