# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC is to a system that shall be its own: name, network cards, filesystems, policy."""

from __future__ import annotations

from dataclasses import dataclass

from oglib.fitting.devices import Known
from oglib.fitting.policy import USUAL, FittingPolicy


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card: the name that a Linux of today gives it, all it may have, its address.

    ``mac`` in capital letters, parted by colons.
    """

    name: str
    names: frozenset[str]
    mac: str


@dataclass(frozen=True, slots=True)
class PcFacts:
    """The PC's name (empty: it has none), its filesystems, network cards, and the site's policy.

    ``swaps`` and ``esp`` are those of the disk that carries the system, ``others`` all else, on
    whatever disk of this PC. ``nics``: the one that it was started by first. ``disk_id``: the
    disk's link in ``/dev/disk/by-id``, empty where it has none. ``policy``: what the site wants.
    ``new_files``: paths that the other steps make where no file was. ``subvolumes``: those that
    the system's fstab names and its own btrfs has.
    """

    root: Known
    hostname: str = ""
    swaps: tuple[Known, ...] = ()
    esp: Known | None = None
    others: tuple[Known, ...] = ()
    nics: tuple[Nic, ...] = ()
    disk_id: str = ""
    policy: FittingPolicy = USUAL
    new_files: tuple[str, ...] = ()
    subvolumes: tuple[str, ...] = ()

    def own(self, purpose: str) -> str:
        """32 hexadecimal digits that are this PC's and no other's; empty where it is not known.

        The same each time for one system on one PC; who knows the one for a purpose does not
        know those for others.
        """
        if not self.nics:
            return ""
        import hashlib  # noqa: PLC0415 - listings know filesystems, and make no ids

        told = "\0".join([purpose, self.root.uuid, *sorted(one.mac for one in self.nics)])
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    @property
    def present(self) -> tuple[Known, ...]:
        """Every filesystem that is here; one that was seen twice is told once."""
        esp = (self.esp,) if self.esp else ()
        return tuple(dict.fromkeys((self.root, *self.swaps, *esp, *self.others)))
