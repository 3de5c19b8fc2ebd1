# SPDX-License-Identifier: GPL-3.0-or-later
"""``og boot menu|default|timeout|resolution|theme|lock|unlock|forget|oglive|install``: GRUB."""

from __future__ import annotations

import argparse
import stat
import sys
from collections.abc import Callable
from getpass import getpass
from pathlib import Path

from oglib.boot.menu.edits import (
    Changed,
    entries_of,
    entry_named,
    with_default,
    with_resolution,
    with_timeout,
    without,
)
from oglib.boot.menu.lock import digest_of
from oglib.boot.menu.reader import Entry, Menu
from oglib.cli.arguments import Subparsers, add_disk, add_partition, verb
from oglib.cli.context import Context, Handler, Result
from oglib.deploy.system.loader import LoaderRequest, put_loader
from oglib.deploy.system.menu import (
    MenuPlan,
    apply_menu,
    names_of,
    plan_lock,
    plan_menu,
    show_menu,
    theme_of,
)
from oglib.deploy.system.oglive_entry import STATUSES, oglive_change
from oglib.disk.find import find_disk, find_partition
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.lock import held
from oglib.disk.model import Disk, Partition
from oglib.errors import NotFoundError, OgErr, OgError
from oglib.fitting.edits import shown
from oglib.texts import read_whole
from oglib.views.output import table

_PASSWORD_BYTES = 1024


def add_to(verbs: Subparsers) -> None:
    """These verbs, to the noun ``boot``."""
    _on(verbs, "menu", _menu, "the entries of the GRUB menu of a system", dry=False)
    default = _on(verbs, "default", _default, "which entry of the menu starts by itself")
    default.add_argument("entry", metavar="ENTRY", help="number, id or title, as `menu` shows them")
    timeout = _on(verbs, "timeout", _timeout, "how long the menu waits")
    timeout.add_argument("seconds", metavar="SECONDS", type=int, help="0: it does not wait")
    style = timeout.add_mutually_exclusive_group()
    style.add_argument("--hidden", action="store_true", help="a key shows the menu meanwhile")
    style.add_argument("--shown", action="store_true", help="the menu is on the screen meanwhile")
    resolution = _on(verbs, "resolution", _resolution, "the screen's size in the menu")
    resolution.add_argument("resolution", metavar="WIDTHxHEIGHT", help="1024x768, or auto")
    theme = _on(verbs, "theme", _theme, "the look of the menu")
    theme.add_argument("theme", metavar="NAME", help="of a folder in themes beside the menu")
    lock = _on(verbs, "lock", _lock, "let only one user edit entries; all may start them")
    lock.add_argument("--user", default="root", help="default: root")
    lock.add_argument(
        "--password-file", type=Path, metavar="FILE", help="mode 0600; default: standard input"
    )
    lock.add_argument("--nobody", action="store_true", help="no password: nobody edits entries")
    _on(verbs, "unlock", _unlock, "let everybody edit entries")
    forget = _on(verbs, "forget", _forget, "take the entries of another partition out of the menu")
    forget.add_argument("--disk", dest="of_disk", required=True, metavar="DISK", help="its disk")
    forget.add_argument("--part", dest="of_part", required=True, metavar="PART", help="its number")
    install = _on(verbs, "install", _install, "put GRUB where the firmware starts it", dry=False)
    install.add_argument(
        "--menu",
        choices=("own", "all"),
        default="own",
        help="the system's own menu, or a new one of all systems; default: own",
    )
    install.add_argument("--onto", default="", metavar="DISK", help="whose MBR; default: its own")
    oglive = _on(verbs, "oglive", _oglive, "put an entry for the ogLive of the cache in front")
    oglive.add_argument("--status", choices=STATUSES, default="", help="what it is told of itself")


def _on(
    verbs: Subparsers, name: str, handler: Handler, text: str, *, dry: bool = True
) -> argparse.ArgumentParser:
    made = verb(verbs, name, handler, text)
    add_disk(made)
    add_partition(made)
    if dry:
        made.add_argument("--dry-run", action="store_true", help="print what changes, and stop")
    return made


def _system(context: Context) -> tuple[Disk, Partition]:
    disk = context.disk()
    return disk, find_partition(disk, context.args.part)


def _menu(context: Context) -> Result:
    found = show_menu(*_system(context))
    # where nothing is set, GRUB starts the first
    default = found.menu.setting("default") or ("" if found.menu.settings("default") else "0")
    ids = {one.path: one.id for one in found.menu.all_entries}

    def way(one: Entry) -> str:
        return ">".join(ids[one.path[:depth]] for depth in range(1, len(one.path) + 1))

    rows = [
        {"number": one.number, "title": one.title, "id": one.id, "submenu": one.is_submenu,
         "default": bool(default) and default in (one.number, one.id, one.title, way(one))}
        for one in found.menu.all_entries
    ]  # fmt: skip
    data = {
        "file": found.path,
        "default": default,
        "timeout": found.menu.setting("timeout"),
        "entries": rows,
    }
    if not rows:
        return Result(data, f"{found.path} has no entries of its own")
    lines = [(f"{'*' if r['default'] else ' '} {r['number']}", r["title"], r["id"]) for r in rows]
    return Result(data, table([tuple(map(str, line)) for line in lines]))


def _changed(context: Context, plan: Callable[[Disk, Partition], MenuPlan]) -> Result:
    """Plan it with the partition locked, and do it unless this is a dry run."""
    disk, part = _system(context)
    with held(disk, part):
        made = plan(disk, part)
        if not context.args.dry_run:
            apply_menu(made)
    text = made.summary if made.edits else f"already so: {made.summary}"
    diff = made.diff if context.args.dry_run else b""
    data = {"told": made.summary, "files": [edit.path for edit in made.edits], "diff": shown(diff)}
    return Result(data, text, diff=diff)


def _one_menu(context: Context, change: Callable[[Menu], Changed]) -> Result:
    return _changed(context, lambda disk, part: plan_menu(disk, part, lambda *_: change))


def _default(context: Context) -> Result:
    name = context.args.entry
    return _one_menu(context, lambda menu: with_default(menu, entry_named(menu, name)))


def _timeout(context: Context) -> Result:
    args = context.args
    hidden = args.hidden if args.hidden or args.shown else None
    return _one_menu(context, lambda menu: with_timeout(menu, args.seconds, hidden=hidden))


def _resolution(context: Context) -> Result:
    return _one_menu(context, lambda menu: with_resolution(menu, context.args.resolution))


def _theme(context: Context) -> Result:
    def plan(disk: Disk, part: Partition) -> MenuPlan:
        return plan_menu(disk, part, lambda root, one: theme_of(root, one, context.args.theme))

    return _changed(context, plan)


def _lock(context: Context) -> Result:
    args = context.args
    digest = "" if args.nobody else digest_of(_password(args.password_file))
    return _changed(context, lambda disk, part: plan_lock(disk, part, args.user, digest))


def _unlock(context: Context) -> Result:
    return _changed(context, lambda disk, part: plan_lock(disk, part, "", ""))


def _forget(context: Context) -> Result:
    args = context.args
    disk = find_disk(args.of_disk, rules=context.settings.disk_rules)
    place = names_of(disk, find_partition(disk, args.of_part))
    return _one_menu(context, lambda menu: without(menu, entries_of(menu, place)))


def _oglive(context: Context) -> Result:
    return _one_menu(context, oglive_change(context.args.status))


def _install(context: Context) -> Result:
    args = context.args
    disk, part = _system(context)
    onto = find_disk(args.onto, rules=context.settings.disk_rules) if args.onto else disk
    wanted = LoaderRequest(disk, part, running_firmware(), onto, args.menu == "all")
    with held(disk, part):
        notes = put_loader(wanted)
    for note in notes:
        context.warn(note)
    where = wanted.folder if wanted.firmware is Firmware.UEFI else f"the MBR of {onto.describe()}"
    return Result({"where": where, "left_out": list(notes)}, f"GRUB is in {where}")


def _password(file: Path | None) -> str:
    """One line, from a file that nobody else may read, or from standard input."""
    if file is None:
        if sys.stdin.isatty():
            return getpass("Password for GRUB: ")
        return sys.stdin.readline(_PASSWORD_BYTES).rstrip("\n")
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise OgError(
                f"{file} can be read by others, so it is no place for a password.",
                hint=f"chmod 600 {file}",
                code=OgErr.NOTWRITE,
            )
        return read_whole(file, _PASSWORD_BYTES).decode("utf-8", "strict").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(f"{file} cannot be read: {error}.") from error
