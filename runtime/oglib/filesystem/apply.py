# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes, checks and grows filesystems with their own tools.

Every call names one block device (or image file), which the tools themselves refuse while it
is mounted. Nothing is guessed: a filesystem that cannot do a thing raises FilesystemError.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oglib.errors import FilesystemError, OgErr
from oglib.filesystem.kinds import Grow, Kind, kind_of
from oglib.filesystem.mount import mounted
from oglib.filesystem.probe import FilesystemInfo, probe_filesystem
from oglib.run import run


def format_filesystem(
    device: Path, kind_name: str, *, label: str = "", uuid: str = ""
) -> FilesystemInfo:
    """Make a fresh filesystem (or swap) and return what is then found on ``device``.

    ``uuid`` as blkid prints it; of FAT the volume number ``1234-ABCD``.
    """
    kind = kind_of(kind_name)
    _refuse_mounted(device)
    run(*make_argv(kind, device, label=label, uuid=uuid))
    made = probe_filesystem(device)
    if not made.kind:
        raise FilesystemError(f"{device} was formatted as {kind.name}, but nothing is found on it.")
    return made


def make_swap(device: Path, *, label: str = "", uuid: str = "") -> FilesystemInfo:
    """Prepare swap space; its UUID is what fstab will name."""
    return format_filesystem(device, "swap", label=label, uuid=uuid)


def make_argv(kind: Kind, device: Path, *, label: str = "", uuid: str = "") -> list[str]:
    """The command that makes this filesystem; pure. Refuses a label that is too long."""
    argv = list(kind.make)
    if label:
        if len(label.encode()) > kind.label_bytes:
            raise FilesystemError(
                f"The label {label!r} is too long for {kind.name}: "
                f"{len(label.encode())} bytes, at most {kind.label_bytes}."
            )
        argv += [kind.label_option, label.upper() if kind.upper_label else label]
    if uuid:
        if not kind.uuid_option:
            raise FilesystemError(f"The UUID of {kind.name} cannot be chosen.")
        argv += _uuid_argv(kind, uuid)
    return [*argv, str(device)]


def _uuid_argv(kind: Kind, uuid: str) -> Sequence[str]:
    if kind.mount_type == "vfat":
        return (kind.uuid_option, uuid.replace("-", ""))
    if kind.uuid_option.endswith("="):
        option, _, key = kind.uuid_option.partition(" ")
        return (option, key + uuid)
    return (kind.uuid_option, uuid)


def check_filesystem(device: Path) -> None:
    """Check, and repair what is safely repaired; raises FilesystemError when it is not sound."""
    kind = _found(device)
    if not kind.check:
        raise FilesystemError(f"{kind.name} on {device} cannot be checked.")
    done = run(*kind.check, device, accept=range(256))
    if done.status not in kind.check_accept:
        raise FilesystemError(
            f"The {kind.name} filesystem on {device} is damaged: {kind.check[0]} ended with "
            f"status {done.status}: {' '.join((done.stdout + done.stderr).split())[-400:]}.",
            hint="Restore it again, or repair it by hand.",
        )


def grow_filesystem(device: Path) -> bool:
    """Let the filesystem fill its device; False where its kind cannot grow.

    Safe to repeat: one that fills its device already stays as it is.
    """
    kind = _found(device)
    try:
        match kind.grow:
            case Grow.EXT:
                check_filesystem(device)  # resize2fs insists on a filesystem checked just now
                run("resize2fs", device)
            case Grow.XFS:
                with mounted(device, write=True, kind=kind.mount_type) as point:
                    run("xfs_growfs", "-d", point)
            case Grow.BTRFS:
                with mounted(device, write=True, kind=kind.mount_type) as point:
                    run("btrfs", "filesystem", "resize", "max", point)
            case Grow.NTFS:
                run("ntfsresize", "--force", "--force", device, stdin="y\n")
            case Grow.F2FS:
                run("resize.f2fs", device)
            case Grow.NEVER:
                return False
    except FilesystemError as error:
        raise FilesystemError(error.message, hint=error.hint, code=OgErr.EXTENDFS) from error
    return True


def _found(device: Path) -> Kind:
    info = probe_filesystem(device)
    if not info.kind:
        raise FilesystemError(f"There is no filesystem on {device}.")
    return kind_of(info.kind)


def _refuse_mounted(device: Path) -> None:
    if run("findmnt", "--noheadings", "--source", device.resolve(), accept=(0, 1)).stdout:
        raise FilesystemError(
            f"{device} is mounted, so it is not formatted.",
            hint="Unmount it first.",
            code=OgErr.LOCKED,
        )
