# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands that make an image of a partition and put one back.

Both refuse a partition or an image that is locked already, by whomever it is, and unmount the
partition. What they do is ``og image create`` and ``og image restore``.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from oglib import reporters, settings
from oglib.deploy.partition import capture, restore
from oglib.disk.lock import refuse_locked
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.errors import FilesystemError, OgErr, OgError, UsageError
from oglib.filesystem.kinds import kind_probed
from oglib.filesystem.mount import unmount_device
from oglib.filesystem.probe import probe_filesystem
from oglib.image.recording.legacy_capture import COMPRESSORS
from oglib.shim.command import Command
from oglib.shim.copy import write_small
from oglib.shim.image_lock import held_image, image_file, refuse_locked_image
from oglib.shim.image_read import (
    image_place,
    info_line,
    info_of,
    named_image,
    over_http,
    size_kb,
)
from oglib.shim.image_syntax import level_of, tool_of
from oglib.shim.target import partition_of, warn

_KIB = 1024
_LAST_INFO = Path("/tmp/image.info")  # noqa: S108  where agents look for what was made last
# How the words of old scripts are asked for; empty is our own format.
_FORMATS = {"zstd": "", **{name: name for name in COMPRESSORS}}
_EVERY_BYTE = "partclone.dd"
_EXTENSION = "img"


@dataclass(frozen=True, slots=True)
class _Aim:
    """Where a new image goes: ``path`` of a file, or None for the repository asked by HTTP."""

    name: str
    destination: str
    path: Path | None


def _create(words: Sequence[str]) -> None:
    create(words, settings.load())


def create(words: Sequence[str], loaded: settings.Settings) -> None:
    """``DISK PARTITION REPO|CACHE NAME [PROGRAM [COMPRESSION]]``, into that repository."""
    disk, part = partition_of(words[0], words[1])
    refuse_locked(disk, part, own_counts=True)
    tool, level = _how([*words[4:], "", ""], loaded)
    aim = _aim(words[2:4], loaded)
    raw = tool == _EVERY_BYTE or _has_no_tool(disk, part)
    with held_image(aim.path) if aim.path else nullcontext():
        unmounted_part(disk, part)
        made = capture.create(
            words[0],
            words[1],
            aim.name,
            destination=aim.destination,
            wishes=capture.CaptureWishes(format=_FORMATS[level], raw=raw, full_sum=True),
            settings=loaded,
            progress=reporters.for_stream(),
        )
        warn(*made.warnings)
        line = info_line(info_of(str(aim.path) if aim.path else aim.name, loaded))
    write_small(_LAST_INFO, f"{line}:{socket.gethostname()}\n")


def _has_no_tool(disk: Disk, part: Partition) -> bool:
    """Whether every byte is taken: of swap, of nothing known, of what partclone does not know.

    An encrypted partition is none of these: all its bytes are only taken where that is said.
    """
    with partition_device(disk, part) as device:
        found = probe_filesystem(device)
    kind = kind_probed(found.kind, found.version)
    return kind is None or not (kind.partclone or kind.encrypted)


def _how(words: Sequence[str], loaded: settings.Settings) -> tuple[str, str]:
    tool = tool_of(words[0] or loaded.image_program)
    level = level_of(words[1] or loaded.image_compressor)
    if level not in _FORMATS:
        raise UsageError(f"No image is made with {level}.", hint=f"Known: {', '.join(_FORMATS)}.")
    if tool not in ("partclone", _EVERY_BYTE):
        warn(f"{tool} makes no images here: partclone does")
    return tool, level


def _aim(words: Sequence[str], loaded: settings.Settings) -> _Aim:
    if over_http(words[0], loaded):
        return _Aim(words[1].strip("/"), "", None)
    if loaded.image_extension != _EXTENSION:
        raise UsageError(
            f"Images are named NAME.{_EXTENSION}, not NAME.{loaded.image_extension}.",
            hint=f"Say IMGEXT={_EXTENSION} in engine.cfg.",
        )
    path = image_file(image_place(words, _EXTENSION))
    return _Aim(path.name.removesuffix(f".{_EXTENSION}"), str(path.parent), path)


def _restore(words: Sequence[str]) -> None:
    disk, part = partition_of(words[2], words[3])
    loaded = settings.load()
    image = named_image(words[:2], loaded)
    check_room(part, size_kb(info_of(image, loaded)), image)
    refuse_locked(disk, part, own_counts=True)
    refuse_locked_named(words[:2], loaded)
    unmounted_part(disk, part)
    receipt = restore.put_back(
        image,
        restore.Request(words[2], words[3]),
        settings=loaded,
        progress=reporters.for_stream(),
    )
    warn(*receipt.warnings)


def refuse_locked_named(words: Sequence[str], loaded: settings.Settings) -> None:
    """Raise where somebody has locked the file of ``REPO|CACHE NAME``; over HTTP there is none."""
    found = image_place(words, loaded.image_extension).find()
    if found is not None and found.is_file():
        refuse_locked_image(found)


def check_room(part: Partition, needed_kb: int, image: str) -> None:
    if needed_kb * _KIB > part.size_bytes:
        raise OgError(
            f"Partition {part.number} has {part.size_bytes // _KIB} KB, the image {image} needs "
            f"{needed_kb}.",
            hint="Use a larger partition, or a copy of the image made smaller.",
            code=OgErr.IMGSIZEPARTITION,
        )


def unmounted_part(disk: Disk, part: Partition) -> None:
    with partition_device(disk, part) as device:
        try:
            unmount_device(device)
        except FilesystemError as error:
            raise FilesystemError(error.message, hint=error.hint, code=OgErr.PARTITION) from error


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogCreateImage",
            "DISK PARTITION REPO|CACHE NAME [PROGRAM [COMPRESSION]]",
            "makes an image of a partition",
            _create,
            4,
            6,
            "ogCreateImage 1 1 REPO debian partclone lzop",
            "The image takes its name when it is whole and verified; the version before it stays "
            "as .ant. Without room, of a filesystem that was left dirty, and of an encrypted one, "
            "nothing is begun. Without PROGRAM and COMPRESSION it is as engine.cfg says (IMGPROG, "
            "IMGCOMP); with zstd it is our own format, which partclone reads too. Of swap and "
            "of what no program of partclone knows every byte is taken (RAW), of an encrypted "
            "partition only with partclone.dd. A new image is named with letters, digits, dots, "
            "dashes and underscores. partimage and "
            "ntfsclone images are read, and made by partclone. REPO without a mounted share is the "
            "repository asked by HTTP.",
        ),
        Command(
            "ogRestoreImage",
            "REPO|CACHE NAME DISK PARTITION",
            "writes an image to a partition",
            _restore,
            4,
            4,
            "ogRestoreImage REPO debian 1 1",
            "It never formats. Checksums in the image are verified, what was written is read back, "
            "and until then the partition cannot be started or mounted. Each error has its own "
            "number. Nothing is printed. An unsigned image of a share restores with a warning "
            'where the site\'s policy says so (`allow_unsigned = ["REPO"]`). REPO without a '
            "mounted share is the repository asked by HTTP.",
        ),
    )
}
