# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what some PCs boot into a tree that is there: one PC of thousands costs one PC."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ognetboot.assigning.offers import OfferedTo
from ognetboot.errors import NetbootError
from ognetboot.inventory.model import Client, Inventory
from ognetboot.texts import publish
from ognetboot.texts.render import render_screens


def check_tree(out: Path, inventory: Path) -> None:
    """Refuse a folder that is no tree, or that another inventory was rendered into."""
    publish.renew(out, {})
    source = publish.remembered(out)
    if source is not None and source != inventory.resolve():
        raise NetbootError(
            f"{out} was rendered from {source}, not from {inventory}",
            hint="name that one with --inventory, or another tree with --out",
        )


def refresh(
    inventory: Inventory, clients: Collection[Client], offered: OfferedTo, out: Path
) -> int:
    """Write the files of these PCs; how many were another before."""
    texts = render_screens(inventory, clients, offered)
    return len(publish.renew(out, {name: text.encode() for name, text in texts.items()}).written)
