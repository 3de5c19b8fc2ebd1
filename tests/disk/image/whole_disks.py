# SPDX-License-Identifier: GPL-3.0-or-later
"""Sparse files that are whole disks: tables, filesystems, swap and boot code made by real tools."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from blake3 import blake3

from oglib.disk.find import find_disk, find_partition
from oglib.disk.loop import partition_device
from oglib.disk.model import MIB, Disk
from oglib.disk.planning.layout import layout_from
from oglib.disk.planning.plan import plan_layout
from oglib.disk.probe import probe_target
from oglib.disk.tables.identity import identity_of
from oglib.disk.writing.table import apply_table
from oglib.filesystem.make import format_filesystem, make_swap
from oglib.filesystem.mount import mounted
from oglib.filesystem.probe import FilesystemInfo, probe_filesystem

DISK_BYTES = 256 * MIB
Rows = list[dict[str, object]]
GPT: Rows = [
    {"type": "BIOS-BOOT", "size": "1MiB"},
    {"type": "EFI", "size": "40MiB"},
    {"type": "LINUX", "size": "rest", "name": "the root"},
    {"type": "LINUX-SWAP", "size": "16MiB"},
]
MSDOS: Rows = [
    {"type": "LINUX", "size": "rest", "active": True},
    {
        "type": "EXTENDED",
        "size": "60MiB",
        "partitions": [{"type": "LINUX-SWAP", "size": "16MiB"}, {"type": "LINUX", "size": "rest"}],
    },
]
FORMATS = {"EFI": "fat32", "LINUX": "ext4"}
_FOLDERS = TemporaryDirectory(prefix="oglive-folders-")  # gone with this process


def said(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout


def blank(path: Path, size_bytes: int = DISK_BYTES) -> Path:
    path.touch()
    os.truncate(path, size_bytes)
    return path


def made_disk(path: Path, table: str, rows: Rows, size_bytes: int = DISK_BYTES) -> Path:
    """A disk with files on every filesystem, boot code in sector 0 and something behind it."""
    layout = layout_from({"table": table, "partitions": rows})
    if not path.is_block_device():
        blank(path, size_bytes)
    disk = apply_table(plan_layout(layout, probe_target(path)))
    dice = random.Random(7)
    for part in disk.partitions:
        with partition_device(disk, part) as device:
            if part.type == "LINUX-SWAP":
                make_swap(device, label="swap")
            elif part.type in FORMATS:
                format_filesystem(device, FORMATS[part.type], label=f"part{part.number}")
                write_files(device, part.type, dice)
    if table == "gpt":
        attributes = (
            "sfdisk",
            "--quiet",
            "--no-tell-kernel",
            "--part-attrs",
            path,
            "3",
            "LegacyBIOSBootable,GUID:60",
        )
        said(*attributes)
    gap_at = 40 * 512 if table == "gpt" else disk.logical_sector_bytes
    with path.open("r+b") as file:
        file.write(dice.randbytes(440))
        file.seek(gap_at)
        file.write(dice.randbytes(30_000))
        if table == "gpt":
            file.seek(disk.partitions[0].start_bytes)
            file.write(dice.randbytes(70_000))
    return path


@dataclass(frozen=True)
class Seen:
    """What must be the same on a restored disk."""

    table: str
    identity: object
    partitions: tuple[tuple[object, ...], ...]
    signatures: tuple[FilesystemInfo, ...]
    files: dict[str, bytes]
    front: bytes


def seen(path: Path) -> Seen:
    disk = probe_target(path)
    assert disk.damage == ()
    files: dict[str, bytes] = {}
    signatures = []
    for part in disk.partitions:
        with partition_device(disk, part) as device:
            if part.type != "EXTENDED":
                signatures.append(probe_filesystem(device))
            if part.type in FORMATS:
                files |= read_files(device, part.type, part.number)
    return Seen(
        table=str(disk.table),
        identity=identity_of(disk),
        partitions=tuple(
            (p.number, p.start_bytes, p.size_bytes, p.type, p.type_id, p.name, p.partuuid, p.active)
            for p in disk.partitions
        ),
        signatures=tuple(signatures),
        files=files,
        front=front(disk),
    )


def write_files(device: Path, kind: str, dice: random.Random) -> None:
    """Twenty files; on FAT by mtools, for not every kernel mounts it."""
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"file{number}" for number in range(20)]
        for file in files:
            file.write_bytes(dice.randbytes(50_000))
        if kind == "EFI":
            said("mcopy", "-i", device, *files, "::")
            return
        with mounted(device, write=True) as point:
            for file in files:
                shutil.copy(file, point)


def read_files(device: Path, kind: str, number: int) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        if kind == "EFI":
            said("mcopy", "-i", device, "::file*", folder)
        else:
            with mounted(device) as point:
                for file in point.glob("file*"):
                    shutil.copy(file, folder)
        return {f"{number}/{path.name}": path.read_bytes() for path in Path(folder).iterdir()}


def front(disk: Disk) -> bytes:
    """Boot code, and the gap behind the table with a BIOS boot partition where there is one."""
    skip = 34 * 512 if str(disk.table) == "gpt" else disk.logical_sector_bytes
    first = disk.partitions[0]
    end = first.end_bytes if first.type == "BIOS-BOOT" else first.start_bytes
    with disk.path.open("rb") as file:
        code = file.read(440)
        file.seek(skip)
        return code + file.read(end - skip)


def size_of_filesystem(path: Path, number: int) -> int:
    disk = find_disk(str(path))
    with partition_device(disk, find_partition(disk, number)) as device:
        fields = dict(
            line.split(":", 1)
            for line in said("dumpe2fs", "-h", device).splitlines()
            if ":" in line
        )
        return int(fields["Block count"]) * int(fields["Block size"])


@contextmanager
def loop(path: Path, sector_bytes: int) -> Iterator[Path]:
    device = said("losetup", "--find", "--show", f"--sector-size={sector_bytes}", path).strip()
    try:
        yield Path(device)
    finally:
        said("losetup", "--detach", device)


def as_clonezilla(path: Path, folder: Path) -> Path:
    """The folder that Clonezilla makes of a disk, by its documented names, with real images."""
    return shutil.copytree(_made_once(_clonezilla, path), folder)


def as_fog(path: Path, folder: Path) -> Path:
    """The folder that FOG makes of a disk with a gpt."""
    return shutil.copytree(_made_once(_fog, path), folder)


def _made_once(make: Callable[[Path, Path], None], disk: Path) -> Path:
    """What ``make`` makes of a disk with this content: many tests begin with the same."""
    return _made(make, disk, blake3().update_mmap(disk).digest())


@cache
def _made(make: Callable[[Path, Path], None], disk: Path, _digest: bytes) -> Path:
    folder = Path(mkdtemp(dir=_FOLDERS.name))
    make(disk, folder)
    return folder


def _clonezilla(path: Path, folder: Path) -> None:
    disk = probe_target(path)
    numbers = [part.number for part in disk.partitions if part.type in FORMATS]
    (folder / "disk").write_text("sda\n")
    (folder / "parts").write_text(" ".join(f"sda{number}" for number in numbers) + "\n")
    (folder / "clonezilla-img").write_text("a log\n")
    (folder / "sda-pt.sf").write_text(_dump(path, "/dev/sda"))
    with path.open("rb") as file:
        (folder / "sda-mbr").write_bytes(file.read(512))
        gap = file.read(disk.partitions[0].start_bytes - 512)
    (folder / "sda-hidden-data-after-mbr").write_bytes(gap)
    for part in disk.partitions:
        if part.type == "LINUX-SWAP":
            text = f'UUID="{part.uuid}"\nLABEL="{part.label}"\n'
            (folder / f"swappt-sda{part.number}.info").write_text(text)
    for number in numbers:
        name = f"sda{number}.ext4-ptcl-img.zst.aa"
        _partclone(disk, number, folder / name, "zstd -1")


def _fog(path: Path, folder: Path) -> None:
    disk = probe_target(path)
    (folder / "d1.partitions").write_text(_dump(path, "/dev/sda"))
    said("sgdisk", "--backup", folder / "d1.mbr", path)
    swaps = [part for part in disk.partitions if part.type == "LINUX-SWAP"]
    (folder / "d1.original.swapuuids").write_text(
        "".join(f"{part.number} {part.uuid}\n" for part in swaps)
    )
    for part in disk.partitions:
        if part.type in FORMATS:
            _partclone(disk, part.number, folder / f"d1p{part.number}.img", "gzip -1")


def _dump(path: Path, device: str) -> str:
    text = said("sfdisk", "--dump", path)
    return re.sub(rf"{re.escape(str(path))}p?(\d*)", rf"{device}\1", text)


def _partclone(disk: Disk, number: int, image: Path, compressor: str) -> None:
    part = find_partition(disk, number)
    program = "partclone.fat32" if part.type == "EFI" else "partclone.ext4"
    with partition_device(disk, part) as device, image.open("wb") as file:
        argv = [program, "-c", "-s", str(device), "-q", "-f", "1", "-L", "/dev/null", "-o", "-"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as capture:
            subprocess.run(compressor.split(), stdin=capture.stdout, stdout=file, check=True)
        assert capture.returncode == 0
