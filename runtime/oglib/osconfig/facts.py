# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC is to a system that shall be its own: its name and its filesystems."""

from __future__ import annotations

from dataclasses import dataclass

from oglib.fitting.devices import Known

__all__ = ["Known", "PcFacts"]


@dataclass(frozen=True, slots=True)
class PcFacts:
    """The PC's name (empty: it has none) and the filesystems that are here.

    ``swaps`` and ``esp`` are those of the disk that carries the system, ``others`` all else, on
    whatever disk of this PC. ``subvolumes``: those that the system's fstab names and its own btrfs
    has.
    """

    root: Known
    hostname: str = ""
    swaps: tuple[Known, ...] = ()
    esp: Known | None = None
    others: tuple[Known, ...] = ()
    subvolumes: tuple[str, ...] = ()

    @property
    def present(self) -> tuple[Known, ...]:
        """Every filesystem that is here; one that was seen twice is told once."""
        esp = (self.esp,) if self.esp else ()
        return tuple(dict.fromkeys((self.root, *self.swaps, *esp, *self.others)))
