# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes filesystems smaller and lets them fill their device again.

Only the filesystem is changed, never the partition. Shrinking is checked first and ends in a
bounded number of steps; growing is safe to repeat and is also the way back after a shrink that
was interrupted (check first, then grow).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oglib.errors import FilesystemError, OgErr, ProcessError
from oglib.filesystem import ntfs_resize
from oglib.filesystem.check import check_filesystem
from oglib.filesystem.kind import Grow, Kind, Shrink
from oglib.filesystem.mount import mounted
from oglib.filesystem.mounts import refuse_in_use
from oglib.filesystem.probe import probe_filesystem, row_on
from oglib.filesystem.sizes import device_bytes, size_of
from oglib.run import run

_SECTOR = 4096  # what every filesystem's size is rounded to, so that any partition can end there
_REISERFS_STEP = 128 * 1024
_BTRFS_LEAST = 256 * 1024 * 1024  # the kernel takes no smaller one
_BTRFS_STEP = 64 * 1024 * 1024
_BTRFS_TRIES = 6


def grow_filesystem(device: Path) -> bool:
    """Let the filesystem fill its device; False where its kind cannot grow.

    Safe to repeat: one that fills its device already stays as it is. Errors are EXTENDFS.
    """
    kind = row_on(device)
    if kind.grow is Grow.NEVER:
        return False
    with _failing_as(OgErr.EXTENDFS, kind, device, "grown"):
        refuse_in_use(device, "grown")
        _grow(kind, device)
    return True


def shrink_filesystem(device: Path, size_bytes: int | None = None) -> int:
    """Make the filesystem as small as it can be, or ``size_bytes``; returns its new size.

    The size is never larger than before, nor smaller than the minimum. Errors are REDUCEFS.
    """
    kind = row_on(device)
    with _failing_as(OgErr.REDUCEFS, kind, device, "shrunk"):
        _refuse_kind(kind, device)
        refuse_in_use(device, "shrunk")
        if size_bytes is not None:
            size_bytes -= size_bytes % _SECTOR
            now = size_of(device)
            if size_bytes >= now:
                return now
        _shrink(kind, device, size_bytes)
        return size_of(device)


def minimum_size(device: Path) -> int:
    """How small the filesystem could be made, as its own tool estimates it. Writes nothing."""
    kind = row_on(device)
    with _failing_as(OgErr.REDUCEFS, kind, device, "measured"):
        _refuse_kind(kind, device)
        match kind.shrink:
            case Shrink.EXT:
                return _ext_minimum(device)
            case Shrink.NTFS:
                return ntfs_resize.minimum(device)
            case _:
                with mounted(device, kind=kind.mount_type) as point:
                    # the kernel's least size is for changing it; one may be smaller already
                    return min(_btrfs_minimum(point), size_of(device))


def _grow(kind: Kind, device: Path) -> None:
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
            ntfs_resize.resize(device)
        case Grow.F2FS:
            run("resize.f2fs", device)
        case Grow.JFS:
            with mounted(device, write=True, kind=kind.mount_type) as point:
                run("mount", "-o", "remount,resize", point)
        case Grow.NILFS2:
            with mounted(device, write=True, kind=kind.mount_type):
                run("nilfs-resize", "--assume-yes", device)
        case Grow.REISERFS:
            # it takes "nothing to be done" for an error
            if size_of(device) < device_bytes(device) - _REISERFS_STEP:
                run("resize_reiserfs", "-q", device)


def _shrink(kind: Kind, device: Path, size_bytes: int | None) -> None:
    match kind.shrink:
        case Shrink.EXT:
            check_filesystem(device)
            to = ("-M", device) if size_bytes is None else (device, f"{size_bytes // 1024}K")
            run("resize2fs", *to)
        case Shrink.NTFS:
            ntfs_resize.shrink(device, size_bytes)
        case Shrink.BTRFS:
            with mounted(device, write=True, kind=kind.mount_type) as point:
                now = size_of(device)
                _shrink_btrfs(point, size_bytes, now)


def _ext_minimum(device: Path) -> int:
    said = run("resize2fs", "-P", device)
    blocks = re.search(r"minimum size of the filesystem: (\d+)", said.stdout)
    info = probe_filesystem(device)
    if blocks is None or not info.block_bytes:
        raise FilesystemError(f"resize2fs does not tell a minimum: {said.stdout.strip()!r}.")
    return int(blocks[1]) * info.block_bytes


def _btrfs_minimum(point: Path) -> int:
    said = run("btrfs", "inspect-internal", "min-dev-size", point).stdout
    return max(_BTRFS_LEAST, int(said.split()[0]))


def _shrink_btrfs(point: Path, size_bytes: int | None, now: int) -> None:
    """To its minimum, or as near as it gets: that is known only by trying."""
    if size_bytes is not None:
        run("btrfs", "filesystem", "resize", str(size_bytes), point)
        return
    # the minimum counts whole chunks, also those that are nearly empty
    run("btrfs", "balance", "start", "-dusage=50", point)
    least = _btrfs_minimum(point)
    for extra in range(_BTRFS_TRIES):
        wanted = least + (2**extra - 1) * _BTRFS_STEP
        if wanted >= now:
            return
        done = run("btrfs", "filesystem", "resize", str(wanted), point, accept=range(256))
        if done.status == 0:
            return
    raise ProcessError(done.argv, done.status, done.stderr)


def _refuse_kind(kind: Kind, device: Path) -> None:
    if kind.shrink is Shrink.NEVER:
        raise FilesystemError(f"{device} holds {kind.name}, which cannot be made smaller.")


@contextmanager
def _failing_as(code: OgErr, kind: Kind, device: Path, done: str) -> Iterator[None]:
    """Errors of the tools under the number the caller is known by; a missing tool keeps its own."""
    try:
        yield
    except ProcessError as error:
        raise FilesystemError(
            f"The {kind.name} filesystem on {device} was not {done}: {error.message}",
            hint="Check it with `og fs check`, then try again.",
            code=code,
        ) from error
    except FilesystemError as error:
        if error.code is not OgErr.FILESYS:
            raise
        raise FilesystemError(error.message, hint=error.hint, code=code) from error
