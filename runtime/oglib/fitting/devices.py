# SPDX-License-Identifier: GPL-3.0-or-later
"""What a device in a system's own files means on this PC: pure, and the one answer to it.

A file names a filesystem by a tag (``UUID=``), by a link that says the same, or by a place on the
PC that it was written on (``/dev/sda3``, ``/dev/disk/by-path/…-part3``): of such a name the
number of the partition alone holds on another PC. What is mapped (LVM, LUKS, RAID) is named by the
system itself when it opens it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from oglib.fitting.edits import bytes_of, words_of

SWAP = "swap"
TAGS = ("UUID", "LABEL", "PARTUUID", "PARTLABEL")
_BY_TAG = re.compile(rb"/dev/disk/by-(uuid|label|partuuid|partlabel)/(.+)", re.DOTALL)
# How fstab writes a blank, and how udev writes it in the name of a link.
_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
_HEX = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_NUMBERED = re.compile(
    r"/dev/(?:[hsv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+p|mmcblk\d+p|(?:cciss|ida)/c\d+d\d+p)(\d{1,4})"
    r"|/dev/disk/by-(?:id|path)/[^\s/]*-part(\d{1,4})",
    re.ASCII,
)
_MAPPED = ("/dev/mapper/", "/dev/disk/by-id/dm-", "/dev/disk/by-id/lvm-", "/dev/md", "/dev/dm-")
_OF_A_GROUP = re.compile(
    r"/dev/(?!(?:disk|block|char|fd|shm|pts|cciss|ida)/)[A-Za-z0-9+_.-]+/[^\s/]+"
)
_NAME = r"((?:[^-/\s]|--)+)"
_MOST_CHARS = 300  # of a path: the kernel's device mapper takes names of 127 (DM_NAME_LEN)
_OF_MAPPER = re.compile(rf"/dev/mapper/{_NAME}-{_NAME}")


@dataclass(frozen=True, slots=True)
class Known:
    """A filesystem that is on this PC, by all its names (empty: it has none).

    ``nodes``: the paths of a volume (``/dev/vg/lv``, ``/dev/mapper/vg-lv``).
    """

    kind: str
    uuid: str
    label: str = ""
    partuuid: str = ""
    partlabel: str = ""
    number: int = 0  # of its partition on the disk that carries the root; 0 on another disk
    nodes: tuple[str, ...] = ()

    @property
    def spec(self) -> str:
        """How a file names it for good; empty where nothing is known to name it.

        A volume by its path: some systems open no other at their start.
        """
        if self.nodes:
            return self.nodes[-1]
        by = (("UUID", self.uuid), ("PARTUUID", self.partuuid))
        return next((f"{tag}={value}" for tag, value in by if value), "")

    def is_named(self, spec: str) -> bool:
        """Whether an fstab device means this one: ``UUID=…``, ``LABEL="x"``, a link by one of them.

        Blanks in it are escaped as fstab (``\\040``) or udev (``\\x20``) do.
        """
        if spec in self.nodes:
            return True
        tag, value = _tag_of(spec)
        if tag not in TAGS or not value:
            return False
        have = (self.uuid, self.label, self.partuuid, self.partlabel)[TAGS.index(tag)]
        return bool(have) and (
            have.lower() == value.lower() if tag.endswith("UUID") else have == value
        )

    def is_sure(self, spec: str, present: Sequence[Known]) -> bool:
        """Whether a name means this filesystem and no other one that is here.

        Two copies of one image have the same label.
        """
        return self.is_named(spec) and not any(one.is_named(spec) for one in present if one != self)


def named_by(device: str, kind: str, present: Sequence[Known]) -> Known | None:
    """Which of the filesystems a device means; None where it is none, or not sure.

    ``kind`` is what is said to be on it: only a name by its number needs that.
    """
    for one in present:
        if one.is_named(device):
            return one
    # /dev/sda3 of the model PC is the third partition of whatever disk this PC has
    number = number_of(device)
    if number is None:
        return None
    same = [
        one for one in present if one.uuid and one.number == number and kind in (one.kind, "auto")
    ]
    return same[0] if len(same) == 1 else None


def number_of(device: str) -> int | None:
    """The partition's number in a name by its place (``/dev/sda3``, ``…-part3``); None elsewhere.

    What is mapped has no place, also where its name ends in a number.
    """
    found = None if is_mapped(device) else _NUMBERED.fullmatch(device)
    return int(found[1] or found[2]) if found else None


def volume_of(device: str) -> tuple[str, str] | None:
    """Group and name in the path of a volume (``/dev/vg/lv``, ``/dev/mapper/vg-lv``), else None.

    In the second the device mapper doubles a ``-`` inside of a name.
    """
    if len(device) > _MOST_CHARS:
        return None
    if found := _OF_MAPPER.fullmatch(device):
        return found[1].replace("--", "-"), found[2].replace("--", "-")
    if not _OF_A_GROUP.fullmatch(device) or device.startswith(_MAPPED):
        return None
    group, name = device.split("/")[2:4]
    return group, name


def is_mapped(device: str) -> bool:
    """LVM and LUKS names appear only when their volumes are opened, by the system itself."""
    return device.startswith(_MAPPED) or bool(_OF_A_GROUP.fullmatch(device))


def is_tag(device: str) -> bool:
    """Whether it is a name by what is on it: ``LABEL=x``, ``/dev/disk/by-label/x``."""
    return _tag_of(device)[0] in TAGS


def _tag_of(spec: str) -> tuple[str, str]:
    raw = _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), bytes_of(spec))
    link = _BY_TAG.fullmatch(raw)
    if link:
        name = _HEX.sub(lambda found: bytes([int(found[1], 16)]), link[2])
        return words_of(link[1]).upper(), words_of(name)
    tag, _, value = words_of(raw).partition("=")
    return tag, value.strip("\"'")
