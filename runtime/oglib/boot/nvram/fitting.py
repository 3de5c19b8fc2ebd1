# SPDX-License-Identifier: GPL-3.0-or-later
"""The step ``boot-entries``: this PC's firmware has one entry for the system, and starts it.

The entry is called by system and partition (``debian Part-01-02``), so that two copies of one
image are told apart. What is taken away is the system's own: entries of that label, and dead ones
that led into its folder. Those of other systems stay, and the removable path needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from oglib.boot.esp import esp_folder, esp_of
from oglib.boot.facts import BootFacts
from oglib.boot.nvram import planning
from oglib.boot.nvram.load_option import Kind, LoadOption, loader
from oglib.boot.nvram.planning import PresenceProbe
from oglib.boot.nvram.presence import is_file, presence_on
from oglib.boot.nvram.table import BootTable, Entry, read_table, write
from oglib.boot.nvram.variables import SYS, Variables, here
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.probe import list_disks
from oglib.disk.probing.lsblk import is_virtual
from oglib.errors import NotFoundError, OgError
from oglib.fitting.edits import Files
from oglib.fitting.fittings import Check, Need
from oglib.texts import joined

REMOVABLE = "EFI/BOOT/BOOTX64.EFI"
# In the folder of a system: the first that is there is started. A shim starts what is beside it,
# and is what the firmware of a PC with Secure Boot takes.
_LOADERS = ("ogloader.efi", "shimx64.efi", "grubx64.efi")


def own_label(os_id: str, place: str) -> str:
    """What the entry of a system is called; ``place`` is its ``part_label``."""
    return f"{os_id or 'linux'} {place}"


def folders(os_id: str, place: str) -> tuple[str, ...]:
    """Where on the ESP a system's loader may be, the one that is its alone first."""
    return (f"EFI/{place}/Boot", f"EFI/{place}", *((f"EFI/{os_id}",) if os_id else ()))


def loader_in(top: Path, inside: Sequence[str]) -> str:
    """The loader that starts a system, below the top of an ESP; empty where none is there.

    ``inside``: its folders.
    """
    names = [f"{folder}/{name}" for folder in inside for name in _LOADERS]
    return next((name for name in names if is_file(top, name)), "")


def planned(
    table: BootTable, option: LoadOption, facts: BootFacts, probe: PresenceProbe
) -> BootTable:
    """The table with this one entry for the system; pure but for what ``probe`` asks.

    An entry that is there already stays, with its number. The network goes first where the site
    wants it, and the firmware has it.
    """
    same = [one for one in table.entries if one.option == option]
    kept = min(same, key=lambda one: _place(table, one)) if same else None
    gone = {one.number for one in table.entries if _is_old(one, facts, probe, table)}
    table = planning.without(table, gone - {kept.number if kept else None})
    if kept is None:
        table = planning.added(table, option)
    elif not table.order or table.order[0] != kept.number:
        table = planning.brought_forward(table, [kept.number])
    order = tuple(number for number in table.order if table.entry(number) is not None)
    table = replace(table, order=tuple(dict.fromkeys(order)))
    return planning.network_first(table) if facts.network_first else table


def _place(table: BootTable, entry: Entry) -> tuple[int, int]:
    order = table.order
    return (order.index(entry.number) if entry.number in order else len(order), entry.number)


def _is_old(entry: Entry, facts: BootFacts, probe: PresenceProbe, table: BootTable) -> bool:
    """Whether an entry is one that the system had before: of its label, or dead in its folder."""
    if entry.label == own_label(facts.os_id, facts.place):
        return True
    target = entry.option.target
    if target.kind is not Kind.FILE:
        return False
    file = target.file.strip("/").casefold()
    own = folders(facts.os_id, facts.place)
    inside = any(file.startswith(f"{folder.casefold()}/") for folder in own)
    return inside and planning.is_dead(entry, table, probe)


class BootEntries:
    """The fitting: reads and writes the variables of this PC's firmware."""

    name = "boot-entries"

    def check(self, root: Files, facts: BootFacts) -> Check:
        why = _why_not(facts)
        if why:
            return Check(Need.NOT_NEEDED, why)
        try:
            store = here()
            old, new = _tables(store, root, facts)
        except OgError as error:
            return Check(Need.CANNOT, error.message)
        except OSError as error:
            return Check(Need.CANNOT, f"the ESP cannot be read: {error.strerror}")
        told = planning.changes(old, new)
        return Check(Need.NEEDED if told else Need.NOT_NEEDED, joined(told) or "already so")

    def apply(self, root: Files, facts: BootFacts, checked: Check) -> str:  # noqa: ARG002
        store = here()
        old, new = _tables(store, root, facts, installed=True)
        write(store, old, new)
        return joined(planning.changes(old, new)) or "already so"


def _why_not(facts: BootFacts) -> str:
    path = facts.disk.path
    if facts.disk.number == 0 or path.is_file() or is_virtual(path.name):
        return "a disk in a file: no firmware has entries for it"
    if running_firmware(sys=SYS) is not Firmware.UEFI:
        return "this PC was not started by UEFI; the removable path starts without an entry"
    return ""


def _tables(
    store: Variables, root: Files, facts: BootFacts, *, installed: bool = False
) -> tuple[BootTable, BootTable]:
    """What is there, and what shall be. ``installed``: the loader must be on the ESP by now."""
    esp = esp_of(facts.disk)
    inside = folders(facts.os_id, facts.place)
    # as the disks are now: the one that is being fitted was partitioned a moment ago
    disks = [facts.disk, *(one for one in list_disks() if one.path != facts.disk.path)]
    with esp_folder(root, facts) as top:
        file = loader_in(top, inside) or (REMOVABLE if is_file(top, REMOVABLE) else "")
        if not file and installed:
            raise NotFoundError(f"There is no loader on the ESP, partition {esp.number}, to start.")
        # a step before this one puts it there
        file = file or f"{inside[0]}/{_LOADERS[0]}"
        old = read_table(store)
        option = loader(own_label(facts.os_id, facts.place), facts.disk, esp, file)
        return old, planned(old, option, facts, presence_on(disks, {esp.partuuid.lower(): top}))


BOOT_ENTRIES = BootEntries()
