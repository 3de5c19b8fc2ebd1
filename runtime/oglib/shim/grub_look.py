# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands about the look of a GRUB's menu: time, size, theme, and who may edit its entries."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from oglib.boot.menu.edits import with_resolution
from oglib.boot.menu.lock import digest_of
from oglib.deploy.system.menu import apply_menu, plan_lock, plan_menu, theme_of
from oglib.errors import UsageError
from oglib.shim.command import Command
from oglib.shim.grub_menu import (
    STRUCTURE,
    change_menu,
    free_partition,
    timeout_change,
    with_generics,
)
from oglib.shim.target import warn

_USUAL_RESOLUTION = "1024x768"
_RESOLUTION = re.compile(r"[0-9]{3,4}x[0-9]{3,4}")
# What the kernel's vga= meant, and the size of such a screen.
_OF_VGA = {
    **dict.fromkeys(("788", "789", "814"), "800x600"),
    **dict.fromkeys(("791", "792", "824"), "1024x768"),
    "355": "1152x864",
    **dict.fromkeys(("794", "795", "829"), "1280x1024"),
}
_USUAL_USER = "root"


def _timeout(words: Sequence[str]) -> None:
    change_menu(words, timeout_change(words[2]))


def _resolution(words: Sequence[str]) -> None:
    wanted = words[2] if len(words) == 3 else _boot_resolution()
    change_menu(words, lambda menu: with_resolution(menu, wanted))


def _boot_resolution() -> str:
    """That of this boot's ``vga`` or ``video``."""
    said = os.environ.get("video", "").rpartition(":")[2].partition("-")[0]  # noqa: SIM112
    said = _OF_VGA.get(os.environ.get("vga", ""), said)  # noqa: SIM112
    return said if _RESOLUTION.fullmatch(said) else _USUAL_RESOLUTION


def _theme(words: Sequence[str]) -> None:
    with free_partition(words) as (disk, part):
        apply_menu(plan_menu(disk, part, lambda root, shown: theme_of(root, shown, words[2])))


def _admin_keys(words: Sequence[str]) -> None:
    wish = words[2].upper()
    if wish not in ("TRUE", "FALSE"):
        raise UsageError(f"{words[2]!r} is neither TRUE nor FALSE.")
    _lock(words, "" if wish == "TRUE" else _USUAL_USER, "")


def _security(words: Sequence[str]) -> None:
    digest = ""
    if len(words) == 4 and words[3]:
        warn("a password among arguments is seen by every program; `og boot lock` reads a file")
        digest = digest_of(words[3])
    _lock(words, words[2] if len(words) > 2 else _USUAL_USER, digest)


def _lock(words: Sequence[str], user: str, digest: str) -> None:
    with free_partition(words) as (disk, part):
        apply_menu(plan_lock(disk, part, user, digest))


_GRUB = (
    Command(
        "ogGrubSetTimeOut",
        "DISK PARTITION SECONDS",
        "sets how long the menu waits",
        _timeout,
        3,
        3,
        "ogGrubSetTimeOut 1 4 50",
        better=f"{STRUCTURE} More than an hour is OUTOFLIMIT.",
    ),
    Command(
        "ogGrubSetResolution",
        "DISK PARTITION [WIDTHxHEIGHT]",
        "sets the screen's size in the menu; without one that of vga or video, else 1024x768",
        _resolution,
        2,
        3,
        "ogGrubSetResolution 1 4 1024x768",
        better=f"The old one knew BURG alone. {STRUCTURE}",
    ),
    Command(
        "ogGrubSetTheme",
        "DISK PARTITION THEME",
        "sets the look of the menu: a theme in the folder themes beside it",
        _theme,
        3,
        3,
        "ogGrubSetTheme 1 4 ThemeBasic",
        better=f"The old one knew BURG alone. {STRUCTURE}",
    ),
    Command(
        "ogGrubSetAdminKeys",
        "DISK PARTITION TRUE|FALSE",
        "lets people edit entries and have GRUB's console, or nobody",
        _admin_keys,
        3,
        3,
        "ogGrubSetAdminKeys 1 4 FALSE",
        better=f"The old one knew BURG alone. {STRUCTURE}",
    ),
    Command(
        "ogGrubSecurity",
        "DISK PARTITION [USER [PASSWORD]]",
        "lets only one user edit entries; without a password nobody",
        _security,
        2,
        4,
        "ogGrubSecurity 1 2 user password",
        better="The password is hashed at once and stays nowhere, and that others see it among the "
        f"arguments is said: `og boot lock` reads it from a file. {STRUCTURE}",
    ),
)

COMMANDS = {command.name: command for command in with_generics(_GRUB)}
