# SPDX-License-Identifier: GPL-3.0-or-later
"""The menu entry that starts ogLive from the cache of this PC, as it was started now."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oglib.boot.menu.edits import Change
from oglib.boot.menu.entries import with_oglive
from oglib.cache.find import CachePartition, require_cache
from oglib.disk.loop import partition_device
from oglib.disk.probe import list_disks
from oglib.errors import NotFoundError, UsageError
from oglib.filesystem.mount import mounted
from oglib.filesystem.mounts import mountpoints_of
from oglib.filesystem.probe import probe_filesystem
from oglib.settings import CMDLINE

STATUSES = ("online", "offline")
_FILES = ("ogvmlinuz", "oginitrd.img")
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_USUAL_FOLDER = "ogLive"
_FOLDER_WORD = "oglivedir="
# Of this boot alone: who loaded it, what it shall do, and what only an administrator gets.
_OF_THIS_BOOT = ("BOOT_IMAGE=", "initrd=", "ogjob=", "ogafter=", "ogactiveadmin=", "ogstatus=")


def oglive_change(status: str = "", *, cmdline: Path = CMDLINE) -> Change:
    """The change that puts the entry into a menu; ``status``: what it is told (``offline``).

    NOTCACHE without a cache, NOTFOUND where no ogLive lies in it.
    """
    if status and status not in STATUSES:
        raise UsageError(f"{status!r} is neither online nor offline.")
    found = oglive_in_cache(status, cmdline=cmdline)
    return lambda menu: with_oglive(menu, found.uuid, f"/{found.folder}", found.parameters)


@dataclass(frozen=True, slots=True)
class OgliveInCache:
    """Where an ogLive lies: ``folder`` below the cache's top, and how it is to be started."""

    uuid: str
    partuuid: str
    folder: str
    parameters: tuple[str, ...]


def oglive_in_cache(status: str = "", *, cmdline: Path = CMDLINE) -> OgliveInCache:
    """The ogLive of the cache. NOTCACHE without a cache, NOTFOUND where none lies in it."""
    words = cmdline.read_text(encoding="utf-8", errors="replace").split()
    folder = _folder(words)
    cache = require_cache(list_disks())
    uuid = _uuid_of(cache, folder)
    parameters = parameters_of(words, status)
    return OgliveInCache(uuid, cache.part.partuuid, f"boot/{folder}", parameters)


def parameters_of(words: Sequence[str], status: str) -> tuple[str, ...]:
    """The kernel's command line for an ogLive that a person starts from the cache."""
    kept = [word for word in words if not word.startswith(_OF_THIS_BOOT)]
    if status:
        kept = ["ogprotocol=local" if w.startswith("ogprotocol=") else w for w in kept]
        kept.append(f"ogstatus={status}")
    return tuple(kept)


def _folder(words: Sequence[str]) -> str:
    said = [word.removeprefix(_FOLDER_WORD) for word in words if word.startswith(_FOLDER_WORD)]
    folder = said[-1] if said else _USUAL_FOLDER
    if not _FOLDER.fullmatch(folder):
        raise UsageError(f"This boot was told {_FOLDER_WORD}{folder}, which names no folder.")
    return folder


def _uuid_of(cache: CachePartition, folder: str) -> str:
    """The UUID of the cache, which holds an ogLive in this folder."""
    with partition_device(cache.disk, cache.part) as device:
        info = probe_filesystem(device)
        points = mountpoints_of(device)
        if points:
            _check_files(points[0], folder)
        else:
            with mounted(device, kind=info.kind) as point:
                _check_files(point, folder)
    return info.uuid


def _check_files(point: Path, folder: str) -> None:
    missing = [name for name in _FILES if not (point / "boot" / folder / name).is_file()]
    if missing:
        raise NotFoundError(
            f"The cache has no boot/{folder}/{missing[0]}, so ogLive cannot be started from it.",
            hint="Put ogvmlinuz and oginitrd.img of ogLive there.",
        )
