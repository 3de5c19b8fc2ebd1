# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's /etc/network/interfaces."""

from __future__ import annotations

import re
from collections.abc import Mapping

from oglib.osconfig.linux.network.cards import Cards, is_card

_STANZA = re.compile(r"iface|auto|allow-\S+|mapping|source|source-directory|rename|no-\S+")
_OF_NAMES = re.compile(r"auto|allow-\S+|iface|bridge[_-]ports|(?:bond-)?slaves|vlan-raw-device")
_WRITTEN = ("address", "netmask", "gateway", "broadcast", "network")
_METHODS = {"inet": "dhcp", "inet6": "auto"}


def names_in(text: str) -> list[str]:
    """The cards that it names, each once, in its order; also by a VLAN or an address of theirs."""
    found: dict[str, None] = {}
    for line in text.split("\n"):
        words = line.split()
        if words and _OF_NAMES.fullmatch(words[0]):
            named = words[1:2] if words[0] == "iface" else words[1:]
            found.update(dict.fromkeys(card for card in map(_card_of, named) if is_card(card)))
    return list(found)


def said_in(text: str) -> str:
    """Without comments, and without names of other files."""
    return "\n".join(line for line in text.split("\n") if not _is_of_none(line.split()))


def adapt_interfaces(text: str, cards: Cards) -> str:
    """With this PC's cards; the address of one that was another PC's is asked of DHCP.

    A second address of a card (``eth3:1``) stays: of DHCP it cannot be asked.
    """
    new_names = {}
    for name in names_in(text):
        if cards.is_foreign(name) and (card := cards.instead(name)):
            new_names[name] = cards.name_of(card, name)
    lines, asked = [], False  # of DHCP, instead of what the stanza's lines say
    for line in text.split("\n"):
        words = line.split()
        if words and _STANZA.fullmatch(words[0]):
            asked = words[0] == "iface" and len(words) > 3 and ":" not in words[1]
            asked = asked and _card_of(words[1]) in new_names
            asked = asked and words[3] == "static" and words[2] in _METHODS
            if asked:
                line = re.sub(r"(?<!\S)static(?!\S)", _METHODS[words[2]], line)  # noqa: PLW2901
        elif asked and words and words[0] in _WRITTEN:
            continue
        elif words and words[0] == "hwaddress" and cards.is_foreign(mac=words[-1]):
            continue  # a card has its own address where none is given to it
        lines.append(line if _is_of_none(words) else _renamed(line, new_names))
    return "\n".join(lines)


def _card_of(word: str) -> str:
    """The card of a VLAN (``eth3.10``) or of a second address (``eth3:1``)."""
    return re.split("[.:]", word, maxsplit=1)[0]


def _is_of_none(words: list[str]) -> bool:
    return not words or words[0].startswith(("#", "source"))


def _renamed(line: str, new_names: Mapping[str, str]) -> str:
    for old, new in new_names.items():
        line = re.sub(rf"(?<![\w-]){re.escape(old)}(?![\w:-])", new, line)
    return line
