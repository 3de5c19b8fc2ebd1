# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB legacy (0.97) of CentOS 6 and SLES 11: its menu is adapted, its code is only recognised.

No tool of ogLive installs it, and a GRUB 2 in its place would not be what the system's own updates
know. So its boot code comes with the image of a whole disk, or the step fails and says so.
"""

from __future__ import annotations

import re

from oglib.boot.command_line import adapt_words, told
from oglib.boot.facts import BootFacts
from oglib.disk.model import Disk
from oglib.fitting.edits import Edit, Files, bytes_of, content, words_of
from oglib.fitting.fittings import Check, Need, edited
from oglib.texts import joined

# RHEL's own file, to which its menu.lst is a link; everybody else's.
_MENUS = ("boot/grub/grub.conf", "boot/grub/menu.lst")
_TITLE = re.compile(r"[ \t]*title\b")
_KERNEL = re.compile(r"[ \t]*(?:kernel|module)[ \t]+")
_INITRD = re.compile(r"[ \t]*initrd[ \t]+")
_ROOT = re.compile(r"(?<!\S)root=(\S+)")
_PLACE = re.compile(r"\(hd(\d{1,2}),(\d{1,3})\)")
_SECTOR_BYTES = 512
_VERSION_AT = 0x3E  # of the first stage: its version, 3.2 for all of 0.9x
_VERSION = b"\x03\x02"


def menu_of(root: Files) -> str:
    """The file of its menu, empty where another GRUB starts the system, or none."""
    if any(root.exists(f"boot/{name}/grub.cfg") for name in ("grub", "grub2")):
        return ""
    return next((path for path in _MENUS if root.is_regular(path)), "")


def is_on(disk: Disk) -> bool:
    """Whether its first stage is what a BIOS starts of this disk."""
    with disk.path.open("rb") as file:
        sector = file.read(_SECTOR_BYTES)
    return sector[_VERSION_AT : _VERSION_AT + 2] == _VERSION and b"GRUB" in sector


def menu(root: Files, facts: BootFacts) -> Check:
    """Kernel command lines and the partition that GRUB's paths begin at."""
    path = menu_of(root)
    if not path:
        return Check(Need.NOT_NEEDED, "no GRUB legacy here")
    old = content(root, path)
    text = words_of(old or b"")
    new = adapt_menu(text, facts)
    pairs = zip(text.split("\n"), new.split("\n"), strict=True)
    changes = [told(before, after) for before, after in pairs if before != after]
    return edited([Edit(path, old, bytes_of(new))], joined(changes))


def adapt_menu(text: str, facts: BootFacts) -> str:
    """The menu for this PC. An entry of another system, by its ``root=``, stays as it is."""
    lines = text.split("\n")
    blocks = _blocks(lines)
    roots = [root for first, end in blocks if (root := _root_of(lines[first:end]))]
    if not roots:
        return text
    places: set[str] = set()
    for first, end in blocks:
        entry = lines[first:end]
        if _root_of(entry) == roots[0]:
            places.update(found[0] for line in entry for found in _PLACE.finditer(line))
            by_uuid = any(map(_INITRD.match, entry))
            lines[first:end] = [
                adapt_words(line, facts, own=True, by_uuid=by_uuid) if _KERNEL.match(line) else line
                for line in entry
            ]
    number = facts.start.number
    if len(places) != 1 or not number:
        return "\n".join(lines)
    (old,) = places
    # the disk that a BIOS starts is its first one
    return "\n".join(lines).replace(old, f"(hd0,{number - 1})")


def _blocks(lines: list[str]) -> list[tuple[int, int]]:
    """The entries: from each title to the next."""
    titles = [at for at, line in enumerate(lines) if _TITLE.match(line)]
    return list(zip(titles, [*titles[1:], len(lines)], strict=False))


def _root_of(entry: list[str]) -> str:
    kernels = (line for line in entry if _KERNEL.match(line))
    found = (_ROOT.search(line) for line in kernels)
    return next((match[1] for match in found if match), "")
