# SPDX-License-Identifier: GPL-3.0-or-later
"""Images and disks for the main verb without a virtual PC: files, real tools, ``og`` itself."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

from oglib.__main__ import main
from oglib.deploy.partition.capture import create
from oglib.disk.loop import attached
from oglib.filesystem.mount import mounted_at
from oglib.image.format.manifest import Manifest
from oglib.settings import Settings
from quiet import QUIET

MIB = 1 << 20
IMAGE_MIB = 32

_FSTAB = """UUID=11111111-2222-3333-4444-555555555555 / ext4 errors=remount-ro 0 1
UUID=66666666-7777-8888-9999-aaaaaaaaaaaa none swap sw 0 0
"""
_GRUB_CFG = """### BEGIN /etc/grub.d/10_linux ###
linux /boot/vmlinuz root=UUID=11111111-2222-3333-4444-555555555555 ro quiet
initrd /boot/initrd.img
### END /etc/grub.d/10_linux ###
"""
LINUX = {
    "etc/os-release": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
    "etc/hostname": "model-pc\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\tmodel-pc\n",
    "etc/fstab": _FSTAB,
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "boot/grub/grub.cfg": _GRUB_CFG,
    "boot/vmlinuz": "a kernel\n",
    "boot/initrd.img": "an initrd\n",
}

TABLES = {
    "msdos": "label: dos\nstart=2048,size={size},type=83,bootable\n"
    "start={next},size=16384,type=82\n",
    "gpt for a BIOS": "label: gpt\nstart=2048,size={size},type=linux\n"
    "start={next},size=16384,type=21686148-6449-6E6F-744E-656564454649\n",
    "gpt for UEFI": "label: gpt\nstart=2048,size={size},type=linux\n"
    "start={next},size=16384,type=uefi\n",
    "blank": "",
}
LAYOUTS = {
    "bios": {
        "table": "msdos",
        "partitions": [
            {"type": "LINUX", "size": "48MiB"},
            {"type": "LINUX-SWAP", "size": "8MiB"},
        ],
    },
    "roomy": {"table": "msdos", "partitions": [{"type": "LINUX", "size": "rest"}]},
    "uefi": {
        "table": "gpt",
        "partitions": [
            {"type": "LINUX", "size": "48MiB"},
            {"type": "EFI", "size": "40MiB"},
        ],
    },
    "too small": {
        "table": "msdos",
        "partitions": [
            {"type": "LINUX", "size": "16MiB"},
            {"type": "LINUX-SWAP", "size": "8MiB"},
        ],
    },
    "ESP too small": {
        "table": "msdos",
        "partitions": [{"type": "LINUX", "size": "48MiB"}, {"type": "EFI", "size": "1MiB"}],
    },
    "kept": {
        "table": "msdos",
        "partitions": [{"type": "LINUX", "number": 1, "keep": True}],
    },
}


@dataclass(frozen=True)
class Said:
    """What an ``og`` command answered; ``error`` is its one sentence, empty when there was none."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        lines = [line for line in self.err.splitlines() if line.startswith("og: ")]
        return "\n".join(line for line in lines if not line.startswith("og: warning"))


def og(*words: str | Path) -> Said:
    """Run ``og`` in this process."""
    out, err = TextIOWrapper(BytesIO(), errors="surrogateescape"), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(word) for word in words])
    out.flush()
    printed = out.buffer.getvalue()
    return Said(status, printed.decode("utf-8", "surrogateescape"), err.getvalue())


def said(*argv: str | Path, stdin: str = "") -> str:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def digest(path: Path) -> str:
    """Of every byte of a disk file, as its filesystem has it after all was written."""
    os.sync()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def disk_file(path: Path, table: str = "msdos", *, part_mib: int = 48, size_mib: int = 96) -> Path:
    """A disk with one of ``TABLES``; its first partition holds an ext4 that must not be lost."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size_mib * MIB)
    script = TABLES[table].format(size=part_mib * MIB // 512, next=2048 + part_mib * MIB // 512)
    if script:
        said("sfdisk", "--quiet", "--no-tell-kernel", path, stdin=script)
        offset = f"offset={MIB}"
        said("mke2fs", "-q", "-F", "-L", "THESIS", "-E", offset, path, f"{part_mib * 1024}k")
    return path


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def captured(device: Path, name: str, folder: Path) -> Path:
    """The image of a filesystem that is alone on a file or device."""
    folder.mkdir(exist_ok=True)
    create(str(device), None, name, destination=str(folder), settings=Settings(), progress=QUIET)
    return folder / f"{name}.img"


@contextmanager
def made(path: Path, *make: str, size_mib: int = IMAGE_MIB, sector: int = 512) -> Iterator[Path]:
    """A loop device with a fresh filesystem."""
    with path.open("wb") as file:
        file.truncate(size_mib * MIB)
    with attached(path, sector_bytes=sector) as device:
        said(*make, device)
        yield device


class Images:
    """The images of the table of situations, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, Path] = {}

    def get(self, name: str) -> Path:
        if name not in self._made:
            work = self.folder / name.replace(" ", "-")
            work.mkdir()
            self._made[name] = getattr(self, f"_{name.replace(' ', '_').replace('@', 'at')}")(work)
        return self._made[name]

    def _ext4(self, work: Path, *more: str, sector: int = 512, files: object = None) -> Path:
        content = tree(work / "tree", files if isinstance(files, dict) else LINUX)
        make = ("mke2fs", "-q", "-t", "ext4", *more, "-d", str(content))
        with made(work / "fs", *make, sector=sector) as device:
            return captured(device, "debian", work / "images")

    def _debian(self, work: Path) -> Path:
        return self._ext4(work)

    def _sectors_of_4096(self, work: Path) -> Path:
        return self._ext4(work, "-b", "4096", sector=4096)

    def _without_grub(self, work: Path) -> Path:
        files = {name: text for name, text in LINUX.items() if not name.startswith("boot")}
        return self._ext4(work, files=files)

    def _data(self, work: Path) -> Path:
        return self._ext4(work, files={"thesis.txt": "precious\n"})

    def _xfs(self, work: Path) -> Path:
        with made(work / "fs", "mkfs.xfs", "-q", size_mib=320) as device:
            self._filled(device, work)
            return captured(device, "debian", work / "images")

    def _btrfs_at(self, work: Path) -> Path:
        with made(work / "fs", "mkfs.btrfs", "-q", size_mib=128) as device:
            (work / "m").mkdir()
            with mounted_at(device, work / "m", write=True, kind="btrfs"):
                said("btrfs", "subvolume", "create", work / "m/@")
                tree(work / "m/@", LINUX)
            return captured(device, "debian", work / "images")

    def _filled(self, device: Path, work: Path) -> None:
        (work / "m").mkdir()
        with mounted_at(device, work / "m", write=True):
            tree(work / "m", LINUX)

    def _ntfs(self, work: Path) -> Path:
        with made(work / "fs", "mkfs.ntfs", "--fast", "--force", "--quiet") as device:
            return captured(device, "windows", work / "images")

    def _damaged(self, work: Path) -> Path:
        image = self._ext4(work)
        manifest = image.with_name(f"{image.name}.json")
        manifest.write_bytes(manifest.read_bytes().replace(b"EXTFS", b"EXTFX"))
        return image

    def _of_UEFI(self, work: Path) -> Path:
        return self._told(work, {"firmware": "uefi"})

    def _of_a_Windows(self, work: Path) -> Path:
        return self._told(work, {"system": "Windows", "os": "Windows 11"})

    def _boot_apart(self, work: Path) -> Path:
        return self._told(work, {"lies": "with /boot on a filesystem of its own"})

    def _told(self, work: Path, source: Mapping[str, Any]) -> Path:
        """A Debian whose manifest says something else of where it was captured."""
        image = self._ext4(work)
        path = image.with_name(f"{image.name}.json")
        manifest = Manifest.from_bytes(path.read_bytes())
        other = replace(manifest, source=replace(manifest.source, **source))
        path.write_bytes(other.to_bytes())
        return image
