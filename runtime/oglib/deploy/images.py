# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture a partition into the repository or a file; put an image back; prove one."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from pathlib import Path

from oglib.deploy import receipts, source
from oglib.disk.find import find_disk, find_partition
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.errors import FilesystemError, OgErr, OgError, TransferError
from oglib.filesystem.mount import mounted
from oglib.filesystem.probe import probe_filesystem
from oglib.image import (
    CaptureMeta,
    FileSink,
    Manifest,
    Receipt,
    SourceInfo,
    Verified,
    capture,
    restore,
    verify,
)
from oglib.osconfig.linux import detect_linux
from oglib.osconfig.root import TargetRoot
from oglib.progress import Progress
from oglib.settings import Settings
from oglib.transfer.upload import HttpUploadSink, read_token


@dataclass(frozen=True, slots=True)
class Created:
    """A finished capture: what it is and where it can be found now."""

    manifest: Manifest
    where: str
    version: int
    seconds: float


def create(
    disk_spec: str,
    part_spec: str,
    name: str,
    *,
    destination: str,
    title: str,
    comment: str,
    settings: Settings,
    progress: Progress,
) -> Created:
    """Capture a partition. ``destination`` is a folder, a repository's address, or empty.

    Empty means the repository that this PC was told of. The image is visible there once all
    of it has arrived and was verified; the version before it is kept aside.
    """
    started = time.monotonic()
    disk = find_disk(disk_spec, rules=settings.disk_rules)
    part = find_partition(disk, part_spec)
    with held(disk, part), partition_device(disk, part) as device:
        kind = probe_filesystem(device).kind
        if not kind:
            raise FilesystemError(
                f"There is no filesystem on partition {part.number} of {disk.describe()}.",
                hint="`og disk list` shows what is where.",
            )
        info = SourceInfo(
            hostname=socket.gethostname(), os=_system_on(device), disk=disk.number, part=part.number
        )
        meta = CaptureMeta(name=name, title=title, comment=comment, source=info)
        if destination and "://" not in destination:
            path = Path(destination) / f"{name}.img"
            manifest = capture(device, kind, FileSink(path), meta=meta, progress=progress)
            return Created(manifest, str(path), 0, _since(started))
        base = destination or settings.repository_url()
        sink = HttpUploadSink(base, name, read_token(settings.upload_token))
        manifest = capture(device, kind, sink, meta=meta, progress=progress)
    if sink.published is None:
        raise TransferError(f"{base} did not say what became of {name}.")
    where = f"{base.rstrip('/')}/images/{sink.published.name}.img"
    return Created(manifest, where, sink.published.version, _since(started))


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)


def put_back(
    image: str,
    disk_spec: str,
    part_spec: str | None,
    *,
    read_back: bool,
    delta: bool,
    settings: Settings,
    progress: Progress,
) -> Receipt:
    """Restore an image to a partition, or to a file or device named alone."""
    with source.opened(image, settings) as opened:
        if part_spec is None:
            receipt = restore(
                opened, Path(disk_spec), progress=progress, verify=read_back, delta=delta
            )
            receipts.keep(receipt)
            return receipt
        disk = find_disk(disk_spec, rules=settings.disk_rules)
        part = find_partition(disk, part_spec)
        with held(disk, part), partition_device(disk, part) as device:
            receipt = restore(opened, device, progress=progress, verify=read_back, delta=delta)
            receipts.keep(receipt)
            return receipt


def prove(
    image: str,
    disk_spec: str | None,
    part_spec: str | None,
    *,
    settings: Settings,
    progress: Progress,
) -> Verified:
    """Check an image against its digests or, with a target, the target against the image."""
    with source.opened(image, settings) as opened:
        if disk_spec is None:
            return verify(opened, progress=progress)
        if part_spec is None:
            return verify(opened, Path(disk_spec), progress=progress)
        disk = find_disk(disk_spec, rules=settings.disk_rules)
        with partition_device(disk, find_partition(disk, part_spec)) as device:
            return verify(opened, device, progress=progress)


def _system_on(device: Path) -> str:
    """What the filesystem's own os-release says; empty where there is no system on it."""
    try:
        with mounted(device) as point, TargetRoot(point) as root:
            system = detect_linux(root)
    except OgError as error:
        if error.code not in (OgErr.FILESYS, OgErr.NOTOS):
            raise
        return ""  # swap, encrypted or foreign: it is captured all the same, or refused later
    return system.pretty_name if system else ""
