# SPDX-License-Identifier: GPL-3.0-or-later
"""The script and the menu of a PC; those that differ by the PC's name alone are filled once.

The PCs of a room mostly do. A name of the same length stands in for theirs, letter for letter as it
is and in hexadecimal digits, and each PC's own is put in its place. Where the stand-in, or a PC's
name, is part of another text by chance, that PC is filled by itself: so a PC's text is the same,
whichever others are written with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ognetboot.assigning.offers import Offered
from ognetboot.inventory.model import Client, Firmware, Inventory
from ognetboot.texts.menus import Menus
from ognetboot.texts.screens import screen_for

# Of what a stand-in consists.
_LETTERS = "zqx7vjk"


@dataclass(frozen=True, slots=True)
class Filled:
    """iPXE's script, and GRUB's menu where the PC may run GRUB: a BIOS PC always gets iPXE."""

    script: str
    menu: str | None

    def renamed(self, old: str, new: str) -> Filled:
        """The same for a PC of another name, which is as long."""
        menu = None if self.menu is None else _renamed(self.menu, old, new)
        return Filled(_renamed(self.script, old, new), menu)

    def says(self, name: str) -> bool:
        """Whether the name is anywhere in it."""
        texts = (self.script, self.menu or "")
        return any(word in text for text in texts for word in (name, _digits(name)))


def _renamed(text: str, old: str, new: str) -> str:
    return text.replace(old, new).replace(_digits(old), _digits(new))


def _digits(name: str) -> str:
    return name.encode("ascii").hex(":")


class Shapes:
    """Fills the texts of one inventory's PCs."""

    def __init__(self, inventory: Inventory, menus: Menus) -> None:
        self._inventory = inventory
        self._menus = menus
        # By the stand-in and what it is offered: the first PC with its texts, and what is shared
        # from the second one on; None: nothing is.
        self._first: dict[tuple[Client, Offered], tuple[str, Filled]] = {}
        self._shared: dict[tuple[Client, Offered], Filled | None] = {}

    def filled(self, client: Client | None, offered: Offered) -> Filled:
        """The texts of a PC; None: of those that nobody knows."""
        if client is None:
            return self._fill(None, offered)
        alike = _stand_in(client), offered
        if alike not in self._first:
            own = self._fill(client, offered)
            self._first[alike] = client.name, own
            return own
        if alike not in self._shared:
            self._shared[alike] = self._share(*alike)
        shared = self._shared[alike]
        if shared is None or shared.says(client.name):
            return self._fill(client, offered)
        return shared.renamed(alike[0].name, client.name)

    def _share(self, stand_in: Client, offered: Offered) -> Filled | None:
        name, own = self._first[stand_in, offered]
        if own.says(stand_in.name):
            return None
        shared = self._fill(stand_in, offered)
        return shared if shared.renamed(stand_in.name, name) == own else None

    def _fill(self, client: Client | None, offered: Offered) -> Filled:
        screen = screen_for(self._inventory, client, offered)
        grub = client is None or client.firmware is not Firmware.BIOS
        return Filled(self._menus.ipxe(screen), self._menus.grub(screen) if grub else None)


def _stand_in(client: Client) -> Client:
    """A PC that is like this one in all that its texts may say but the letters of its name."""
    length = len(client.name)
    name = (_LETTERS * (length // len(_LETTERS) + 1))[:length]
    return replace(client, macs=(), name=name, ip=None, uuid=None, serial=None)
