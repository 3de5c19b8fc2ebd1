# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC is to a system that shall be its own: name, network cards, filesystems, policy."""

from __future__ import annotations

import re
from dataclasses import dataclass

from oglib.fitting.edits import bytes_of, words_of
from oglib.fitting.policy import USUAL, FittingPolicy

_TAGS = ("UUID", "LABEL", "PARTUUID", "PARTLABEL")
_BY_TAG = re.compile(rb"/dev/disk/by-(uuid|label|partuuid|partlabel)/(.+)", re.DOTALL)
# How fstab writes a blank, and how udev writes it in the name of a link.
_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
_HEX = re.compile(rb"\\x([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Known:
    """A filesystem that is on this PC, by all its names (empty: it has none)."""

    kind: str
    uuid: str
    label: str = ""
    partuuid: str = ""
    partlabel: str = ""
    number: int = 0  # of its partition on the disk that carries the root; 0 on another disk

    def is_named(self, spec: str) -> bool:
        """Whether an fstab device means this one: ``UUID=…``, ``LABEL="x"``, a link by one of them.

        Blanks in it are escaped as fstab (``\\040``) or udev (``\\x20``) do.
        """
        tag, value = _tag_of(spec)
        if tag not in _TAGS or not value:
            return False
        have = (self.uuid, self.label, self.partuuid, self.partlabel)[_TAGS.index(tag)]
        return bool(have) and (
            have.lower() == value.lower() if tag.endswith("UUID") else have == value
        )


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
    """The PC's name (empty: it has none) and what is on the disk that carries the system.

    ``nics``: the one that it was started by first. ``disk_id``: the disk's link in
    ``/dev/disk/by-id``, empty where it has none. ``policy``: what the site wants. ``new_files``:
    paths that the other steps make where no file was.
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

    def own(self, purpose: str) -> str:
        """32 hexadecimal digits that are this PC's and no other's; empty where it is not known.

        The same each time for one system on one PC; who knows the one for a purpose does not
        know those for others.
        """
        if not self.nics:
            return ""
        import hashlib  # noqa: PLC0415 - listings know these facts and need no digests

        told = "\0".join([purpose, self.root.uuid, *sorted(one.mac for one in self.nics)])
        return hashlib.sha256(told.encode()).hexdigest()[:32]


def _tag_of(spec: str) -> tuple[str, str]:
    raw = _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), bytes_of(spec))
    link = _BY_TAG.fullmatch(raw)
    if link:
        name = _HEX.sub(lambda found: bytes([int(found[1], 16)]), link[2])
        return words_of(link[1]).upper(), words_of(name)
    tag, _, value = words_of(raw).partition("=")
    return tag, value.strip("\"'")
