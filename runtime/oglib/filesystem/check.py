# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a filesystem with its own tool and lets it repair what is safely repaired.

A repair is believed when the tool, run once more, finds nothing. NTFS is checked only as far as
that is possible here: what is wrong inside it, Windows itself must repair.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import FilesystemError, OgErr
from oglib.filesystem.kind import Family, Kind, Trouble
from oglib.filesystem.mount import mounted
from oglib.filesystem.mounts import refuse_in_use
from oglib.filesystem.ntfs_repair import repair_bitmap, repair_mirror
from oglib.filesystem.ntfs_resize import QUIET
from oglib.filesystem.probe import row_on
from oglib.filesystem.state import state_of
from oglib.filesystem.structures.ntfs import Unreadable
from oglib.run import Finished, run

_XFS_LOG_NOT_EMPTY = 2
_ANSWERS = 16


@dataclass(frozen=True, slots=True)
class Checked:
    """A filesystem that is sound now; ``repaired`` when something had to be corrected."""

    kind: str
    repaired: bool
    said: str = ""


def check_filesystem(device: Path) -> Checked:
    """Check, and repair what is safely repaired; raises FilesystemError when it is not sound."""
    kind = row_on(device)
    if not kind.check:
        raise FilesystemError(f"{kind.name} on {device} cannot be checked: it has no checker.")
    refuse_in_use(device, "checked", code=OgErr.LOCKED)
    if kind.family is Family.NTFS:
        return _check_ntfs(kind, device)
    done = _run(kind, device)
    if kind.family is Family.XFS and done.status == _XFS_LOG_NOT_EMPTY:
        with mounted(device, write=True, kind=kind.mount_type):
            pass  # mounting replays the log; xfs_repair can only throw it away
        done = _run(kind, device)
    if done.status in kind.check_repaired:
        again = _run(kind, device)
        if again.status in kind.check_sound:
            return Checked(kind.name, repaired=True, said=f"{kind.check[0]} corrected errors")
        done = again
    if done.status not in kind.check_sound:
        raise _damaged(kind, device, done)
    return Checked(kind.name, repaired=False)


def _check_ntfs(kind: Kind, device: Path) -> Checked:
    """ntfsfix makes a volume usable and leaves the real check to Windows' next start."""
    troubles = {state.trouble: state for state in state_of(device)}
    if Trouble.HIBERNATED in troubles:
        state = troubles[Trouble.HIBERNATED]
        raise FilesystemError(f"{device} is not checked: {state.text}.", hint=state.remedy)
    looked = run(*kind.check, "--no-action", device, accept=range(256))
    if looked.status == 0 and not troubles:
        return Checked(kind.name, repaired=False)
    with suppress(Unreadable):  # then ntfsfix says what is wrong
        repair_mirror(device)
    done = _run(kind, device)
    if done.status != 0:
        raise _damaged(kind, device, done)
    if _miscounted(device):
        with suppress(Unreadable):
            repair_bitmap(device)
        if _miscounted(device):
            raise _damaged(kind, device, done)
    said = "the journal was emptied; Windows checks the volume at its next start"
    return Checked(kind.name, repaired=True, said=said)


def _miscounted(device: Path) -> bool:
    """Whether $Bitmap disagrees with the files, as an interrupted ntfsresize leaves it."""
    looked = run("ntfsresize", "--info", *QUIET, device, accept=range(256))
    return "cluster accounting mismatch" in looked.stdout + looked.stderr


def _run(kind: Kind, device: Path) -> Finished:
    # fsck.f2fs asks whether lost files shall be kept, whatever its options say
    return run(*kind.check, device, stdin="y\n" * _ANSWERS, accept=range(256))


def _damaged(kind: Kind, device: Path, done: Finished) -> FilesystemError:
    return FilesystemError(
        f"The {kind.name} filesystem on {device} is damaged: {kind.check[0]} ended with "
        f"status {done.status}: {' '.join((done.stdout + done.stderr).split())[-400:]}.",
        hint="Restore it again, or repair it by hand.",
    )
