# SPDX-License-Identifier: GPL-3.0-or-later
"""A PC belongs to one inventory: which PCs another one claims too. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ognetboot.inventory.model import Client

Mark = tuple[str, str]


def marks(client: Client) -> Iterator[Mark]:
    """All by which a loader tells the PC."""
    yield from (("MAC", mac) for mac in client.macs)
    if client.uuid is not None:
        yield "UUID", client.uuid


def claimed(
    ours: Iterable[Client], theirs: Iterable[Client]
) -> Iterator[tuple[Client, Mark, Client]]:
    """Each of our PCs that they claim too: by what, and what they call it."""
    owners = {mark: client for client in theirs for mark in marks(client)}
    for client in ours:
        for mark in marks(client):
            if mark in owners:
                yield client, mark, owners[mark]
                break
