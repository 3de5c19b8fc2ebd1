# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's menu changed by its structure: pure, a text in and a text out; what is not meant stays.

What a person or an image says becomes a word of the menu only where its characters are known to be
plain, or quoted as GRUB takes it. The same wish is told in the words of ``/etc/default/grub``, so
that the system's next update-grub keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from oglib.boot.menu.reader import Entry, Menu, read_menu
from oglib.errors import NotFoundError, OgErr, OgError, UsageError

_PLAIN_ID = re.compile(r"(?=.{1,200}\Z)[A-Za-z0-9._+-]*[A-Za-z._+-][A-Za-z0-9._+-]*")
_NUMBER = re.compile(r"[0-9]{1,4}(>[0-9]{1,4}){0,9}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESOLUTION = re.compile(r"auto|[0-9]{3,5}x[0-9]{3,5}(x[0-9]{1,2})?")
_SAVED = "${saved_entry}"
_MOST_TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Changed:
    """The menu's new text; the variables of ``/etc/default/grub`` that mean the same; in words."""

    text: str
    defaults: tuple[tuple[str, str], ...]
    summary: str


Change = Callable[[Menu], Changed]


@dataclass(frozen=True, slots=True)
class PartitionNames:
    """A partition as a menu may name it. ``label``: ``Part-01-02``; the others may be empty."""

    device: str
    uuid: str
    label: str


@dataclass(frozen=True, slots=True)
class Cut:
    """``text[start:end]`` becomes ``new``."""

    start: int
    end: int
    new: str


def chained(*changes: Change) -> Change:
    """One change behind the other, told as the first."""

    def change(menu: Menu) -> Changed:
        done = [changes[0](menu)]
        for one in changes[1:]:
            done.append(one(read_menu(done[-1].text)))
        defaults = tuple(pair for one in done for pair in one.defaults)
        return Changed(done[-1].text, defaults, done[0].summary)

    return change


def entries_of(menu: Menu, place: PartitionNames) -> tuple[Entry, ...]:
    """The entries that start what is on a partition."""
    return tuple(one for one in menu.all_entries if not one.is_submenu and _is_of(one, place))


def _is_of(entry: Entry, place: PartitionNames) -> bool:
    """By its loader's folder, the title's device or the kernel's root, else by where it looks."""
    folders = (
        f"/{place.label}/" in word for words in entry.values("chainloader") for word in words
    )
    if entry.id == place.label or any(folders):
        return True
    if entry.device:
        return entry.device == place.device
    if root := entry.root:
        tag, _, value = root.partition("=")
        return root == place.device or (tag == "UUID" and value.lower() == place.uuid.lower())
    return bool(place.uuid) and entry.searched.lower() == place.uuid.lower()


def entry_named(menu: Menu, name: str) -> Entry:
    """By its number, id or whole title. NOTFOUND where there is none, or more than one."""
    every = menu.all_entries
    found = [one for one in every if one.number == name]
    found = found or [one for one in every if name in (one.id, one.title)]
    if len(found) != 1:
        why = "several entries" if found else "no entry"
        raise NotFoundError(
            f"The menu has {why} of the name {name!r}.",
            hint="Say its number: `og boot menu` shows them.",
        )
    return found[0]


def with_default(menu: Menu, entry: Entry) -> Changed:
    """``entry`` is the one that starts by itself; a start set for once (``next_entry``) stays."""
    name = _name_of(menu, entry)
    cuts = _held(menu, "default", f'"{name}"', lambda old: "$" not in old or old == _SAVED)
    summary = f"{entry.title or name} starts by itself"
    return Changed(applied(menu.text, cuts), (("GRUB_DEFAULT", name),), summary)


def _name_of(menu: Menu, entry: Entry) -> str:
    """Its ids where each is plain and the only one of its name, else its numbers."""
    way = [one for one in menu.all_entries if entry.path[: len(one.path)] == one.path]
    ids = [one.id for one in menu.all_entries]
    if all(_PLAIN_ID.fullmatch(one.id) and ids.count(one.id) == 1 for one in way):
        return ">".join(one.id for one in way)
    return entry.number


def without(menu: Menu, entries: Sequence[Entry]) -> Changed:
    """Without these entries, and without a submenu that they leave empty.

    A default that is a number follows the entry that it means; where that goes it is the first.
    NOTFOUND where there are none.
    """
    if not entries:
        raise NotFoundError("The menu has no entry of that partition.")
    gone = list(entries)
    for one in reversed(menu.all_entries):
        if one.is_submenu and one.inner and all(inner in gone for inner in one.inner):
            gone.append(one)
    cuts = [removed(menu.text, one) for one in gone if one.path[:-1] not in [g.path for g in gone]]
    defaults: tuple[tuple[str, str], ...] = ()
    said = menu.setting("default")
    if (number := moved(menu, gone, said)) != said:
        cuts += set_cuts(menu, "default", f'"{number}"', lambda old: old == said)
        defaults = (("GRUB_DEFAULT", number),)
    titles = ", ".join(one.title for one in entries)
    return Changed(applied(menu.text, cuts), defaults, f"no longer in the menu: {titles}")


def moved(menu: Menu, gone: Sequence[Entry], said: str) -> str:
    """The default ``said``, without the entries that are ``gone``."""
    meant = next((one for one in menu.all_entries if said in (one.number, one.id) and said), None)
    if meant is None:
        return said
    if meant in gone:
        return "0"
    if said != meant.number:
        return said
    numbers, beside = [], list(menu.entries)
    for number in meant.path:
        numbers.append(number - sum(one in gone for one in beside[:number]))
        beside = beside[number].inner
    return ">".join(map(str, numbers))


def removed(text: str, entry: Entry) -> Cut:
    """The entry with its line where it has it alone; in an ``if`` a command stays for it."""
    start = text.rfind("\n", 0, entry.start) + 1
    end = text.find("\n", entry.end) + 1 or len(text)
    alone = not text[start : entry.start].strip(" \t") and not text[entry.end : end].strip()
    if entry.guarded or not alone:
        return Cut(entry.start, entry.end, "true")
    return Cut(start, end, "")


def with_timeout(menu: Menu, seconds: int, *, hidden: bool | None = None) -> Changed:
    """How long the menu waits; ``hidden``: whether it is shown meanwhile, None: as it was.

    OUTOFLIMIT for more than an hour.
    """
    if not 0 <= seconds <= _MOST_TIMEOUT_S:
        raise UsageError(
            f"A menu cannot wait {seconds} seconds: 0 to {_MOST_TIMEOUT_S} can be said.",
            code=OgErr.OUTOFLIMIT,
        )
    cuts = _held(menu, "timeout", str(seconds), lambda old: "$" not in old)
    defaults = [("GRUB_TIMEOUT", str(seconds))]
    summary = f"the menu waits {seconds} s"
    if hidden is not None:
        style = "hidden" if hidden else "menu"
        cuts += set_cuts(menu, "timeout_style", style, lambda _old: True)
        defaults.append(("GRUB_TIMEOUT_STYLE", style))
        summary += ", hidden" if hidden else ", shown"
    return Changed(applied(menu.text, cuts), tuple(defaults), summary)


def with_resolution(menu: Menu, resolution: str) -> Changed:
    """The screen's size in the menu: ``1024x768``, ``auto``; FORMAT for anything else."""
    if not _RESOLUTION.fullmatch(resolution):
        raise UsageError(f"{resolution!r} is no resolution.", hint="Say 1024x768, or auto.")
    cuts = _held(menu, "gfxmode", resolution, lambda old: "$" not in old)
    summary = f"the menu's resolution is {resolution}"
    return Changed(applied(menu.text, cuts), (("GRUB_GFXMODE", resolution),), summary)


def check_theme(name: str) -> None:
    """Raise (FORMAT) unless it can be the name of a theme's folder."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a theme.")


def with_theme(menu: Menu, name: str, file: str) -> Changed:
    """The look of the menu: the theme in ``themes/NAME`` beside it; ``file`` is its path there.

    ``file`` (``/boot/grub/themes/NAME/theme.txt``) is for ``/etc/default/grub``.
    """
    check_theme(name)
    value = f"$prefix/themes/{name}/theme.txt"
    if menu.settings("theme"):
        cuts = set_cuts(menu, "theme", value, lambda _old: True)
    else:
        lines = ("insmod gfxterm", "insmod gfxmenu", "insmod png", "terminal_output gfxterm",
                 f"set theme={value}", "export theme")  # fmt: skip
        at = first_entry(menu)
        cuts = [Cut(at, at, "".join(f"{line}\n" for line in lines))]
    return Changed(applied(menu.text, cuts), (("GRUB_THEME", file),), f"the theme is {name}")


def _held(menu: Menu, name: str, value: str, mine: Callable[[str], bool]) -> list[Cut]:
    """As ``set_cuts``; NOTWRITE where the menu gives the variable another value afterwards."""
    last = menu.always_set(name)
    if last is not None and not mine(last.value.partition("=")[2]):
        line = menu.text.count("\n", 0, last.start) + 1
        raise OgError(
            f"{name} would not hold: line {line} of the menu sets it to that of a variable.",
            hint="Nothing was written. Take that line out in the system itself.",
            code=OgErr.NOTWRITE,
        )
    return set_cuts(menu, name, value, mine)


def set_cuts(menu: Menu, name: str, value: str, mine: Callable[[str], bool]) -> list[Cut]:
    """Every value of the variable that is ``mine``; where there is none, one before the entries.

    Before all, where another is set in an ``if``: that one is meant to win.
    """
    every = menu.settings(name)
    words = [word for word in every if mine(word.value.partition("=")[2])]
    if words:
        return [Cut(word.start, word.end, f"{name}={value}") for word in words]
    at = 0 if every else first_entry(menu)
    return [Cut(at, at, f"set {name}={value}\n")]


def first_entry(menu: Menu) -> int:
    """Where the line of the first entry begins, or the text ends: what is said there holds."""
    if not menu.entries or menu.entries[0].guarded:
        return 0
    return menu.text.rfind("\n", 0, menu.entries[0].start) + 1


def applied(text: str, cuts: Sequence[Cut]) -> str:
    return "".join(_pieces(text, sorted(cuts, key=lambda cut: (cut.start, cut.end))))


def _pieces(text: str, cuts: Sequence[Cut]) -> Iterator[str]:
    at = 0
    for cut in cuts:
        yield text[at : cut.start]
        yield cut.new
        at = max(at, cut.end)
    yield text[at:]
