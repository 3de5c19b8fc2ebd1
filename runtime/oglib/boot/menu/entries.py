# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries that are put into GRUB's menu: ogLive from the cache, partitions hidden from a Windows.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from oglib.boot.menu.edits import Changed, Cut, applied, first_entry, moved, removed, set_cuts
from oglib.boot.menu.reader import Entry, Menu
from oglib.boot.menu.words import quoted
from oglib.errors import NotFoundError

_ID = "oglive"
_TITLE = "OpenGnsys Live"


def with_oglive(menu: Menu, uuid: str, folder: str, parameters: Sequence[str]) -> Changed:
    """With an entry, the first one, that starts ogLive from the cache with this UUID.

    ``folder``: where its kernel and initrd lie there. One that was there before goes. The default
    that is a number follows its entry.
    """
    lines = [
        f"menuentry {quoted(_TITLE)} --class opengnsys --id {_ID} --unrestricted {{",
        "\tinsmod part_gpt",
        "\tinsmod part_msdos",
        "\tinsmod ext2",
        f"\tsearch --no-floppy --fs-uuid --set=root {quoted(uuid)}",
        f"\tlinux {quoted(f'{folder}/ogvmlinuz')} {' '.join(map(quoted, parameters))}".rstrip(),
        f"\tinitrd {quoted(f'{folder}/oginitrd.img')}",
        "}",
    ]
    old = [one for one in menu.entries if is_oglive(one)]
    at = first_entry(menu)
    cuts = [Cut(at, at, "".join(f"{line}\n" for line in lines))]
    cuts += [removed(menu.text, one) for one in old]
    said = menu.setting("default")
    first, nested, rest = moved(menu, old, said).partition(">")
    if first.isdecimal():
        number = f"{int(first) + 1}{nested}{rest}"
        cuts += set_cuts(menu, "default", f'"{number}"', lambda value: value == said)
    return Changed(applied(menu.text, cuts), (), f"{_TITLE} is in the menu")


def oglive_of(menu: Menu) -> Entry:
    """The entry that starts ogLive; NOTFOUND where the menu has none."""
    found = next((one for one in menu.all_entries if is_oglive(one)), None)
    if found is None:
        raise NotFoundError(
            "The menu has no entry for ogLive.", hint="`og boot oglive` puts one in front."
        )
    return found


def is_oglive(entry: Entry) -> bool:
    """Whether it is the one that starts ogLive: ours, or of the old engine."""
    return entry.id == _ID or entry.title.lower() in ("opengnsys", _TITLE.lower())


def with_hidden(menu: Menu, hidden: Sequence[tuple[Entry, Sequence[str]]]) -> Changed:
    """Before each of these entries starts, partitions are hidden and shown by these ``parttool``.

    Its own earlier ones go, in whatever entry they stand.
    """
    cuts = [Cut(one.brace + 1, one.brace + 1, "".join(f"\n\t{line}" for line in lines))
            for one, lines in hidden]  # fmt: skip
    for entry in menu.all_entries:
        for command in entry.commands:
            if command.name == "parttool":
                start, end = command.words[0].start, command.words[-1].end
                line = menu.text.rfind("\n", 0, start)
                alone = line >= 0 and not menu.text[line:start].strip()
                cuts.append(Cut(line if alone else start, end, "" if alone else "true"))
    titles = ", ".join(one.title for one, _ in hidden)
    return Changed(applied(menu.text, cuts), (), f"other partitions are hidden from: {titles}")
