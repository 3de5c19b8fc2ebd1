# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the PC that somebody speaks of, at once, however large the inventory is. Pure."""

from __future__ import annotations

from ognetboot.hearing.identity import Claim
from ognetboot.inventory.model import Client, Inventory


class Known:
    """An inventory by what PCs say of themselves."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._macs = {mac: client for client in inventory.clients for mac in client.macs}
        self._uuids = {client.uuid: client for client in inventory.clients if client.uuid}

    def find(self, claim: Claim) -> Client | None:
        """The PC of this MAC, but of an adapter that PCs share; else the one of this UUID."""
        if claim.mac not in self.inventory.adapters and claim.mac in self._macs:
            return self._macs[claim.mac]
        return self._uuids.get(claim.uuid)
