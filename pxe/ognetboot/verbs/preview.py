# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot preview INVENTORY PC [--loader L] [--more] [--text] [--script]`."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from ognetboot.assigning.offers import offers_at
from ognetboot.assigning.store import Store
from ognetboot.errors import NetbootError
from ognetboot.inventory import reading
from ognetboot.inventory.model import Client, Inventory
from ognetboot.inventory.scopes import find_client
from ognetboot.texts import preview
from ognetboot.texts.charsets import Charset
from ognetboot.texts.render import menus_of
from ognetboot.texts.screens import Screen, screen_for
from ognetboot.verbs import Verbs

_UNKNOWN = "unknown"


class Loader(StrEnum):
    """Whose screen is drawn."""

    BIOS = "ipxe-bios"
    OLDER = "ipxe-2019"
    NEWER = "ipxe-2025"
    GRUB = "grub"


_CHARSETS = {
    Loader.BIOS: Charset.BIOS,
    Loader.OLDER: Charset.LATIN1,
    Loader.NEWER: Charset.UTF8,
}


def add(verbs: Verbs) -> None:
    """Its parser."""
    verb = verbs.add_parser(
        "preview",
        help="show a PC's menu without booting it",
        description="Draws the menu of a PC as its loader draws it, 80 columns wide and 25 rows "
        "high, from the very script that would be served. A picture behind it is not shown.",
    )
    verb.set_defaults(run=run)
    verb.add_argument("inventory", type=Path, metavar="INVENTORY")
    verb.add_argument(
        "pc",
        metavar="PC",
        help=f"a PC by name, MAC, UUID or address, or `{_UNKNOWN}` for one that nobody knows",
    )
    verb.add_argument(
        "--loader",
        type=Loader,
        choices=list(Loader),
        default=Loader.BIOS,
        help="iPXE on a BIOS, on UEFI of Debian 12 (2019) or 13 (2025), or GRUB",
    )
    verb.add_argument("--more", action="store_true", help="the second screen, of administration")
    verb.add_argument("--text", action="store_true", help="no colours, also on a terminal")
    verb.add_argument("--script", action="store_true", help="print the script itself instead")
    verb.add_argument("--test", action="store_true", help="allow the test and debug profiles")


def run(args: argparse.Namespace) -> str:
    """Draw it."""
    inventory = reading.load(args.inventory, allow_test=args.test)
    client = _client(inventory, args.pc)
    offered = offers_at(inventory, Store(args.inventory).read(), datetime.now(UTC))
    screen = screen_for(inventory, client, offered(client))
    menus = menus_of(inventory)
    text = menus.grub(screen) if args.loader is Loader.GRUB else menus.ipxe(screen)
    if args.script:
        return text.rstrip("\n")
    picture = _picture(args.loader, text, screen, client, more=args.more)
    if args.text or not sys.stdout.isatty() or not picture.colours:
        return "\n".join(picture.rows).rstrip("\n")
    return "\n".join(picture.coloured())


def _picture(
    loader: Loader, text: str, screen: Screen, client: Client | None, *, more: bool
) -> preview.Picture:
    if loader is Loader.GRUB:
        seconds = "" if screen.waits else screen.texts["seconds"].replace("%d", str(screen.wait_s))
        return preview.grub(text, screen.site, screen.texts["grub_keys"], seconds)
    if more and not screen.more:
        raise NetbootError(
            "this PC's menu has no second screen",
            hint="entries with `admin = true`, memory tests and their like stand there",
        )
    label = "more" if more else "lines"
    if client is None:
        return preview.ipxe(text, _CHARSETS[loader], label)
    # What the inventory does not know, the PC itself fills in.
    mac, ip = client.mac or "(its MAC)", str(client.ip or "(an address by DHCP)")
    return preview.ipxe(text, _CHARSETS[loader], label, mac=mac, ip=ip)


def _client(inventory: Inventory, word: str) -> Client | None:
    if word == _UNKNOWN:
        return None
    client = find_client(inventory, word)
    if client is not None:
        return client
    raise NetbootError(
        f"there is no PC {word!r} in the inventory",
        hint=f"`ognetboot list` names them; `{_UNKNOWN}` is one that nobody knows",
    )
