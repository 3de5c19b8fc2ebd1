# SPDX-License-Identifier: GPL-3.0-or-later
"""Which card of this PC takes the place of one that a file names and this PC has not."""

from __future__ import annotations

import re

from oglib.osconfig.facts import Nic

_OLD_NAME = re.compile(r"eth(\d{1,3})", re.ASCII)
# Names that are given to cards in sockets: no bridges, bonds, VLANs or wireless ones.
_CARD = re.compile(r"eth\d+|em\d+|p\d+p\d+|en(?:[osbvuad]\w*\d|p\d|x[0-9a-f]{12}$)\w*", re.ASCII)
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}")

# Words that stand by themselves: no part of a pattern, nor of a longer name or address.
_WORD = re.compile(r"(?<![\w*?\]-])[A-Za-z][A-Za-z0-9]*(?![\w*?\[-])", re.ASCII)
_ADDRESS = re.compile(rf"(?<![\w:-]){_MAC.pattern}(?![\w:-])", re.ASCII)


class Cards:
    """The cards that are still free while the files of one system are gone through."""

    def __init__(self, nics: tuple[Nic, ...]) -> None:
        self._nics = nics
        self._taken: dict[str, Nic] = {}

    def hold(self, name: str = "", mac: str = "") -> None:
        """A card of this PC that a file names rightly is not given to another one."""
        found = self._by_mac(mac) or self._by_name(name)
        if found is not None:
            self._taken.setdefault(found.mac, found)

    def is_foreign(self, name: str = "", mac: str = "") -> bool:
        """Whether one of these means a card, and none that this PC has."""
        wrong_name = is_card(name) and self._by_name(name) is None
        return wrong_name or (is_mac(mac) and self._by_mac(mac) is None)

    def instead(self, name: str = "", mac: str = "") -> Nic | None:
        """The card for what was the model's; the same for the same. None: all have a place."""
        keys = [key for key in (name, mac.upper().replace("-", ":")) if key]
        card = next((self._taken[key] for key in keys if key in self._taken), None)
        if card is None:
            used = {nic.mac for nic in self._taken.values()}
            own = self._by_mac(mac) or self._by_name(name)
            card = own or next((nic for nic in self._nics if nic.mac not in used), None)
        if card is not None:
            self._taken.update(dict.fromkeys(keys, card))
        return card

    def left_in(self, text: str) -> str:
        """The first card in a text, none of this PC's, that could be one of this PC's; or nothing.

        Cards that this PC has no place for stay what they were: they do no harm.
        """
        for name in _WORD.findall(text):
            if self.is_foreign(name) and self.instead(name):
                return str(name)
        for mac in _ADDRESS.findall(text):
            if self.is_foreign(mac=mac) and self.instead(mac=mac):
                return str(mac)
        return ""

    def name_of(self, card: Nic, old: str) -> str:
        """The card's name, in the manner of the one it replaces; a right one stays."""
        if not is_card(old) or card in (self._by_name(old),):
            return old
        return f"eth{self._nics.index(card)}" if _OLD_NAME.fullmatch(old) else card.name

    def _by_mac(self, mac: str) -> Nic | None:
        wanted = mac.upper().replace("-", ":")
        return next((nic for nic in self._nics if nic.mac == wanted), None)

    def _by_name(self, name: str) -> Nic | None:
        for nic in self._nics:
            if name in nic.names or name == nic.name:
                return nic
        # a system that names cards in the old way has eth0 for the first one, whatever we call it
        number = _OLD_NAME.fullmatch(name)
        return self._nics[int(number[1])] if number and int(number[1]) < len(self._nics) else None


def is_card(name: str) -> bool:
    """Whether this is how a Linux calls a wired card."""
    return _CARD.fullmatch(name) is not None


def is_mac(text: str) -> bool:
    """Whether this is an Ethernet address."""
    return _MAC.fullmatch(text) is not None


def mac_like(mac: str, old: str) -> str:
    """The address in the letters and signs of the one that it replaces."""
    told = mac.replace(":", "-") if "-" in old else mac
    return told.lower() if old == old.lower() else told
