# SPDX-License-Identifier: GPL-3.0-or-later
"""A filesystem with a UUID of its own, and the files of its system that name the old one.

For two copies of one image on one PC. The files are planned first; then the UUID is set, then they
are written. Where that is cut between both, `og os configure` finds the root that the files name
nowhere, and mends them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from oglib.boot.menu.judge import check_script
from oglib.deploy.partition.checks import check_free
from oglib.deploy.system.menu import MENUS
from oglib.deploy.system.named_elsewhere import check_unnamed, loaders_naming, word_of
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.errors import FilesystemError, OgErr, OgError
from oglib.filesystem.kind import Family
from oglib.filesystem.kinds import family_probed
from oglib.filesystem.probe import probe_filesystem
from oglib.fitting.edits import Edit, Files, content, words_of
from oglib.fitting.grub_places import ENVIRONMENTS
from oglib.osconfig.opened_system import NoFilesError, opened_system
from oglib.run import run

_LIMIT_S = 3600.0
_FILES = ("etc/fstab", "etc/default/grub", "etc/kernel/cmdline", "etc/crypttab",
          *ENVIRONMENTS)  # fmt: skip
_ENTRIES = "boot/loader/entries"
_MOST_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class NewUuid:
    """``files``: those in which it stands now; ``notes``: what names the old one still."""

    uuid: str
    files: tuple[str, ...]
    notes: tuple[str, ...]


def change_uuid(disk: Disk, part: Partition) -> NewUuid:
    """Give it a new one, and write that into the files of its own system.

    FILESYS for a kind whose UUID cannot be changed, and where another system mounts it by the old
    one; raises before the first write for all that can be known.
    """
    check_free(disk, part)
    with partition_device(disk, part) as device:
        info = probe_filesystem(device)
    new = str(uuid4())
    argv = _argv(info.kind, new)
    edits: tuple[Edit, ...] = ()
    notes: tuple[str, ...] = ()
    if info.uuid:
        check_unnamed(disk, part, info.uuid)
        edits = tuple(_planned(disk, part, info.uuid, new))
        notes = loaders_naming(disk, info.uuid)
    with partition_device(disk, part) as device:
        _set(argv, device, info.kind)
        now = probe_filesystem(device).uuid
    if now.lower() != new:
        raise FilesystemError(f"The UUID of {disk.called(part)} is {now} and not {new}.")
    if edits:
        with opened_system(disk, part, write=True) as system:
            for edit in edits:
                edit.write(system.root)
    return NewUuid(new, tuple(edit.path for edit in edits), notes)


def _argv(kind: str, uuid: str) -> tuple[str, ...]:
    """What sets it, before the device."""
    match family_probed(kind):
        case Family.EXT:
            return ("tune2fs", "-U", uuid)
        case Family.XFS:
            return ("xfs_admin", "-U", uuid)
        case Family.BTRFS:
            return ("btrfstune", "-f", "-M", uuid)
    raise FilesystemError(
        f"A {kind or 'partition without a filesystem'} cannot be given another UUID here.",
        hint="ext2 to ext4, xfs and btrfs can.",
    )


def _set(argv: tuple[str, ...], device: Path, kind: str) -> None:
    if family_probed(kind) is Family.EXT:
        # one that was not checked lately is refused a new UUID
        run("e2fsck", "-f", "-p", device, accept=(0, 1), timeout_s=_LIMIT_S)
    run(*argv, device, timeout_s=_LIMIT_S)


def _planned(disk: Disk, part: Partition, old: str, new: str) -> Iterator[Edit]:
    """The edits of the files that name the old one; none where there is no system."""
    word = word_of(old)
    try:
        with opened_system(disk, part) as system:
            for path in _paths(system.root):
                raw = content(system.root, path)
                made = word.sub(new.encode(), raw or b"")
                if raw is None or made == raw:
                    continue
                if path in MENUS:
                    check_script(words_of(made), path)
                yield Edit(path, raw, made)
    except NoFilesError:
        return


def _paths(root: Files) -> tuple[str, ...]:
    entries = [name for name in root.names(_ENTRIES) if name.endswith(".conf")]
    if len(entries) > _MOST_ENTRIES:
        raise OgError(
            f"{_ENTRIES} of {root.called} has {len(entries)} entries, more than any system.",
            code=OgErr.NOTOS,
        )
    return (*_FILES, *MENUS, *(f"{_ENTRIES}/{name}" for name in entries))
