# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel that a Linux starts by default, found in its files; reads only.

What its loader would read is read in the same order: GRUB's menu with its environment and the
entries of files, entries of files alone, GRUB legacy. Paths of a loader begin at the filesystem
that it reads, which may be a subvolume or a /boot of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from oglib.boot.default_entry import (
    Start,
    environment_of,
    of_bls,
    of_grub,
    of_loader_conf,
    of_menu_lst,
)
from oglib.errors import NotFoundError, OgErr, OgError
from oglib.fitting.edits import Files, content, words_of

# Under the root of a system, and at the top of a /boot of its own.
_TOPS = ("boot", "")
_MENUS = ("grub", "grub2", "grubPARTITION/boot/grub")
_LEGACY = ("grub/menu.lst", "grub/grub.conf")
_ENTRIES = "loader/entries"
_MOST_ENTRIES = 256
_MOST_OPTIONS = 2047  # of a kernel on x86 (COMMAND_LINE_SIZE), and it would cut them silently


@dataclass(frozen=True, slots=True)
class LinuxStart:
    """Paths inside the root; ``options`` is the kernel's command line as the entry has it."""

    title: str
    kernel: str
    initrds: tuple[str, ...]
    options: str


def find_start(root: Files, subvolume: str = "") -> LinuxStart:
    """The default start of the system on ``root``.

    ``subvolume``: where in a btrfs the root is. NOTFOUND where no loader's menu is there; NOTOS
    where its default starts no kernel that is there; OUTOFLIMIT for options no kernel can take.
    """
    start = _default(root)
    if start is None:
        raise OgError(
            f"The default entry of {root.called} starts no Linux kernel.",
            hint="Start it by its own menu, or say the kernel.",
            code=OgErr.NOTOS,
        )
    return located(root, start, subvolume)


def located(root: Files, start: Start, subvolume: str = "") -> LinuxStart:
    """The same with files of the root. NOTOS where one is not there."""
    files = [_file(root, name, subvolume) for name in (start.kernel, *start.initrds)]
    if len(start.options) > _MOST_OPTIONS:
        raise OgError(
            f"The command line of {start.kernel} has more than {_MOST_OPTIONS} characters.",
            code=OgErr.OUTOFLIMIT,
        )
    return LinuxStart(start.title, files[0], tuple(files[1:]), start.options)


def _default(root: Files) -> Start | None:
    seen = False
    for top in _TOPS:
        for menu in _MENUS:
            text = _text(root, f"{top}/{menu}/grub.cfg")
            if text is None:
                continue
            seen = True
            environment = environment_of(_text(root, f"{top}/{menu}/grubenv") or "")
            entries = of_bls(_entries(root, top), environment)
            if found := of_grub(text, environment, entries):
                return found
        if entries := of_bls(_entries(root, top), {}, _wanted(root, top)):
            return entries[0]
        for name in _LEGACY:
            text = _text(root, f"{top}/{name}")
            if text is not None:
                seen = True
                saved = _text(root, f"{top}/grub/default") or ""
                if found := of_menu_lst(text, saved.partition("\n")[0]):
                    return found
    if not seen:
        raise NotFoundError(
            f"{root.called} has no menu of a boot loader that is known (grub.cfg, "
            "loader/entries, menu.lst).",
            hint="If /boot is a partition of another disk, start the system by its firmware.",
        )
    return None


def _wanted(root: Files, top: str) -> str:
    return of_loader_conf(_text(root, f"{top}/loader/loader.conf") or "")


def _entries(root: Files, top: str) -> dict[str, str]:
    folder = f"{top}/{_ENTRIES}".strip("/")
    if not root.is_directory(folder):
        return {}
    names = sorted(name for name in root.names(folder) if name.endswith(".conf"))
    texts = {name: _text(root, f"{folder}/{name}") for name in names[:_MOST_ENTRIES]}
    return {name: text for name, text in texts.items() if text is not None}


def _text(root: Files, name: str) -> str | None:
    raw = content(root, name.strip("/"))
    return None if raw is None else words_of(raw)


def _file(root: Files, name: str, subvolume: str) -> str:
    """Where in the root a loader's path leads."""
    bare = str(PurePosixPath(name)).strip("/")
    inside = bare.removeprefix(f"{subvolume.strip('/')}/") if subvolume else bare
    for path in dict.fromkeys((inside, f"boot/{inside}", bare)):
        if path and root.exists(path) and not root.is_directory(path):
            return path
    raise OgError(
        f"{name or 'A kernel'}, which the default entry starts, is not on {root.called}.",
        hint="If /boot is a partition of another disk, start the system by its firmware.",
        code=OgErr.NOTOS,
    )
