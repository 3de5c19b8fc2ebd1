# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the GRUB of a system has its files, and what of its menu ogLive's own GRUB understands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from oglib.boot.static_menu import is_bls, without_static
from oglib.fitting.edits import Files, content, words_of
from oglib.fitting.grub_places import FOLDERS, LEGACY_MENUS

_MODULES = Path("/usr/lib/grub")
_READSLEGACY_MENUS = "legacy_configfile"
_OF_SUSE = re.compile(r"[ \t]*set btrfs_relative_path=")


def grub_folder(root: Files) -> str:
    """The folder of GRUB's files in the tree: the one that has a menu, else the one that is there.

    ``boot/grub`` where neither is. A link of that name is none.
    """
    there = [name for name in FOLDERS if root.is_directory(name)]
    with_menu = [name for name in there if root.exists(f"{name}/grub.cfg")]
    return next(iter((*with_menu, *there)), FOLDERS[0])


def menu_path(root: Files) -> str:
    """The file of GRUB's menu."""
    return f"{grub_folder(root)}/grub.cfg"


def legacy_menu(root: Files) -> str:
    """The menu of a system that only GRUB legacy started before; empty where it has another."""
    found = next((name for name in LEGACY_MENUS if root.is_regular(name)), "")
    if not found:
        return ""
    menu = words_of(content(root, menu_path(root)) or b"")
    return found if not menu or _READSLEGACY_MENUS in menu else ""


def is_of_legacy(name: str) -> bool:
    """Whether a file of the folder is a menu of GRUB legacy: no other GRUB writes to it."""
    return name.replace("/./", "/") in LEGACY_MENUS


@contextmanager
def boot_directory(root: Files) -> Iterator[Path]:
    """What grub-install is told, which puts its files into a folder called ``grub`` in there.

    It asks the kernel where that really is, so a name of ours may lead to the system's folder.
    """
    folder = root.path / grub_folder(root)
    if folder.name == "grub":
        yield folder.parent
        return
    with TemporaryDirectory(prefix="og-grub-") as made:
        (Path(made) / "grub").symlink_to(folder)
        yield Path(made)


def lacks_bls(target: str) -> bool:
    """Whether ogLive's GRUB has no command that reads boot entries. ``target``: which of GRUB's."""
    return not (_MODULES / target / "blscfg.mod").is_file()


def not_understood(root: Files, target: str, subvolume: str, *, static: bool | None = None) -> str:
    """Why ogLive's GRUB would show an empty menu, or find no kernel; empty where it would not.

    ``target``: which of GRUB's; ``subvolume``: where the system lies in its btrfs; ``static``:
    whether boot entries will stand in the menu for it, None where it stays as it is.
    """
    text = words_of(content(root, menu_path(root)) or b"")
    reads = is_bls(text if static is None else without_static(text))
    if reads and not static and lacks_bls(target):
        return (
            "its menu is made of boot/loader/entries by a command (blscfg) that only the GRUB of "
            "its distribution has: what starts it was left as it was"
        )
    if subvolume and any(map(_OF_SUSE.match, text.split("\n"))):
        return (
            "its menu names kernels inside the default subvolume of its btrfs, which only the GRUB "
            "of openSUSE looks into: what starts it was left as it was"
        )
    return ""
