# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets that are the same for everybody: a file in memory whose pages exist, a disk's partition.

The file is filled before every run (fresh pages cost as much as decompressing, and a partition
has none to make); the disk is a loop device past the page cache, emptied of what is cached.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.errors import OgError
from oglib.run import run

_PIECE = bytes(4 << 20)


def fill(path: Path, size_bytes: int) -> None:
    """``size_bytes`` zeros at ``path``, in pages that are there already when it is not new."""
    with path.open("r+b" if path.exists() else "wb", buffering=0) as file:
        for start in range(0, size_bytes, len(_PIECE)):
            file.write(_PIECE[: min(len(_PIECE), size_bytes - start)])
        file.truncate(size_bytes)


@contextmanager
def disk(path: Path, size_bytes: int) -> Iterator[Path]:
    """A loop device over a full file at ``path``, on the disk that ``path`` is on."""
    path.unlink(missing_ok=True)
    fill(path, size_bytes)
    os.sync()
    found = run("losetup", "--find", "--show", "--direct-io=on", path)
    device = Path(found.stdout.strip())
    try:
        yield device
    finally:
        run("losetup", "--detach", device)
        path.unlink()


def forget(device: Path) -> None:
    """Everything written is on the medium, nothing of it in memory."""
    run("blockdev", "--flushbufs", device)
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


def check_equal(name: str, found: Path, wanted: Path) -> None:
    """Raise unless two files are the same byte for byte."""
    with found.open("rb") as one, wanted.open("rb") as other:
        at = 0
        while True:
            here, there = one.read(len(_PIECE)), other.read(len(_PIECE))
            if here != there:
                raise OgError(
                    f"What {name} restored differs from the others near byte {at}.",
                    hint="A figure of a wrong result is worth nothing; the run ends here.",
                )
            if not here:
                return
            at += len(here)


def check_room(folder: Path, wanted_bytes: int) -> None:
    """Raise unless ``folder`` has room, and, where it is memory, the machine has that too."""
    space = os.statvfs(folder)
    free = space.f_bavail * space.f_frsize
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            memory = int(line.split()[1]) << 10
    if min(free, memory) < wanted_bytes:
        raise OgError(
            f"{folder} has room for {min(free, memory) >> 20} MiB, the run needs "
            f"{wanted_bytes >> 20} MiB.",
            hint="Ask for less data with --used, or name another folder with --work.",
        )
