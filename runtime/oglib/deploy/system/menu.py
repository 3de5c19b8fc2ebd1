# SPDX-License-Identifier: GPL-3.0-or-later
"""The menu of the GRUB of a system: shown, and changed as a plan that is checked before it is done.

A system has one menu that starts it, the first of ``MENUS`` that is there: that of the old engine's
GRUB in the MBR, else its own. The old text is kept beside the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from oglib.boot.facts import part_label
from oglib.boot.menu.defaults import LOCK_MODE, LOCK_PATH, lock_script, with_variables
from oglib.boot.menu.edits import Change, PartitionNames, check_theme, with_theme
from oglib.boot.menu.judge import check_script, check_shell
from oglib.boot.menu.lock import holds_password, with_lock, without_lock
from oglib.boot.menu.reader import Menu, read_menu
from oglib.deploy.partition.checks import check_unused
from oglib.disk.loop import partition_device
from oglib.disk.model import Disk, Partition
from oglib.errors import NotFoundError, OgErr, OgError
from oglib.filesystem.probe import probe_filesystem
from oglib.fitting.edits import Edit, Files, bytes_of, content, words_of
from oglib.fitting.grub_places import MENUS as OWN_MENUS
from oglib.osconfig.opened_system import opened_system

# where the old engine put the menus of its own installations, and where systems have theirs
OF_MBR = "boot/grubMBR/boot/grub/grub.cfg"
OF_PARTITION = "boot/grubPARTITION/boot/grub/grub.cfg"
MENUS = (OF_MBR, *OWN_MENUS, OF_PARTITION)
_DEFAULTS = "etc/default/grub"
_KEPT = ".og-old"


@dataclass(frozen=True, slots=True)
class Shown:
    """A menu and the path of its file in the system."""

    path: str
    menu: Menu


@dataclass(frozen=True, slots=True)
class MenuPlan:
    """What a change of a menu will write, checked by GRUB itself; ``summary``: in words."""

    disk: Disk
    part: Partition
    edits: tuple[Edit, ...]
    summary: str

    @property
    def diff(self) -> bytes:
        """All of it as a unified diff, without the copy of what was."""
        return b"".join(edit.diff for edit in self.edits if not edit.path.endswith(_KEPT))


# What a change needs of the system's files beside its menu.
ChangeMaker = Callable[[Files, Shown], Change]


def show_menu(disk: Disk, part: Partition) -> Shown:
    """The menu that starts the system; reads only. NOTFOUND where it has no GRUB."""
    with opened_system(disk, part) as system:
        return _menus(system.files)[0]


def plan_menu(disk: Disk, part: Partition, wanted: ChangeMaker, *, every: bool = False) -> MenuPlan:
    """What ``wanted`` makes of the menu, or of every menu of the system; reads only.

    Raises where there is none, and where GRUB would not understand what comes out.
    """
    _check_writable(disk, part)
    with opened_system(disk, part) as system:
        root = system.files
        shown = _menus(root)
        edits: list[Edit] = []
        summary = ""
        for one in shown if every else shown[:1]:
            changed = wanted(root, one)(one.menu)
            summary = changed.summary
            edits += _of_menu(root, one, changed.text)
            if one.path in OWN_MENUS and changed.defaults:
                edits += _defaults(root, changed.defaults)
    return MenuPlan(disk, part, tuple(edit for edit in edits if edit.old != edit.new), summary)


def plan_lock(disk: Disk, part: Partition, user: str, digest: str) -> MenuPlan:
    """Only ``user`` edits entries, in every menu and after the next update-grub.

    Without ``user`` everybody does.
    """
    change = (lambda menu: with_lock(menu, user, digest)) if user else without_lock
    plan = plan_menu(disk, part, lambda _root, _shown: change, every=True)
    with opened_system(disk, part) as system:
        root = system.files
        old = content(root, LOCK_PATH)
        new = bytes_of(lock_script(user, digest)) if user else None
        edit = Edit(LOCK_PATH, old, new, LOCK_MODE, closed=True)
        wanted = root.exists("etc/grub.d") and edit.old != edit.new
    return MenuPlan(disk, part, (*plan.edits, *((edit,) if wanted else ())), plan.summary)


def theme_of(root: Files, shown: Shown, name: str) -> Change:
    """The change that sets a theme which is in ``themes`` beside the menu; NOTFOUND else."""
    check_theme(name)
    folder = shown.path.rpartition("/")[0]
    file = f"{folder}/themes/{name}/theme.txt"
    if not root.is_regular(file):
        raise NotFoundError(
            f"{root.called} has no {file}, so there is no theme {name!r}.",
            hint=f"Put the theme into {folder}/themes in the model PC.",
        )
    return lambda menu: with_theme(menu, name, f"/{file}")


def apply_menu(plan: MenuPlan) -> None:
    """Write it: each file whole or not at all, the copy of the old text before the new one."""
    if not plan.edits:
        return
    with opened_system(plan.disk, plan.part, write=True) as system:
        for edit in plan.edits:
            edit.write(system.files)


def names_of(disk: Disk, part: Partition) -> PartitionNames:
    """A partition in the words by which menus name one."""
    with partition_device(disk, part) as device:
        uuid = probe_filesystem(device).uuid
    return PartitionNames(str(part.path or ""), uuid, part_label(disk.number, part.number))


def _menus(root: Files) -> list[Shown]:
    found = []
    for path in MENUS:
        raw = content(root, path)
        if raw is not None:
            found.append(Shown(path, read_menu(words_of(raw), path)))
    if not found:
        raise NotFoundError(
            f"{root.called} has no menu of GRUB: {OWN_MENUS[0]} is not there.",
            hint="Run update-grub in the system, or `og boot install`.",
        )
    return found


def menu_in(root: Files, path: str) -> Menu:
    """The menu in one file of a system; NOTFOUND where there is none."""
    raw = content(root, path)
    if raw is None:
        raise NotFoundError(f"it has no {path}")
    return read_menu(words_of(raw), path)


def _of_menu(root: Files, shown: Shown, text: str) -> Iterator[Edit]:
    """The new text, which GRUB judges here, and the copy of the old one."""
    if text == shown.menu.text:
        return
    read_menu(text, shown.path)
    check_script(text, shown.path)
    old = content(root, shown.path)
    kept = shown.path + _KEPT
    closed = holds_password(shown.menu.text)
    yield Edit(kept, content(root, kept), old, 0o600, closed=closed)
    # as grub-mkconfig, which leaves one with a digest to root alone
    yield Edit(shown.path, old, bytes_of(text), closed=holds_password(text))


def _defaults(root: Files, variables: tuple[tuple[str, str], ...]) -> Iterator[Edit]:
    raw = content(root, _DEFAULTS)
    if raw is None:
        return
    text = with_variables(words_of(raw), variables)
    if bytes_of(text) != raw:
        check_shell(text, _DEFAULTS)
        yield Edit(_DEFAULTS, raw, bytes_of(text))


def _check_writable(disk: Disk, part: Partition) -> None:
    check_unused(disk, part)
    if disk.read_only:
        raise OgError(f"{disk.describe()} is read-only.", code=OgErr.NOTWRITE)
