# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands about the boot entries of UEFI firmware; NOTUEFI on a PC with a BIOS.

Numbers are hexadecimal, as firmware tools print them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oglib.boot.facts import part_label
from oglib.boot.nvram import planning
from oglib.boot.nvram.changing import change_here, find_esp, presence_here, table_here
from oglib.boot.nvram.load_option import LoadOption, loader
from oglib.boot.nvram.planning import OrderPosition, Presence
from oglib.boot.nvram.table import BootTable, Entry, in_words
from oglib.boot.nvram.variables import here
from oglib.disk.probe import list_disks
from oglib.errors import NotFoundError, UsageError
from oglib.shim.command import Answer, Command, positive
from oglib.shim.target import warn

_LOADER = "EFI/{label}/Boot/ogloader.efi"


def _list(_: Sequence[str]) -> str:
    rows = [f"{one.number:4X}   {one.label} {_mark(one)}".rstrip() for one in table_here().entries]
    return "\n".join(rows)


def _mark(entry: Entry) -> str:
    return "*" if entry.option.active else ""


def _current(_: Sequence[str]) -> str:
    there = table_here()
    found = None if there.current is None else there.entry(there.current)
    return f"{found.number:X}   {found.label}" if found else ""


def _get_next(_: Sequence[str]) -> str:
    number = table_here().next
    return "" if number is None else f"{number:04X}"


def _get_order(_: Sequence[str]) -> str:
    order = table_here().order
    return in_words(order) if order else ""


def _get_timeout(_: Sequence[str]) -> str:
    seconds = table_here().timeout
    return "" if seconds is None else f"{seconds} seconds"


def _numbers(there: BootTable, word: str) -> list[int]:
    return [one.number for one in planning.named(there, word)]


def _activate(words: Sequence[str]) -> None:
    change_here(lambda old: planning.activated(old, _numbers(old, words[0]), active=True))


def _inactivate(words: Sequence[str]) -> None:
    change_here(lambda old: planning.activated(old, _numbers(old, words[0]), active=False))


def _delete(words: Sequence[str]) -> None:
    change_here(lambda old: planning.without(old, _numbers(old, words[0])))


def _set_next(words: Sequence[str]) -> None:
    change_here(lambda old: planning.with_next(old, _numbers(old, words[0])[0]))


def _set_order(words: Sequence[str]) -> None:
    numbers = [planning.number_of(one) for word in words for one in word.split()]
    change_here(lambda old: planning.ordered(old, numbers))


def _set_timeout(words: Sequence[str]) -> None:
    if not words[0].isascii() or not words[0].isdecimal() or len(words[0]) > 9:
        raise UsageError(f"The seconds must be a whole number, not {words[0]!r}.")
    change_here(lambda old: planning.with_timeout(old, int(words[0])))


def _network_first(_: Sequence[str]) -> None:
    def plan(old: BootTable) -> BootTable:
        if planning.network_entry(old) is None:
            raise NotFoundError("The firmware has no active entry for the network by IPv4.")
        return planning.network_first(old)

    change_here(plan)


def _add(words: Sequence[str]) -> None:
    here()  # before the disks are asked
    last = len(words) > 2 and words[2].upper() == "TRUE"
    option = _option(words[0], words[1])
    if presence_here()(option.target) is Presence.MISSING:
        warn(f"{option.target.file} is not on the ESP yet: the firmware passes the entry over")
    change_here(
        lambda old: planning.only(old, option, OrderPosition.LAST if last else OrderPosition.OUT)
    )


def _option(label: str, file: str) -> LoadOption:
    if label.isdecimal() and file.isdecimal():
        label = part_label(positive(label, "The disk"), positive(file, "The partition"))
        file = _LOADER.format(label=label)
    disk, esp = find_esp(list_disks())
    return loader(label, disk, esp, file.replace("\\", "/"))


_ENTRY = "NUMBER|LABEL"
_JUDGED = "What was written is read back, and an error where the firmware did not keep it."
Shape = tuple[str, str, str, Callable[[Sequence[str]], Answer], tuple[int, int], str, str]
_SHAPES: tuple[Shape, ...] = (
    ("ogNvramList", "", "lists the boot entries: number, label, and * where it is active", _list,
     (0, 0), "", "All numbers are listed; those that begin with a letter were left out."),
    ("ogNvramGetCurrent", "", "prints the entry that started this PC", _current, (0, 0), "", ""),
    ("ogNvramGetNext", "", "prints the number of the entry of the next start", _get_next, (0, 0),
     "", ""),
    ("ogNvramGetOrder", "", "prints the numbers of the entries in their order", _get_order, (0, 0),
     "→ 0001,0000", ""),
    ("ogNvramGetTimeout", "", "prints how long the firmware's menu waits", _get_timeout, (0, 0),
     "→ 2 seconds", ""),
    ("ogNvramSetNext", _ENTRY, "chooses the entry of the next start alone", _set_next, (1, 1),
     "Part-01-02", f"{_JUDGED} Of several with one label it is the first."),
    ("ogNvramSetOrder", "NUMBER…", "sets the order of the entries", _set_order, (1, 1000), "1 3",
     f"{_JUDGED} A number twice is FORMAT."),
    ("ogNvramSetTimeout", "SECONDS", "sets how long the firmware's menu waits", _set_timeout,
     (1, 1), "2", f"{_JUDGED} More than 65535 is OUTOFLIMIT."),
    ("ogNvramActiveEntry", _ENTRY, "lets the firmware try an entry", _activate, (1, 1), "2",
     _JUDGED),
    ("ogNvramInactiveEntry", _ENTRY, "keeps an entry, and the firmware from trying it",
     _inactivate, (1, 1), "2", _JUDGED),
    ("ogNvramDeleteEntry", _ENTRY, "removes an entry, or all of a label", _delete, (1, 1),
     "Part-01-02", _JUDGED),
    ("ogNvramAddEntry", "DISK PARTITION | LABEL LOADER [TRUE]",
     "makes an entry, last in the order with TRUE, else outside of it", _add, (2, 3),
     "grub /EFI/grub/grubx64.efi TRUE",
     f"{_JUDGED} An entry that is the same stays. A loader that is not on the ESP is warned of; "
     "where there is no ESP it is NOTFOUND, and no entry is made."),
    ("ogNvramPxeFirstEntry", "", "puts the network's entry first", _network_first, (0, 0), "",
     f"{_JUDGED} A firmware without such an entry is NOTFOUND; entries for HTTP do not count."),
)  # fmt: skip


def _command(shape: Shape) -> Command:
    name, usage, does, call, counts, example, better = shape
    return Command(name, usage, does, call, *counts, f"{name} {example}".strip(), better)


COMMANDS = {shape[0]: _command(shape) for shape in _SHAPES}
