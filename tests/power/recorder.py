# SPDX-License-Identifier: GPL-3.0-or-later
"""A block device on this host whose writes, flushes and discards are logged.

``qemu-storage-daemon`` shows a raw file, seen through ``blklogwrites``, as a file (FUSE), and a
loop device stands on that file: no device mapper and no virtual machine is needed. A flush of
the loop device is an fsync of the FUSE file, which the daemon logs as a flush.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oglib.disk.loop import attached
from power.sparse import copy_sparse
from power.write_log import WriteLog, entry_count, read_log

_END_S = 30.0


@dataclass(frozen=True, slots=True)
class Recording:
    """A disk before (``base``) and what was then written on it, in one folder.

    ``returned`` is how many entries were lasting when the recorded operation returned: a cut
    after that must find it done. Entries from ``end`` on are not of the operation any more.
    """

    folder: Path
    sector_bytes: int
    returned: int
    end: int

    @property
    def base(self) -> Path:
        return self.folder / "base"

    @property
    def log(self) -> WriteLog:
        whole = read_log(self.folder / "log")
        return WriteLog(whole.path, whole.sector_bytes, whole.entries[: self.end])

    def save(self, folder: Path) -> None:
        """Keep it, so that one state can be looked at again."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        copy_sparse(self.base, folder / "base")
        copy_sparse(self.folder / "log", folder / "log")
        numbers = {"sector_bytes": self.sector_bytes, "returned": self.returned, "end": self.end}
        (folder / "recording.json").write_text(json.dumps(numbers))


def load_recording(folder: Path) -> Recording:
    return Recording(folder, **json.loads((folder / "recording.json").read_text()))


@dataclass(slots=True)
class RecordedDisk:
    """The device to work on; its log so far."""

    device: Path
    folder: Path
    sector_bytes: int
    returned: int = 0
    end: int = 0

    def mark_returned(self) -> None:
        """Say that the operation has just returned, without a flush of our own."""
        self.returned = entry_count(self.folder / "log")

    def mark_end(self) -> None:
        """Flush, and say that what comes later is not of interest (an unmount, say)."""
        device_fd = os.open(self.device, os.O_RDWR)
        try:
            os.fsync(device_fd)
        finally:
            os.close(device_fd)
        self.end = entry_count(self.folder / "log")

    def recording(self) -> Recording:
        """What was recorded; whole once the ``with`` block of ``recorded_disk`` is left."""
        return Recording(self.folder, self.sector_bytes, self.returned, self.end)


@contextmanager
def recorded_disk(
    folder: Path, size_bytes: int, content: Path | None = None, sector_bytes: int = 512
) -> Iterator[RecordedDisk]:
    """A device of ``size_bytes``, holding ``content`` or zeros, all of whose writes are logged."""
    folder.mkdir(parents=True, exist_ok=True)
    base, raw, log, shown = (folder / name for name in ("base", "raw", "log", "shown"))
    if content is None:
        base.touch()
        os.truncate(base, size_bytes)
    elif content != base:
        copy_sparse(content, base)
    copy_sparse(base, raw)
    log.write_bytes(b"")
    shown.touch()
    with _daemon(raw, log, shown, sector_bytes), attached(shown, sector_bytes=sector_bytes) as dev:
        disk = RecordedDisk(dev, folder, sector_bytes)
        yield disk
        if not disk.end:
            disk.mark_end()
    raw.unlink()


@contextmanager
def _daemon(raw: Path, log: Path, shown: Path, sector_bytes: int) -> Iterator[None]:
    """The storage daemon, ready (QMP answers after the exports are made), ended afterwards."""
    nodes = (
        {"driver": "file", "node-name": "raw", "filename": str(raw), "discard": "unmap"},
        {"driver": "file", "node-name": "log", "filename": str(log)},
        {
            "driver": "blklogwrites",
            "node-name": "logged",
            "file": "raw",
            "log": "log",
            "log-sector-size": sector_bytes,
            "discard": "unmap",
        },
    )
    export = {
        "type": "fuse",
        "id": "shown",
        "node-name": "logged",
        "mountpoint": str(shown),
        "writable": True,
    }
    argv = ["qemu-storage-daemon"]
    for node in nodes:
        argv += ["--blockdev", json.dumps(node)]
    argv += ["--export", json.dumps(export), "--chardev", "stdio,id=qmp"]
    daemon = subprocess.Popen(
        [*argv, "--monitor", "chardev=qmp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        _ask(daemon, "qmp_capabilities")
        yield
        _ask(daemon, "quit")
        daemon.wait(_END_S)
    finally:
        _end(daemon, shown)


def _ask(daemon: subprocess.Popen[str], command: str) -> None:
    """One QMP command, and wait for its answer; events and the greeting are passed over."""
    assert daemon.stdin is not None
    assert daemon.stdout is not None
    daemon.stdin.write(json.dumps({"execute": command}) + "\n")
    daemon.stdin.flush()
    for line in daemon.stdout:
        said: dict[str, Any] = json.loads(line)
        if "return" in said:
            return
        if "error" in said:
            raise RuntimeError(f"qemu-storage-daemon refuses {command}: {said['error']}")
    raise RuntimeError(f"qemu-storage-daemon ended instead of answering {command}")


def _end(daemon: subprocess.Popen[str], shown: Path) -> None:
    """End the daemon where it has not ended by itself, and leave no mount behind."""
    if daemon.poll() is None:
        daemon.terminate()
        try:
            daemon.wait(_END_S)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
    for pipe in (daemon.stdin, daemon.stdout):
        if pipe is not None:
            pipe.close()
    if _mounted(shown):
        subprocess.run(["umount", "--lazy", shown], check=True)


def _mounted(path: Path) -> bool:
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    return any(line.split()[1] == str(path) for line in mounts)
