# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands that print a shell pipeline which makes or puts back an image.

Nothing is run here, and ``og`` itself restores and captures without any pipeline. Who runs what is
printed needs ``set -o pipefail``: without it a shell knows the last program's fate alone.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from oglib import settings
from oglib.errors import ImageError, NotFoundError, UsageError
from oglib.shim.command import Command

_FILE = "FILE"
_USUAL_LEVEL = "gzip"
_NONE = "none"
# What makes and what undoes a compression, both from standard input or a file to standard output.
_COMPRESS = {
    _NONE: (),
    "lzop": ("lzop",),
    "gzip": ("gzip", "-c"),
    "bzip2": ("bzip2", "-c"),
    "zstd": ("zstd", "-q", "-T0", "-c"),
    "xz": ("xz", "-T0", "-c"),
    "lz4": ("lz4", "-q", "-c"),
}
_UNPACK = {
    _NONE: ("cat",),
    "lzop": ("lzop", "-dc"),
    "gzip": ("gzip", "-dc"),
    "bzip2": ("bzip2", "-dc"),
    "zstd": ("zstd", "-dcq"),
    "xz": ("xz", "-dc"),
    "lz4": ("lz4", "-dcq"),
}
_OTHER_LEVELS = {"": _NONE, "0": _NONE, "1": "lzop", "2": "gzip", "3": "bzip2", "bzip": "bzip2"}
_BUFFER = ("mbuffer", "-q", "-m", "40M")
_RAW = "partclone.dd"
_PARTIMAGE = ("partimage", "-b", "-f3", "-B", "gui=no")
_PARTIMAGE_SAVES = ("-o", "-d", "-c", "-M", "-z0", "--volume=0")
_TOOLS = {
    "partclone": "partclone",
    "partclone.dd": _RAW,
    "raw": _RAW,
    "disk": _RAW,
    "dd": _RAW,
    "partimage": "partimage",
    "default": "partimage",
    "ntfsclone": "ntfsclone",
}


def tool_of(word: str) -> str:
    """partclone, partclone.dd (every byte), partimage or ntfsclone; others are OG_ERR_FORMAT."""
    known = word.lower()
    if known.startswith("partclone.") and known != _RAW:
        known = "partclone"
    if known not in _TOOLS:
        raise UsageError(f"{word!r} is no program for images.", hint=f"Known: {', '.join(_TOOLS)}.")
    return _TOOLS[known]


def level_of(word: str) -> str:
    """none, lzop, gzip, bzip2, zstd, xz or lz4; also 0 to 3 and bzip, as old scripts say it."""
    known = _OTHER_LEVELS.get(word.lower().strip(), word.lower())
    if known not in _COMPRESS:
        raise UsageError(
            f"{word!r} is no compression.", hint=f"Known: {', '.join(_COMPRESS)}, 0 to 3."
        )
    return known


def _create(words: Sequence[str]) -> str:
    device, file, *rest = words
    tool = tool_of(rest[0]) if rest else "partclone"
    level = level_of(rest[1]) if len(rest) > 1 else _USUAL_LEVEL
    stages = (_saver(tool, device), _buffer(), _COMPRESS[level])
    return _pipeline(stages) + (f" > {shlex.quote(file)}" if file.strip() else "")


def _saver(tool: str, device: str) -> tuple[str, ...]:
    match tool:
        case "ntfsclone":
            return ("ntfsclone", "--force", "--save-image", "--output", "-", device)
        case "partimage":
            return (*_PARTIMAGE, *_PARTIMAGE_SAVES, "save", device, "stdout")
    program = _RAW if tool == _RAW else _partclone_for(Path(device))
    copies_all = program == _RAW  # which knows no --clone
    return (program, "-d0", "-F", *(() if copies_all else ("-c",)), "-s", device)


def _partclone_for(device: Path) -> str:
    # only here: a start without them is three times as fast
    from oglib.filesystem.kinds import kind_of  # noqa: PLC0415
    from oglib.filesystem.probe import probe_filesystem  # noqa: PLC0415

    if not device.exists():
        raise NotFoundError(f"There is no {device}.")
    kind = probe_filesystem(device).kind
    program = kind_of(kind).partclone if kind else ""
    program = program or "partclone.imager"
    return program if shutil.which(program) else _RAW


def _restore(words: Sequence[str]) -> str:
    file, device, *rest = words
    tool = tool_of(rest[0]) if rest else ""
    level = level_of(rest[1]) if len(rest) > 1 else ""
    if file.strip():
        if not Path(file).is_file():
            raise NotFoundError(f"There is no image file {file}.")
    elif not (tool and level):
        raise UsageError("Of standard input, program and compression must be said.")
    if not (tool and level):
        found_tool, found_level = _found_in(file)
        tool, level = tool or found_tool, level or found_level
    stages = (
        (*_UNPACK[level], *((file,) if file.strip() else ())),
        _buffer(),
        _restorer(tool, device),
    )
    return _pipeline(stages)


def _found_in(file: str) -> tuple[str, str]:
    from oglib.deploy.opening.opened import described  # noqa: PLC0415  as above

    info = described(str(Path(file).absolute()), settings.load())
    if info.damage:
        raise ImageError(info.damage)
    return tool_of(info.tool), level_of(info.compressor)


def _restorer(tool: str, device: str) -> tuple[str, ...]:
    match tool:
        case "ntfsclone":
            return ("ntfsclone", "--restore-image", "--overwrite", device, "-")
        case "partimage":
            return (*_PARTIMAGE, "restore", device, "stdin")
        case "partclone":
            return ("partclone.restore", "-d0", "-o", device)
    # of a pipe a block is read in pieces: counted as whole ones, zeros would come in between
    return ("dd", f"of={device}", "bs=1M", "iflag=fullblock", "conv=notrunc,fsync", "status=none")


def _buffer() -> tuple[str, ...]:
    return _BUFFER if shutil.which(_BUFFER[0]) else ()


def _pipeline(stages: Sequence[Sequence[str]]) -> str:
    return " | ".join(shlex.join(stage) for stage in stages if stage)


_BETTER = (
    "Names with blanks are quoted; zstd, xz and lz4 are known too; a blank FILE is standard "
    "{stream}. "
)
_MORE = "[PROGRAM [COMPRESSION]]"

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogCreateImageSyntax",
            f"DEVICE {_FILE} {_MORE}",
            "prints a shell pipeline that makes an image of a device",
            _create,
            2,
            4,
            "ogCreateImageSyntax /dev/sda1 /opt/opengnsys/images/debian.img partclone lzop",
            _BETTER.format(stream="output") + "With three arguments it is gzip; the old one "
            "printed nothing then. bzip is bzip2.",
        ),
        Command(
            "ogRestoreImageSyntax",
            f"{_FILE} DEVICE {_MORE}",
            "prints a shell pipeline that writes an image to a device",
            _restore,
            2,
            4,
            "ogRestoreImageSyntax /opt/opengnsys/images/debian.img /dev/sda1",
            _BETTER.format(stream="input") + "partclone checks the size of the device (no -C) and "
            "the filesystem in the image (no -I). Nothing is put between the bytes of raw images.",
        ),
    )
}
