# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that change the menu of a GRUB: ``DISK PARTITION`` say where that GRUB is.

The generic names (``ogBootLoader…``) stood behind those of GRUB, BURG and rEFInd and asked which of
them had called; called by themselves they are GRUB's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from oglib.boot.menu.edits import (
    Change,
    Changed,
    chained,
    entries_of,
    with_default,
    with_timeout,
    without,
)
from oglib.boot.menu.entries import oglive_of
from oglib.boot.menu.reader import Menu
from oglib.deploy.system.hiding import hiding_change
from oglib.deploy.system.menu import (
    apply_menu,
    names_of,
    plan_menu,
    show_menu,
)
from oglib.deploy.system.oglive_entry import STATUSES, oglive_change
from oglib.disk.lock import held
from oglib.disk.model import Disk, Partition
from oglib.disk.probe import list_disks
from oglib.errors import FilesystemError, NotFoundError, OgErr, PartitionError, UsageError
from oglib.shim.command import Answer, Command
from oglib.shim.disk_change import everything, unmounted
from oglib.shim.target import partition_of

_SECONDS = re.compile(r"[0-9]{1,10}")
_GENERIC = "ogBootLoader"


@contextmanager
def free_partition(words: Sequence[str]) -> Iterator[tuple[Disk, Partition]]:
    """The partition of the first two words, locked, with nothing mounted of its disk meanwhile.

    PARTITION where it holds no files.
    """
    disk, part = partition_of(*words[:2])
    try:
        with held(disk, part), unmounted(disk, everything):
            yield partition_of(*words[:2])
    except FilesystemError as error:
        if error.code is not OgErr.FILESYS:
            raise
        raise PartitionError(error.message, hint=error.hint) from error


def change_menu(words: Sequence[str], change: Change) -> None:
    """Plan and do it; raises before anything is written."""
    with free_partition(words) as (disk, part):
        plan = plan_menu(disk, part, lambda *_: change)
        apply_menu(plan)


def _said(name: str, does: str, words: Sequence[str]) -> str:
    """What the old function printed: its own help in the site's language, and its words."""
    text = os.environ.get(f"MSG_HELP_{name}") or f"{does[0].upper()}{does[1:]}"
    return f"{text.rstrip('.')}: {' '.join(words)}"


def _default(words: Sequence[str]) -> None:
    place = names_of(*partition_of(*words[2:4]))

    def change(menu: Menu) -> Changed:
        entries = entries_of(menu, place)
        if not entries:
            raise NotFoundError(f"The menu has no entry of partition {' '.join(words[2:4])}.")
        return with_default(menu, entries[0])

    change_menu(words, change)


def _oglive_default(words: Sequence[str]) -> None:
    change_menu(words, lambda menu: with_default(menu, oglive_of(menu)))


def _delete(words: Sequence[str]) -> None:
    place = names_of(*partition_of(*words[2:4]))
    change_menu(words, lambda menu: without(menu, entries_of(menu, place)))


def _hide(words: Sequence[str]) -> None:
    if len(words) == 3:
        raise UsageError("The partition for data has a disk and a number.")
    data = partition_of(*words[2:4]) if len(words) == 4 else None
    with free_partition(words) as (disk, part):
        show_menu(disk, part)
        change = hiding_change(list_disks(), data)
        apply_menu(plan_menu(disk, part, lambda *_: change))


def timeout_change(word: str) -> Change:
    if not _SECONDS.fullmatch(word):
        raise UsageError(f"The seconds must be a whole number, not {word!r}.")
    return lambda menu: with_timeout(menu, int(word))


def _add_oglive(words: Sequence[str]) -> None:
    rest = list(words[2:])
    seconds = rest.pop(0) if rest and rest[0].isdecimal() else ""
    status = rest.pop(0) if rest else ""
    if rest or (status and status not in STATUSES):
        raise UsageError(f"{' '.join(words[2:])!r} is no [TIMEOUT] [online|offline].")
    partition_of(*words[:2])
    changes = [oglive_change(status), lambda menu: with_default(menu, oglive_of(menu))]
    if seconds:
        changes.append(timeout_change(seconds))
    change_menu(words, chained(*changes))


def with_generics(commands: Sequence[Command]) -> Iterator[Command]:
    """Each with the generic name that stood behind it, where there was one."""
    for command in commands:
        yield command
        generic = command.name.replace("ogGrub", _GENERIC)
        if command.name not in _GRUB_ALONE:
            yield replace(
                command,
                name=generic,
                example=command.example.replace("ogGrub", _GENERIC),
                better=f"The same as {command.name}; the old one could not be called by itself.",
            )


def _telling(name: str, does: str, call: Callable[[Sequence[str]], None]) -> Callable[..., Answer]:
    def answering(words: Sequence[str]) -> str:
        call(words)
        return _said(name, does, words)

    return answering


STRUCTURE = (
    "The menu is changed by its structure and GRUB checks it before it is written; the old text "
    "stays beside it, and the system's next update-grub says the same."
)
_DEFAULT_DOES = "sets which entry starts by itself: the first of a partition"
_OGLIVE_DOES = "sets the entry of ogLive as the one that starts by itself"
_GRUB_ALONE = ("ogGrubAddOgLive", "ogGrubSecurity")
_GRUB = (
    Command(
        "ogGrubDefaultEntry",
        "DISK PARTITION DISK PARTITION",
        _DEFAULT_DOES,
        _telling("ogGrubDefaultEntry", _DEFAULT_DOES, _default),
        4,
        4,
        "ogGrubDefaultEntry 1 6 1 1",
        better=STRUCTURE,
    ),
    Command(
        "ogGrubOgliveDefaultEntry",
        "DISK PARTITION",
        _OGLIVE_DOES,
        _telling("ogGrubOgliveDefaultEntry", _OGLIVE_DOES, _oglive_default),
        2,
        2,
        "ogGrubOgliveDefaultEntry 1 6",
        better=STRUCTURE,
    ),
    Command(
        "ogGrubDeleteEntry",
        "DISK PARTITION DISK PARTITION",
        "takes the entries of a partition out of the menu",
        _delete,
        4,
        4,
        "ogGrubDeleteEntry 1 6 2 1",
        better=f"{STRUCTURE} A default that was a number follows its entry.",
    ),
    Command(
        "ogGrubHidePartitions",
        "DISK PARTITION [DISK PARTITION]",
        "hides the other Windows partitions from each Windows; the last two name one for data",
        _hide,
        2,
        4,
        "ogGrubHidePartitions 1 2 1 3",
        better=f"{STRUCTURE} In a gpt nothing can be hidden: that is said (NOMSDOS).",
    ),
    Command(
        "ogGrubAddOgLive",
        "DISK PARTITION [SECONDS] [online|offline]",
        "puts an entry for the ogLive of the cache in front, which starts by itself",
        _add_oglive,
        2,
        4,
        "ogGrubAddOgLive 1 6 15 offline",
        better=f"The cache is looked for by its UUID. A job of this boot is left out. {STRUCTURE}",
    ),
)

COMMANDS = {command.name: command for command in with_generics(_GRUB)}
