# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands of PostConfEAC.lib that have nothing to do with Windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oglib.errors import OgErr, OgError
from oglib.run import run
from oglib.shim.command import Command, command_of
from oglib.shim.target import entry_of, table_of

_BY_LABEL = Path("/dev/disk/by-label")
_IMAGES = "opt/opengnsys/images"
_MOST_NAMES = 10_000


def _relative_device(words: Sequence[str]) -> str:
    if len(words) == 1:
        return table_of(words[0]).path.name
    disk, part = entry_of(*words)
    return part.path.name if part.path else f"{disk.path.name}p{part.number}"


def _forget_labels(_words: Sequence[str]) -> None:
    if _BY_LABEL.is_dir():
        for link in _BY_LABEL.iterdir():
            if link.is_symlink():
                link.unlink(missing_ok=True)


def _cache_info(_words: Sequence[str]) -> str:
    """Size and use of the cache as df has them, and its images in one line below."""
    try:
        point = Path(str(command_of("ogMountCache").run(())))
    except OgError as error:
        if error.code is OgErr.PARTITION:
            return " "
        raise
    try:
        lines = [" ".join(run("df", "-h", point).stdout.split("\n")[1].split())]
        images = point / _IMAGES
        if images.is_dir():
            found = [str(path.relative_to(images.parent)) for path in _files(images)]
            lines.append(f"{' '.join(found)} ")
        return "\n".join(lines)
    finally:
        command_of("ogUnmountCache").run(())


def _files(folder: Path) -> list[Path]:
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return found[:_MOST_NAMES]


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogDiskToRelativeDev",
            "DISK [PARTITION]",
            "prints the name of a disk's or partition's device, without its folder",
            _relative_device,
            1,
            2,
            "ogDiskToRelativeDev 1 2 → sda2",
            "Names of NVMe and MMC partitions are right (nvme0n1p2); the old function printed "
            "nvme0n12. Without a number it is FORMAT.",
        ),
        Command(
            "ogDeletePartitionsLabels",
            "",
            "removes the links by label to filesystems, until the next change of a table",
            _forget_labels,
            example="ogDeletePartitionsLabels",
            better="No label at all is no error.",
        ),
        Command(
            "ogInfoCache",
            "",
            "prints size and use of the cache, and the images in it",
            _cache_info,
            example="ogInfoCache",
            better="A cache that is damaged is an error, not a blank line.",
        ),
    )
}
