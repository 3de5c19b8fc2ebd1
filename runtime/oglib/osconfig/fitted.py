# SPDX-License-Identifier: GPL-3.0-or-later
"""What fits each kind of system to a PC: one table.

A kind without a row is restored, not fitted, and called by its name. A new kind is a row here, its
fittings in a package beside ``linux``.
"""

from __future__ import annotations

from oglib.fitting.fittings import Fitting
from oglib.osconfig.facts import PcFacts
from oglib.osconfig.kinds import LINUX, OperatingSystem, find_system
from oglib.osconfig.linux import fittings as linux
from oglib.osconfig.opened_system import OpenedSystem

FITTINGS: dict[str, tuple[Fitting[PcFacts], ...]] = {LINUX: linux.FITTINGS}
# What comes behind all that starts the system.
LAST: dict[str, tuple[Fitting[PcFacts], ...]] = {LINUX: linux.LAST}
# Of these, restored systems were started after they were fitted; others have files of their shape.
_STARTED = ("debian",)


def how_proven(system: OperatingSystem) -> tuple[str, ...]:
    """What a person should know of how the fitting of this system was tried, a sentence each."""
    if system.id in _STARTED:
        return ()
    return (
        f"Fitting {system.name} was tried with files of its shape (from fixtures, not "
        "boot-tested): start one such PC before you do a room.",
    )


def is_fitted(kind: str) -> bool:
    """Whether a system of this kind, an image's word, is fitted to a PC."""
    return kind in FITTINGS


def only_these() -> str:
    """The kinds that are fitted, for a sentence: ``only a Linux``."""
    return f"only a {' or a '.join(FITTINGS)}"


def why_not_fitted(system: OpenedSystem) -> str:
    """Why the system cannot be fitted to a PC, in one sentence; empty where it can.

    What depends on the disk (firmware, boot loader) is asked by who plans that, and what lies in a
    part that is not here by whoever looks there (``OpenedSystem.files``).
    """
    found = find_system(system.root)
    if found is None and "/usr" in system.absent:  # where os-release may lie
        return system.notes[system.absent.index("/usr")].rstrip(".")
    if found is None:
        return "there is no Linux on it (os-release is missing)"
    if not is_fitted(found.kind):
        return f"it holds {found.name}, and {only_these()} is fitted"
    return ""
