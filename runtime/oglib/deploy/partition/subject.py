# SPDX-License-Identifier: GPL-3.0-or-later
"""What is captured: a partition, a logical volume or a file with a filesystem; and its facts.

The facts go into the manifest: who and what was captured, how it starts, what is installed.
Nothing is written to the source.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from oglib.boot.resident import why_resident
from oglib.deploy.system.fittable import BOOT_APART, KERNELS_ON_ESP
from oglib.disk.find import find_disk, find_partition
from oglib.disk.lock import held
from oglib.disk.loop import attached, partition_device
from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.probe import list_disks
from oglib.disk.starts import starters_of, the_only
from oglib.errors import FilesystemError, OgError, UsageError, printable
from oglib.image.format.manifest import SourceInfo
from oglib.inventory.software import installed
from oglib.inventory.system import System, identify
from oglib.osconfig.opened_system import (
    NoFilesError,
    OpenedSystem,
    opened_root,
    opened_system,
)
from oglib.settings import Settings

# A manifest is fetched and checked before anything else of an image: it must stay small.
_SOFTWARE_BYTES = 512 << 10
_TEXT_CHARS = 200


@dataclass(frozen=True, slots=True)
class CaptureSource:
    """``device`` is there while the block of ``capture_source`` lasts; ``part`` None: all of it."""

    device: Path
    disk: Disk
    part: Partition | None

    def describe(self) -> str:
        if self.part is None:
            return self.disk.describe()
        return f"partition {self.part.number} of {self.disk.describe()}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a manifest says of the source; ``notes``: what could not be found out."""

    info: SourceInfo
    software: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@contextmanager
def capture_source(
    disk_spec: str, part_spec: str | None, settings: Settings
) -> Iterator[CaptureSource]:
    """The source that is meant, locked for us; its device where it needs one made."""
    disk, part = find_source(disk_spec, part_spec, settings)
    with held(disk, part):
        if part is None and not disk.path.is_file():
            yield CaptureSource(disk.path, disk, None)
            return
        if part is None:
            # a device, as any other source: resize2fs would cut a file off
            with attached(disk.path, sector_bytes=disk.logical_sector_bytes) as device:
                yield CaptureSource(device, disk, None)
            return
        with partition_device(disk, part) as device:
            yield CaptureSource(device, disk, part)


def find_source(
    disk_spec: str, part_spec: str | None, settings: Settings, *, holds: str = "this"
) -> tuple[Disk, Partition | None]:
    """The disk and partition that are meant; a volume (``vg/lv``, its path) is a partition too.

    Raises where only a disk with partitions is named, for ``holds`` is about one of them.
    """
    if part_spec is not None:
        disk = find_disk(disk_spec, rules=settings.disk_rules)
        return disk, find_partition(disk, part_spec)
    if (found := _by_node(disk_spec)) is not None:
        return found
    disk = find_disk(disk_spec, rules=settings.disk_rules)
    if disk.table is not TableKind.NONE:
        raise UsageError(
            f"{disk.describe()} has partitions, and {holds} is for one of them.",
            hint=f"Name it, by its number behind the disk. {disk.its_partitions()}",
        )
    return disk, None


def is_one_filesystem(disk_spec: str, settings: Settings) -> bool:
    """Whether a disk named without a partition is one source, and no disk with partitions."""
    if _by_node(disk_spec) is not None:
        return True
    return find_disk(disk_spec, rules=settings.disk_rules).table is TableKind.NONE


def _by_node(spec: str) -> tuple[Disk, Partition] | None:
    """The partition or volume whose device node is called this way."""
    if "/" not in spec:
        return None
    nodes = {path.resolve() for path in (Path(spec), Path("/dev") / spec) if path.is_block_device()}
    for disk in list_disks() if nodes else ():
        for part in disk.partitions:
            if part.path is not None and part.path.resolve() in nodes:
                return disk, part
    return None


def source_facts(source: CaptureSource, *, dirty: bool = False) -> Facts:
    """Who captures, what system is on it and what is installed; empty where there is none.

    What cannot be mounted here (a new feature, a kernel without the kind) is captured all the same,
    and a note says that its system is not known. Files that cannot be read are an error, unless
    it is taken ``dirty``, as it is, by an explicit word.
    """
    system: System | None = None
    software: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    lies = ""
    try:
        with _opened(source) as opened:
            system = identify(opened.root)
            if system is not None and not system.is_loader:
                lies = _where_it_lies(opened)
                found = installed(opened.root, system)
                software = _cut([one.text for one in found.packages])
                notes = (*opened.notes, *filter(None, (system.note,)), *found.notes)
    except NoFilesError:
        pass  # swap, encrypted or foreign: it is captured all the same, or was refused before
    except OgError as error:
        if not dirty and not isinstance(error, FilesystemError):
            raise
        notes = (f"Which system is on it is not known: {error.message}",)
    part = source.part
    info = SourceInfo(
        hostname=socket.gethostname(),
        os=_clean(system.description) if system else "",
        disk=source.disk.number,
        part=part.number if part else 0,
        firmware=the_only(starters_of(source.disk)) if system else "",
        system=str(system.kind) if system and not system.is_loader else "",
        lies=lies,
    )
    return Facts(info, software, notes)


def _where_it_lies(opened: OpenedSystem) -> str:
    if "/boot" not in opened.absent and why_resident(opened.root):
        return KERNELS_ON_ESP
    if opened.subvolume:
        return _clean(f"in the btrfs subvolume {opened.subvolume}")
    apart = opened.boot is not None or "/boot" in opened.absent
    return BOOT_APART if apart else ""


def _opened(source: CaptureSource) -> AbstractContextManager[OpenedSystem]:
    if source.part is None:
        return opened_root(source.device)
    return opened_system(source.disk, source.part)


def _clean(text: str) -> str:
    return printable(text)[:_TEXT_CHARS]


def _cut(texts: list[str]) -> tuple[str, ...]:
    kept, left = [], _SOFTWARE_BYTES
    for text in map(_clean, texts):
        left -= len(text.encode()) + len('    "",\n')
        if left < 0:
            break
        kept.append(text)
    return tuple(kept)
