# SPDX-License-Identifier: GPL-3.0-or-later
"""The old command that says whether an image of a partition would fit where it should go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from oglib.engine_cfg import knobs
from oglib.errors import NotFoundError, UsageError
from oglib.shim.command import Command, command_of
from oglib.shim.filesystem_read import mounted_usage_of
from oglib.shim.image_read import image_place
from oglib.shim.place import Place
from oglib.texts import read_whole

_KIB = 1024
_LISTING = Path("/tmp/ogimg.info")  # noqa: S108  where OpenGnsys' scripts leave it
_LISTING_BYTES = 64 << 20  # a line for each file that differs
_MONOLITHIC_PERCENT = 65  # of the used data, as lzop leaves it; zstd leaves less
_SYNC_PERCENT = 130
_BTRFS_PERCENT = 20  # less, for it compresses
_LEAST_SYNC_KB = 300_000
_SUFFIX = {"monolit": "img", "sync": "img", "diff": "img.diff"}


def _parameters(words: Sequence[str]) -> str:
    disk, part, where, name, *rest = words
    kind = rest[0].lower() if rest else "monolit"
    if kind not in _SUFFIX:
        raise UsageError(f"{rest[0]!r} is no kind of image.", hint="Say monolit, sync or diff.")
    image = image_place([where, name], _SUFFIX[kind])
    data_kb = _listed_kb(disk, part) if kind == "diff" else _used_kb(disk, part)
    folder = image.parent().folder()
    free_kb = _free_kb(folder)
    if kind == "monolit":
        needed_kb = data_kb * _MONOLITHIC_PERCENT // 100
    else:
        needed_kb = max(data_kb * _sync_percent() // 100, _LEAST_SYNC_KB)
        free_kb += _taken_kb(image)  # it is changed in its place
    return f"{data_kb} {needed_kb} {free_kb} {'TRUE' if needed_kb < free_kb else 'FALSE'}"


def _used_kb(disk: str, part: str) -> int:
    return mounted_usage_of(disk, part).used_bytes // _KIB


def _listed_kb(disk: str, part: str) -> int:
    """What the files take that a scan found different (``ogCreateInfoImage``)."""
    try:
        text = read_whole(_LISTING, _LISTING_BYTES).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        raise NotFoundError(
            f"There is no {_LISTING}.", hint="ogCreateInfoImage makes it."
        ) from None
    root = Path(str(command_of("ogMount").run([disk, part]))).resolve()
    found = (
        Place(root, line).entry() for line in text.splitlines() if line and not line.startswith("#")
    )
    stats = [path.lstat() for path in found if path is not None]
    return sum({one.st_ino: one.st_blocks * 512 for one in stats}.values()) // _KIB


def _sync_percent() -> int:
    told = knobs()
    factor = os.environ.get("FACTORSYNC") or told.get("FACTORSYNC") or str(_SYNC_PERCENT)
    if not factor.isascii() or not factor.isdecimal():
        raise UsageError(f"FACTORSYNC={factor} is not a whole number.", hint="Mend engine.cfg.")
    inside = os.environ.get("IMGFS") or told.get("IMGFS", "")
    return int(factor) - (_BTRFS_PERCENT if inside.upper() == "BTRFS" else 0)


def _free_kb(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize // _KIB


def _taken_kb(place: Place) -> int:
    found = place.find()
    return found.stat().st_blocks * 512 // _KIB if found is not None else 0


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogGetSizeParameters",
            "DISK PARTITION REPO|CACHE NAME [monolit|sync|diff]",
            "prints the KB of data, the KB an image needs, the KB free there, and TRUE or FALSE",
            _parameters,
            4,
            5,
            "ogGetSizeParameters 1 1 REPO debian → 5642158 3667402 40000000 TRUE",
            "What an older image of the name takes is not counted as free for a monolithic one: "
            "it stays until the new one is verified. A partition that is not there is NOTFOUND.",
        ),
    )
}
