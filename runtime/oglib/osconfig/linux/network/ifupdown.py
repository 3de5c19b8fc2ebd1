# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's /etc/network/interfaces."""

from __future__ import annotations

import re

from oglib.osconfig.linux.network.cards import Cards, is_card

_STANZA = re.compile(r"iface|auto|allow-\S+|mapping|source|source-directory|rename|no-\S+")
_OF_NAMES = re.compile(r"auto|allow-\S+|iface|bridge[_-]ports|(?:bond-)?slaves|vlan-raw-device")
_WRITTEN = ("address", "netmask", "gateway", "broadcast", "network")
_METHODS = {"inet": "dhcp", "inet6": "auto"}


def names_in(text: str) -> list[str]:
    """The cards that it names, each once, in its order."""
    found: dict[str, None] = {}
    for line in text.split("\n"):
        words = line.split()
        if words and _OF_NAMES.fullmatch(words[0]):
            named = words[1:2] if words[0] == "iface" else words[1:]
            found.update(dict.fromkeys(word for word in named if is_card(word)))
    return list(found)


def adapt_interfaces(text: str, cards: Cards) -> str:
    """With this PC's cards; the address of one that was another PC's is asked of DHCP."""
    new_names = {}
    for name in names_in(text):
        if cards.is_foreign(name) and (card := cards.instead(name)):
            new_names[name] = cards.name_of(card, name)
    lines, asked = [], False  # of DHCP, instead of what the stanza's lines say
    for line in text.split("\n"):
        words = line.split()
        if words and _STANZA.fullmatch(words[0]):
            asked = words[0] == "iface" and len(words) > 3 and words[1] in new_names
            asked = asked and words[3] == "static" and words[2] in _METHODS
            if asked:
                line = _renamed(line, "static", _METHODS[words[2]])  # noqa: PLW2901
        elif asked and words and words[0] in _WRITTEN:
            continue
        if words and _OF_NAMES.fullmatch(words[0]):
            for old, new in new_names.items():
                line = _renamed(line, old, new)  # noqa: PLW2901
        lines.append(line)
    return "\n".join(lines)


def _renamed(line: str, old: str, new: str) -> str:
    return re.sub(rf"(?<!\S){re.escape(old)}(?!\S)", new, line)
