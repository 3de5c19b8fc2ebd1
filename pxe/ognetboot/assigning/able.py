# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC must not or cannot be told to start, as the rest of a sentence. Pure.

Only what is known counts: a PC whose firmware nobody said is taken for able.
"""

from __future__ import annotations

from datetime import datetime

from ognetboot.assigning import times
from ognetboot.inventory.entries import Entry, Kind
from ognetboot.inventory.model import Client, Firmware, Inventory, UefiLoader


def why_not(inventory: Inventory, client: Client, entry: Entry, now: datetime) -> str | None:
    """Why this PC is not to start that entry at `now`: protected, or not able to; None: it may."""
    if entry.job is not None and entry.job.destructive:
        until = inventory.choices_of(client).protected_until
        if until is not None and now < until:
            return f"is protected from jobs that write to its disk until {times.told_end(until)}"
    if entry.kind is Kind.FIRMWARE and client.firmware is Firmware.BIOS:
        return "has a BIOS, whose setup no program can open"
    signed = inventory.server.uefi_loader is UefiLoader.SHIM
    if entry.kind is Kind.MEMTEST and signed and client.firmware is Firmware.UEFI:
        return "starts with Secure Boot, and the memory test is not signed"
    return None


def why_not_counted(inventory: Inventory, client: Client, entry: Entry) -> str | None:
    """Why nobody hears how often this PC gets to that entry; None: it is heard.

    ogLive reports by itself, and iPXE just before it starts anything else. GRUB does not: it would
    wait minutes for a server that is silent.
    """
    if entry.kind is Kind.OGLIVE:
        return None
    if entry.kind is Kind.MENU:
        return "has got to a menu, and nothing tells it"
    signed = inventory.server.uefi_loader is UefiLoader.SHIM
    if signed and client.firmware is not Firmware.BIOS:
        return "may start by Secure Boot's GRUB, which reports nothing"
    return None
