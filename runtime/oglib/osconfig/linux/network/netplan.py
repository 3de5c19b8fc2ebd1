# SPDX-License-Identifier: GPL-3.0-or-later
"""Ubuntu's /etc/netplan/*.yaml, as its installers write them: blocks by indentation.

Lists and maps in one line (``{…}``) are left alone where they say nothing of a card; else the file
is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from oglib.osconfig.linux.network.cards import Cards, is_card, is_mac, mac_like

_KEY = re.compile(
    r"( *)(?:\"([^\"]+)\"|'([^']+)'|([^\s:#\"'{}\[\]-][^\s:#]*)):(?:[ \t]+(.*?))?[ \t]*"
)
_WRITTEN = ("addresses", "gateway4", "gateway6", "routes")
_WIRELESS = ("wifis", "modems")
_UPON_CARDS = ("bridges", "bonds", "vlans", "tunnels", "vrfs", "dummy-devices")
_SECTIONS = ("ethernets", *_WIRELESS, *_UPON_CARDS)
_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#.*", re.DOTALL)
_WORDS = re.compile(r"[\w:.-]+")


@dataclass(slots=True)
class _Entry:
    """One card's block: the line of its head, and where its lines say what."""

    name: str
    first: int
    mac: str = ""
    mac_line: int = -1
    match_name: str = ""
    set_name: str = ""
    set_line: int = -1
    written: list[int] = field(default_factory=list)
    dhcp4: int = -1
    depth: int = -1  # of its own keys
    dropping: bool = False  # while inside of what is written
    matching: bool = False  # while inside of what the card is known by

    @property
    def card(self) -> str:
        """The name by which it is found; its own is only a word where it says another way."""
        return "" if self.mac else self.match_name or self.name


def is_understood(text: str) -> bool:
    """Whether it has the form that is known here."""
    for line in text.split("\n"):
        bare = line.partition(" #")[0]
        if "\t" in bare[: len(bare) - len(bare.lstrip())]:
            return False
        if "{" in bare and any(is_card(w) or is_mac(w) for w in map(_bare, _WORDS.findall(bare))):
            return False
    return True


def _bare(word: str) -> str:
    return word.strip(":")


def pins_of(text: str) -> list[tuple[str, str]]:
    """Name and address of each card that it is about; a name that is only a word is empty."""
    return [(one.card, one.mac) for one in _entries(text.split("\n"))]


def said_in(text: str) -> str:
    """Without comments, wireless cards, and the words for cards that are found in another way."""
    lines = text.split("\n")
    for one in _entries(lines):
        if one.mac or one.match_name:
            lines[one.first] = ""
        if one.mac and one.set_line >= 0:
            lines[one.set_line] = ""
    return "\n".join(_wired(map(_without_comment, lines)))


def _wired(lines: Iterable[str]) -> Iterator[str]:
    """Access points have addresses too; and those of bridges and bonds stay."""
    section, block = "", -1
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        key = line.strip().partition(":")[0].strip("\"'")
        if key in _SECTIONS and (block < 0 or indent <= block):
            section, block = key, indent
        if section in _WIRELESS or (key == "macaddress" and section in _UPON_CARDS):
            continue
        yield line


def _without_comment(line: str) -> str:
    return _COMMENT.sub("", line)


def adapt_netplan(text: str, cards: Cards) -> str:
    """With this PC's cards; what was another PC's address is asked of DHCP."""
    lines = text.split("\n")
    renamed: dict[str, str] = {}
    gone: set[int] = set()
    for one in _entries(lines):
        name = one.card
        if not cards.is_foreign(name, one.mac):
            continue
        card = cards.instead(name, one.mac)
        if card is None:
            continue
        if one.mac_line >= 0:
            lines[one.mac_line] = lines[one.mac_line].replace(one.mac, mac_like(card.mac, one.mac))
            renamed |= {
                word: cards.name_of(card, word)
                for word in (one.name, one.set_name)
                if cards.is_foreign(word)
            }
        elif is_card(name):
            renamed[name] = cards.name_of(card, name)
        if one.written:
            gone.update(one.written)
            lines[one.first] = _asked(lines, one, gone)
    kept = [line for at, line in enumerate(lines) if at not in gone]
    return "\n".join(_with_names(line, renamed) for line in kept)


def _asked(lines: list[str], one: _Entry, gone: set[int]) -> str:
    if one.dhcp4 >= 0:
        gone.add(one.dhcp4)
    return f"{lines[one.first]}\n{' ' * one.depth}dhcp4: true"


def _with_names(line: str, renamed: dict[str, str]) -> str:
    said = _without_comment(line)
    comment = line[len(said) :]
    for old, new in renamed.items():
        said = re.sub(rf"(?<![\w.-]){re.escape(old)}(?![\w-])", new, said)
    return said + comment


def _entries(lines: list[str]) -> list[_Entry]:
    """The blocks below ``ethernets:``."""
    found: list[_Entry] = []
    block = child = -1  # the indentation of ethernets:, while inside of it, and of its entries
    for at, line in enumerate(lines):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip(" "))
        match = _KEY.fullmatch(_without_comment(line))
        key = (match[2] or match[3] or match[4]) if match else ""
        if key == "ethernets":
            block, child = indent, -1
        elif indent <= block:
            block = -1
        elif block >= 0:
            child = indent if child < 0 else child
            if indent == child and key:
                found.append(_Entry(key, at))
            elif found:
                value = ((match[5] if match else "") or "").strip("\"'")
                _note(found[-1], at, indent, key or stripped, value)
    return found


def _note(one: _Entry, at: int, indent: int, key: str, value: str) -> None:
    """A line of the block; an item of a list has its dash in ``key``."""
    if one.dropping and (indent > one.depth or (key.startswith("-") and indent == one.depth)):
        one.written.append(at)
        return
    one.depth = indent if one.depth < 0 else one.depth
    one.dropping = key in _WRITTEN and indent == one.depth
    one.matching = key == "match" if indent == one.depth else one.matching
    if one.dropping:
        one.written.append(at)
    elif key == "macaddress" and is_mac(value):
        one.mac, one.mac_line = value, at
    elif key == "name" and one.matching:
        one.match_name = value
    elif key == "set-name":
        one.set_name, one.set_line = value, at
    elif key == "dhcp4" and indent == one.depth:
        one.dhcp4 = at
