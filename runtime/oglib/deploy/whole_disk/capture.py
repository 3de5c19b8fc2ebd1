# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture a whole disk into a folder image, on this PC, on a share or in the repository.

Everything is looked at before the first byte is written. The folder appears under its name when
the last partition is in it and all of it is durable; the one before it stays as ``NAME.ant``.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from blake3 import blake3

from oglib import durable
from oglib.cancel import NEVER, Cancel
from oglib.deploy.partition.capture import added_blocks
from oglib.deploy.whole_disk.folder import filled
from oglib.deploy.whole_disk.read import DiskRead, read_disk
from oglib.disk.find import find_disk
from oglib.disk.lock import held
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk
from oglib.disk.writing.table import refuse_busy
from oglib.errors import FilesystemError, WriteError, printable
from oglib.image.format.disk_gaps import packed_gaps, packed_table
from oglib.image.format.disk_manifest import DISK_FILE, GAPS_FILE, DiskManifest, DiskPart, part_name
from oglib.image.format.manifest import SourceInfo, check_name
from oglib.image.recording.device_capture import CaptureMeta, capture
from oglib.image.recording.sink import FileSink, ImageSink
from oglib.inventory.installed import system_of
from oglib.progress import Progress
from oglib.settings import Settings
from oglib.transfer.disk_upload import DiskUpload
from oglib.transfer.upload import read_token


@dataclass(frozen=True, slots=True)
class CreatedDisk:
    """A finished capture: what it is and where it can be found now; sizes in bytes."""

    name: str
    where: str
    version: int
    partitions: int
    used_bytes: int
    image_size_bytes: int
    seconds: float
    warnings: tuple[str, ...] = ()


def create_disk(
    disk_spec: str,
    name: str,
    *,
    destination: str,
    title: str = "",
    comment: str = "",
    settings: Settings,
    progress: Progress,
    cancel: Cancel = NEVER,
) -> CreatedDisk:
    """Capture every partition of a disk, its table and boot code, as the image ``name``.

    ``destination`` is a folder, a repository's address, or empty for the repository that this PC
    was told of. Swap is described, not copied; Windows' reserved partition and the CACHE are empty
    in the image.
    """
    started = time.monotonic()
    check_name(name)
    disk = find_disk(disk_spec, rules=settings.disk_rules)
    refuse_busy(replace(disk, read_only=False))
    with held(disk):
        read = read_disk(disk)
        system, notes = _system_on(disk, read)
        draft = DiskManifest(
            name=name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            size_bytes=disk.size_bytes,
            sector_size=disk.logical_sector_bytes,
            table=str(disk.table),
            disk_id=read.identity.disk_id,
            partitions=(),
            title=title,
            comment=comment,
            hostname=socket.gethostname(),
            os=printable(system),
            firmware=read.firmware,
        )
        work = _Work(disk, read, draft, progress, cancel)
        if destination and "://" not in destination:
            made = _into_folder(work, Path(destination) / name)
        else:
            made = _into_repository(work, destination or settings.repository_url(), settings)
    return replace(
        made,
        seconds=round(time.monotonic() - started, 3),
        warnings=(*read.warnings, *notes, *work.notes, *made.warnings),
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """A capture on its way: the disk, what was found on it, the image without its partitions.

    ``notes``: what its captures had to say.
    """

    disk: Disk
    read: DiskRead
    draft: DiskManifest
    progress: Progress
    cancel: Cancel
    notes: list[str] = field(default_factory=list)

    def partitions(self, sink_of: Callable[[int], ImageSink]) -> tuple[DiskPart, ...]:
        """Capture every filesystem into its sink; the rows of ``disk.json``."""
        return tuple(
            self._captured(part, sink_of) if part.is_image else part for part in self.read.parts
        )

    def _captured(self, part: DiskPart, sink_of: Callable[[int], ImageSink]) -> DiskPart:
        found = next(one for one in self.disk.partitions if one.number == part.number)
        meta = CaptureMeta(
            name=part_name(self.draft.name, part.number),
            title=self.draft.title,
            source=SourceInfo(
                hostname=self.draft.hostname,
                os=self.draft.os,
                disk=self.disk.number,
                part=part.number,
            ),
        )
        with partition_device(self.disk, found) as device:
            manifest = capture(
                device,
                self.read.kinds[part.number],
                sink_of(part.number),
                meta=meta,
                progress=self.progress,
                cancel=self.cancel,
            )
        self.notes.extend(added_blocks(manifest))
        return replace(
            part,
            required_bytes=manifest.device_size_bytes,
            used_bytes=manifest.used_blocks * manifest.block_size,
            image_size_bytes=manifest.image_size_bytes,
            manifest_blake3=blake3(manifest.to_bytes()).hexdigest(),
        )

    def finished(self, parts: tuple[DiskPart, ...]) -> tuple[DiskManifest, bytes]:
        """``disk.json`` as a value, and the bytes of ``disk.gaps``."""
        gaps, raw = packed_gaps(self.read.stretches)
        table, sectors = packed_table(self.read.exact.stretches)
        disk = replace(self.draft, partitions=parts, gaps=gaps, table_bytes=table)
        disk.check()
        return disk, raw + sectors


def _into_folder(work: _Work, folder: Path) -> CreatedDisk:
    if folder.exists() and not (folder / DISK_FILE).is_file():
        raise WriteError(
            f"{folder} exists and is no image of a disk, so it is not replaced.",
            hint="Choose another name.",
        )
    with filled(folder) as new:
        parts = work.partitions(
            lambda number: FileSink(new / f"p{number}.img", replaces=folder / f"p{number}.img")
        )
        disk, gaps = work.finished(parts)
        durable.store(new / GAPS_FILE, gaps)
        durable.store(new / DISK_FILE, disk.to_bytes())
    return _made(disk, str(folder), 0)


def _into_repository(work: _Work, base: str, settings: Settings) -> CreatedDisk:
    upload = DiskUpload(
        base,
        work.draft.name,
        read_token(settings.upload_token),
        connection=settings.connection,
    )
    try:
        disk, gaps = work.finished(work.partitions(upload.part))
        published = upload.finish_disk(disk.to_bytes(), gaps)
    except BaseException:
        upload.abort()
        raise
    where = f"{base.rstrip('/')}/images/{published.name}"
    return replace(_made(disk, where, published.version), warnings=published.warnings())


def _made(disk: DiskManifest, where: str, version: int) -> CreatedDisk:
    return CreatedDisk(
        name=disk.name,
        where=where,
        version=version,
        partitions=len(disk.partitions),
        used_bytes=sum(part.used_bytes for part in disk.images),
        image_size_bytes=sum(part.image_size_bytes for part in disk.images) + disk.gaps_bytes,
        seconds=0.0,
    )


def _system_on(disk: Disk, read: DiskRead) -> tuple[str, tuple[str, ...]]:
    """The first system on the disk as it names itself, a loader only where there is no other.

    And where one may be that is not known, a sentence each: what cannot be mounted here.
    """
    loader, notes = "", []
    for part in disk.partitions:
        if part.number not in read.kinds:
            continue
        try:
            found = system_of(disk, part)
        except FilesystemError as error:
            notes.append(f"Which system is on partition {part.number} is not known: {error}")
            continue
        if found and not found.is_loader:
            return found.description, tuple(notes)
        loader = loader or (found.description if found else "")
    return loader, tuple(notes)
