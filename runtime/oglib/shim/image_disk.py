# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands that make an image of a whole disk and put one back.

What they do is ``og image create`` and ``og image restore`` without a partition.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from oglib import reporters, settings
from oglib.deploy.whole_disk import capture
from oglib.deploy.whole_disk.plan import DiskWishes
from oglib.deploy.whole_disk.restore import restore_disk
from oglib.disk.lock import refuse_locked
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk
from oglib.engine_cfg import knobs
from oglib.errors import NotFoundError, PartitionError
from oglib.filesystem.mounts import mountpoints_of, parse_mountinfo
from oglib.shim.command import Command, command_of
from oglib.shim.image_lock import held_image, image_file, refuse_locked_image
from oglib.shim.image_read import in_place, info_of, over_http
from oglib.shim.image_syntax import level_of, tool_of
from oglib.shim.target import disk_of, warn

_MOUNTINFO = Path("/proc/self/mountinfo")
_OLD_EXTENSION = "dsk"  # of raw images of disks, with which the old engine knew nothing else


def _create(words: Sequence[str]) -> None:
    disk = disk_of(words[0])
    refuse_locked(disk, own_counts=True)
    _check_ways(words[3:])
    loaded = settings.load()
    if over_http(words[1], loaded):
        path, name, destination = None, words[2].strip("/"), ""
    else:
        path = image_file(in_place(words[1:3]))
        name, destination = path.name, str(path.parent)
        _refuse_on_itself(disk, path.parent)
    with held_image(path) if path else nullcontext():
        command_of("ogUnmountAll").run([words[0]])
        made = capture.create_disk(
            words[0],
            name,
            destination=destination,
            settings=loaded,
            progress=reporters.for_stream(),
        )
    warn(*made.warnings)


def _check_ways(words: Sequence[str]) -> None:
    if words:
        tool_of(words[0])
    if len(words) > 1 and level_of(words[1]) != "zstd":
        warn("the partitions of a whole disk are compressed with zstd")


def _refuse_on_itself(disk: Disk, folder: Path) -> None:
    """The image grows while the disk is read: it cannot be on the same one."""
    real = folder.resolve()
    mounts = parse_mountinfo(_MOUNTINFO.read_text())
    holding = max(
        (mount.point for mount in mounts if real.is_relative_to(mount.point)),
        key=lambda point: len(point.parts),
    )
    for part in disk.partitions:
        with partition_device(disk, part) as device:
            points = mountpoints_of(device)
        if holding in points:
            raise PartitionError(
                f"{folder} is on partition {part.number} of the disk itself, {disk.describe()}.",
                hint="Name another place.",
            )


def _restore(words: Sequence[str]) -> None:
    disk = disk_of(words[2])
    loaded = settings.load()
    image = _image_at(words[:2], loaded)
    refuse_locked(disk, own_counts=True)
    if image.startswith("/"):
        refuse_locked_image(Path(image))
        if Path(image).is_file():
            info_of(image, loaded)  # an old raw image: told by its content, never by its name
    command_of("ogUnmountAll").run([words[2]])
    receipt = restore_disk(
        image, words[2], DiskWishes(), settings=loaded, progress=reporters.for_stream()
    )
    warn(*receipt.warnings)


def _image_at(words: Sequence[str], loaded: settings.Settings) -> str:
    """The folder of a disk, or the old raw file; or its name where REPO is asked by HTTP."""
    extension = os.environ.get("DISKIMGEXT") or knobs().get("DISKIMGEXT") or _OLD_EXTENSION
    for name in (words[1], f"{words[1]}.{extension}"):
        found = in_place([words[0], name]).find()
        if found is not None:
            return str(found)
    if over_http(words[0], loaded):
        return words[1].strip("/")
    raise NotFoundError(
        f"There is neither a folder {words[1]} nor a file {words[1]}.{extension} in {words[0]}.",
        hint="`og image list` shows what there is.",
    )


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogCreateDiskImage",
            "DISK REPO|CACHE NAME [PROGRAM [COMPRESSION]]",
            "makes an image of a whole disk",
            _create,
            3,
            5,
            "ogCreateDiskImage 1 REPO debian",
            "The image is a folder NAME with the table and an image of each partition, used blocks "
            "only, which restores to a larger or smaller disk too. The folder takes its name when "
            "all of it is whole; the one before it stays as .ant.",
        ),
        Command(
            "ogRestoreDiskImage",
            "REPO|CACHE NAME DISK",
            "writes the image of a whole disk",
            _restore,
            3,
            3,
            "ogRestoreDiskImage REPO debian 1",
            "Size, sectors and firmware are checked before anything is written; what was written "
            "is read back. Folders of Clonezilla and FOG restore too, and the old NAME.dsk.",
        ),
    )
}
