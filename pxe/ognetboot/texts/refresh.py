# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what some PCs boot into a tree that is there: one PC of thousands costs one PC."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from ognetboot.assigning.offers import OfferedTo
from ognetboot.errors import NetbootError
from ognetboot.inventory.model import Client, Inventory
from ognetboot.texts import publish
from ognetboot.texts.render import render_screens

Files = Mapping[PurePosixPath, bytes]


def check_tree(out: Path, inventory: Path) -> None:
    """Refuse a folder that is no tree, or that another inventory was rendered into."""
    publish.renew(out, {})
    check_source(out, inventory, hint="name that one with --inventory, or another tree with --out")


def check_source(out: Path, inventory: Path, *, hint: str) -> None:
    """Refuse a folder that another inventory was rendered into: its PCs would be gone from it."""
    source = publish.remembered(out)
    if source is not None and source != inventory.resolve():
        raise NetbootError(f"{out} was rendered from {source}, not from {inventory}", hint=hint)


def prepared(inventory: Inventory, clients: Collection[Client], offered: OfferedTo) -> Files:
    """The files of these PCs; what cannot be rendered is refused here."""
    texts = render_screens(inventory, clients, offered)
    return {name: text.encode() for name, text in texts.items()}


def write_prepared(out: Path, files: Files) -> int:
    """Write them into the tree; how many were others before."""
    return len(publish.renew(out, files).written)
