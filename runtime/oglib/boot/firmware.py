# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses what this PC's firmware would not start; ``disk.starts`` says what can start what.

The numbers say what this PC is not, as the old engine's messages do: NOTBIOS for what a BIOS would
start, on a PC with UEFI; NOTUEFI for the reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from oglib.disk.firmware import Firmware
from oglib.disk.model import TableKind
from oglib.disk.starts import BIOS_BOOT, ESP, starters
from oglib.errors import OgErr, OgError, PartitionError

_CODES = {Firmware.UEFI: OgErr.NOTBIOS, Firmware.BIOS: OgErr.NOTUEFI}


def check(
    able: Collection[Firmware], here: Firmware, sentence: Callable[[str, str], str], *, hint: str
) -> None:
    """Refuse what other firmware alone can start; what nothing starts is nobody's.

    ``sentence`` makes it of the words for that firmware and for this PC's.
    """
    if able and here not in able:
        theirs = "/".join(sorted(one.upper() for one in able))
        raise OgError(sentence(theirs, here.upper()), hint=hint, code=_CODES[here])


def check_uefi(here: Firmware, lacking: str) -> None:
    """Refuse what only a PC that UEFI started has; ``lacking`` names it."""
    if here is not Firmware.UEFI:
        raise OgError(
            f"This PC was not started by UEFI, so there are no {lacking}.",
            hint="Start ogLive by UEFI if this PC has it.",
            code=_CODES[here],
        )


def check_table(table: TableKind, types: Collection[str], here: Firmware, where: str) -> None:
    """Refuse a table, planned or there, on which nothing can be installed that ``here`` starts.

    ``types`` are its partitions'; ``where`` names the disk. PARTITION where there is no table.
    """
    if table is TableKind.NONE:
        raise PartitionError(
            f"{where} has no partition table, so nothing can be started from it.",
            hint="Give a layout, or write one first: `og disk apply`.",
        )
    if here in starters(table, types):
        return
    if here is Firmware.UEFI:
        raise OgError(
            f"{where} has no EFI system partition, so UEFI firmware cannot start it.",
            hint=f"Use a layout with a partition of type {ESP}.",
            code=_CODES[here],
        )
    raise OgError(
        f"{where} has a {table} table without a BIOS boot partition, so a BIOS "
        "cannot start GRUB from it.",
        hint=f"Add a partition of type {BIOS_BOOT} and 1 MiB, or use an msdos table.",
        code=_CODES[here],
    )
