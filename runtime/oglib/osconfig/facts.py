# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC is to a system that shall be its own: its name and its filesystems."""

from __future__ import annotations

import re
from dataclasses import dataclass

from oglib.fitting.edits import bytes_of, words_of

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
class PcFacts:
    """The PC's name (empty: it has none) and what is on the disk that carries the system."""

    root: Known
    hostname: str = ""
    swaps: tuple[Known, ...] = ()
    esp: Known | None = None
    others: tuple[Known, ...] = ()


def _tag_of(spec: str) -> tuple[str, str]:
    raw = _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), bytes_of(spec))
    link = _BY_TAG.fullmatch(raw)
    if link:
        name = _HEX.sub(lambda found: bytes([int(found[1], 16)]), link[2])
        return words_of(link[1]).upper(), words_of(name)
    tag, _, value = words_of(raw).partition("=")
    return tag, value.strip("\"'")
