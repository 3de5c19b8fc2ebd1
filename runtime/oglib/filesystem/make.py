# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes filesystems and swap with their own tools, and looks whether that is what is there now.

Every call names one block device (or image file). Refuses what is in use; wipes the signatures
of what was there before, so that nobody finds two.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from oglib.errors import FilesystemError, OgErr, ProcessError
from oglib.filesystem.kind import Family, Kind, LabelIn
from oglib.filesystem.kinds import kind_of
from oglib.filesystem.mounts import refuse_in_use
from oglib.filesystem.probe import FilesystemInfo, probe_filesystem
from oglib.kernel.udev import look_again
from oglib.run import need, run
from oglib.wording.amounts import human_bytes

_CACHE_LABEL = "CACHE"


def format_filesystem(
    device: Path, kind_name: str, *, label: str = "", uuid: str = "", cache: bool = False
) -> FilesystemInfo:
    """Make a fresh filesystem (or swap) and return what is then found on ``device``.

    ``uuid`` as blkid prints it; of FAT the volume number ``1234-ABCD``. ``cache`` allows the
    label by which the cache is known.
    """
    kind = kind_of(kind_name)
    argv = check_format(device, kind_name, label=label, uuid=uuid, cache=cache)
    make_with(argv, device, kind.name)
    made = probe_filesystem(device)
    if made.name != kind.name:
        raise FilesystemError(
            f"{device} was formatted as {kind.name}, but {made.name or 'nothing'} is found on it.",
            code=OgErr.PARTITION,
        )
    return made


def check_format(
    device: Path, kind_name: str, *, label: str = "", uuid: str = "", cache: bool = False
) -> list[str]:
    """The command that ``format_filesystem`` will run; raises where it would refuse to."""
    kind = kind_of(kind_name)
    argv = make_argv(kind, device, label=label, uuid=uuid, cache=cache)
    need(argv[0])
    refuse_in_use(device, "formatted", code=OgErr.DONTFORMAT)
    _refuse_size(kind, device)
    return argv


def check_makeable(kind_name: str, size_bytes: int) -> None:
    """Raise unless ``format_filesystem`` can make this kind on that many bytes, here."""
    kind = kind_of(kind_name)
    need(make_argv(kind, Path())[0])
    _check_size(kind, size_bytes, f"A partition of {human_bytes(size_bytes)}")


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
        argv += [kind.label_option, label.upper() if kind.upper_label else label]
    if uuid:
        if not kind.uuid_option:
            raise FilesystemError(f"The UUID of {kind.name} cannot be chosen.", code=OgErr.FORMAT)
        argv += _uuid_argv(kind, uuid)
    return [*argv, str(device)]


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
    if kind.label_in is LabelIn.ASCII and not label.isascii():
        raise FilesystemError(
            f"The label {label!r} cannot be one of {kind.name}: its own tools refuse letters other "
            "than ASCII, and its checker takes such a label off again.",
            hint="Write it without accents; or use exfat, which takes them.",
            code=OgErr.FORMAT,
        )
    if kind.label_never and label.startswith(" "):
        raise FilesystemError(
            f"The label {label!r} cannot be one of {kind.name}: it begins with a blank.",
            code=OgErr.FORMAT,
        )


def _uuid_argv(kind: Kind, uuid: str) -> Sequence[str]:
    if kind.family is Family.FAT:
        return (kind.uuid_option, uuid.replace("-", ""))
    if kind.uuid_option.endswith("="):
        option, _, key = kind.uuid_option.partition(" ")
        return (option, key + uuid)
    return (kind.uuid_option, uuid)


def _refuse_size(kind: Kind, device: Path) -> None:
    with device.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
    _check_size(kind, size, f"{device} has {human_bytes(size)}, which")


def _check_size(kind: Kind, size_bytes: int, what: str) -> None:
    if size_bytes < kind.least_bytes:
        relation, bound = "less", kind.least_bytes
    elif kind.most_bytes and size_bytes > kind.most_bytes:
        relation, bound = "more", kind.most_bytes
    else:
        return
    raise FilesystemError(
        f"{what} is {relation} than {kind.name} can be ({human_bytes(bound)}).",
        code=OgErr.OUTOFLIMIT,
    )
