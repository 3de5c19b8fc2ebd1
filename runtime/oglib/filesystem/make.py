# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes filesystems and swap with their own tools, and looks whether that is what is there now.

Every call names one block device (or image file). Refuses what is in use; wipes the signatures
of what was there before, so that nobody finds two.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path

from oglib.errors import FilesystemError, OgErr, ProcessError
from oglib.filesystem.kinds import Kind, kind_of
from oglib.filesystem.mounts import refuse_in_use
from oglib.filesystem.probe import FilesystemInfo, probe_filesystem
from oglib.progress import human_bytes
from oglib.run import need, run
from oglib.udev import look_again

_CACHE_LABEL = "CACHE"
_STAND_IN = "OGLIVELABEL"  # as long as a label of FAT can be


def format_filesystem(
    device: Path, kind_name: str, *, label: str = "", uuid: str = "", cache: bool = False
) -> FilesystemInfo:
    """Make a fresh filesystem (or swap) and return what is then found on ``device``.

    ``uuid`` as blkid prints it; of FAT the volume number ``1234-ABCD``. ``cache`` allows the
    label by which the cache is known.
    """
    kind = kind_of(kind_name)
    argv = make_argv(kind, device, label=label, uuid=uuid, cache=cache)
    refuse_in_use(device, "formatted", code=OgErr.DONTFORMAT)
    _refuse_size(kind, device)
    make_with(argv, device, kind.name)
    if label and _is_put_later(kind, label):
        _put_fat_label(device, kept(kind, label))
    made = probe_filesystem(device)
    if made.name != kind.name:
        raise FilesystemError(
            f"{device} was formatted as {kind.name}, but {made.name or 'nothing'} is found on it.",
            code=OgErr.PARTITION,
        )
    return made


def make_with(
    argv: Sequence[str | Path], device: Path, what: str, *, code: OgErr = OgErr.PARTITION
) -> None:
    """Wipe the old signatures of ``device`` and run the command that makes ``what`` on it.

    What somebody holds is refused (DONTFORMAT); ``code`` is for a command that fails after that.
    """
    need(str(argv[0]))  # before what is there is wiped
    try:
        run("wipefs", "--all", "--quiet", device)
    except ProcessError as error:
        raise FilesystemError(
            f"{device} was not formatted: {error.message}",
            hint="LVM, RAID or another program may hold it; or its disk is failing.",
            code=OgErr.DONTFORMAT,
        ) from error
    try:
        run(*argv)
    except ProcessError as error:
        raise FilesystemError(
            f"{device} could not be formatted as {what}: {error.message}",
            hint="Its old content is gone; look at the kernel's log.",
            code=code,
        ) from error
    look_again(device)


def make_swap(device: Path, *, label: str = "", uuid: str = "") -> FilesystemInfo:
    """Prepare swap space; its UUID is what fstab will name."""
    return format_filesystem(device, "swap", label=label, uuid=uuid)


def make_argv(
    kind: Kind, device: Path, *, label: str = "", uuid: str = "", cache: bool = False
) -> list[str]:
    """The command that makes this filesystem; pure. Refuses a label that does not fit."""
    if not kind.make:
        raise FilesystemError(
            f"{kind.name} is recognised here, but not made.", code=OgErr.PARTITION
        )
    argv = list(kind.make)
    if label:
        _check_label(kind, label, cache=cache)
        argv += [kind.label_option, _STAND_IN if _is_put_later(kind, label) else kept(kind, label)]
    if uuid:
        if not kind.uuid_option:
            raise FilesystemError(f"The UUID of {kind.name} cannot be chosen.", code=OgErr.FORMAT)
        argv += _uuid_argv(kind, uuid)
    return [*argv, str(device)]


def kept(kind: Kind, label: str) -> str:
    """The label as the filesystem will have it: FAT has capitals, of ASCII letters at least."""
    if not kind.upper_label:
        return label
    return "".join(one.upper() if one.isascii() else one for one in label)


def _is_put_later(kind: Kind, label: str) -> bool:
    """Whether the tool is given another label of full length, in whose place this one is put.

    mkfs.vfat takes no byte above 127, and in Windows' code page, which it would use, Linux could
    not find the filesystem by its label.
    """
    return kind.mount_type == "vfat" and not label.isascii()


def _put_fat_label(device: Path, label: str) -> None:
    """Replace the stand-in in the boot sector, its copy and the root folder."""
    old, new = _STAND_IN.encode(), label.encode().ljust(len(_STAND_IN))
    with device.open("r+b", buffering=0) as file:
        boot = os.pread(file.fileno(), 512, 0)
        sector, reserved, fats = struct.unpack_from("<HxHB", boot, 11)
        short, long, copy = struct.unpack_from("<H12xI10xH", boot, 22)
        places = [43] if short else [71, copy * sector + 71]
        # the root folder is the first behind the FATs, and the label is its first entry
        places.append((reserved + fats * (short or long)) * sector)
        for place in places:
            if os.pread(file.fileno(), len(old), place) != old:
                raise FilesystemError(
                    f"{device} was formatted, but its label is not where one of FAT should be.",
                    hint="Format it again with a label of ASCII letters.",
                    code=OgErr.PARTITION,
                )
            os.pwrite(file.fileno(), new, place)
        os.fsync(file.fileno())
    look_again(device)


def _check_label(kind: Kind, label: str, *, cache: bool) -> None:
    if label.upper() == _CACHE_LABEL and not cache:
        raise FilesystemError(
            f"The label {label} is kept for the cache.",
            hint="Use another label, or make the cache with `og cache format`.",
            code=OgErr.FORMAT,
        )
    if not label.isprintable():
        raise FilesystemError(f"The label {label!r} cannot be printed.", code=OgErr.FORMAT)
    if (length := kind.label_in.length(label)) > kind.label_most:
        raise FilesystemError(
            f"The label {label!r} is too long for {kind.name}: "
            f"{length} {kind.label_in}, at most {kind.label_most}.",
            code=OgErr.FORMAT,
        )
    if wrong := sorted({one for one in label if one in kind.label_never}):
        raise FilesystemError(
            f"The label {label!r} has what no label of {kind.name} can have: {' '.join(wrong)}",
            code=OgErr.FORMAT,
        )
    if kind.label_never and label.startswith(" "):
        raise FilesystemError(
            f"The label {label!r} cannot be one of {kind.name}: it begins with a blank.",
            code=OgErr.FORMAT,
        )


def _uuid_argv(kind: Kind, uuid: str) -> Sequence[str]:
    if kind.mount_type == "vfat":
        return (kind.uuid_option, uuid.replace("-", ""))
    if kind.uuid_option.endswith("="):
        option, _, key = kind.uuid_option.partition(" ")
        return (option, key + uuid)
    return (kind.uuid_option, uuid)


def _refuse_size(kind: Kind, device: Path) -> None:
    with device.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
    if size < kind.least_bytes:
        relation, bound = "less", kind.least_bytes
    elif kind.most_bytes and size > kind.most_bytes:
        relation, bound = "more", kind.most_bytes
    else:
        return
    raise FilesystemError(
        f"{device} has {human_bytes(size)}, {relation} than {kind.name} can be "
        f"({human_bytes(bound)}).",
        code=OgErr.OUTOFLIMIT,
    )
