# SPDX-License-Identifier: GPL-3.0-or-later
"""fstab on another PC: pure text in, text out.

Owns which line names which filesystem after a restore. Of a line that changes, the device alone
does: columns, comments, line ends and all other lines stay as they are. Every changed line is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from oglib.fitting.devices import SWAP, TAGS, Known, is_mapped, named_by, number_of
from oglib.osconfig.facts import PcFacts
from oglib.texts import shortened

# Blanks and tabs alone part the fields, and a newline alone the lines: other blanks are characters.
# A word that begins with # begins a comment.
_FIELDS = re.compile(
    r"([ \t]*)([^ \t\r]+)([ \t]+)([^ \t\r#][^ \t\r]*)([ \t]+)([^ \t\r#][^ \t\r]*)"
    r"((?:[ \t]+[^ \t\r#][^ \t\r]*)?)"
    r"((?:[ \t]+.*|\r)?)",
    re.DOTALL,
)
_MARK = "# ogLive: not on this PC: "
_FAT = ("vfat", "msdos", "auto")
# Where distributions mount the ESP; in lower case, for FAT does not tell them apart.
_ESP_POINTS = ("/boot/efi", "/efi", "/esp", "/boot/esp")
_BOOT = "/boot"  # of Arch and systemd-boot, where it is a FAT
_ESP_LINE = "{device}\t/boot/efi\tvfat\tumask=0077\t0\t1"
_SWAP_LINE = "{device}\tnone\tswap\tsw\t0\t0"
# Of an fstab, which is hostile text, go to mount: nothing that could be read as another option.
_SUBVOLUME = re.compile(r"subvol=/?([A-Za-z0-9@._-]+(?:/[A-Za-z0-9@._-]+)*)")


@dataclass(frozen=True, slots=True)
class Entry:
    """What an fstab mounts: its device as written there, where, as what, with which options."""

    device: str
    point: str
    kind: str
    options: str

    @property
    def subvolume(self) -> str:
        """The subvolume of btrfs that it names; empty where it is none, or not plain."""
        found = [_SUBVOLUME.fullmatch(option) for option in self.options.split(",")]
        names = [match[1] for match in found if match]
        return names[0] if len(names) == 1 else ""

    @property
    def is_root(self) -> bool:
        return self.point == "/"

    @property
    def is_swap(self) -> bool:
        return self.kind == SWAP

    @property
    def is_esp(self) -> bool:
        """Whether a FAT is mounted where systems have their ESP, by a name of its own."""
        return self.kind in _FAT and self.point.lower() in _ESP_POINTS

    @property
    def what(self) -> str:
        """What a person is told of it."""
        return SWAP if self.is_swap else shortened(self.point)


@dataclass(frozen=True, slots=True)
class NewFstab:
    """The text to write and what changed in it, a sentence a line."""

    text: str
    changes: tuple[str, ...]


def adapt_fstab(text: str, facts: PcFacts) -> NewFstab:
    """The fstab for this PC; a text that changes ends with a newline, as fstab(5) asks."""
    table = [(line, _fields(line)) for line in text.split("\n")]
    meaning = _Meaning(facts, [_entry(fields) for _, fields in table if fields])
    lines: list[str] = []
    changes: list[str] = []
    for line, fields in table:
        new, told = meaning.line(line, fields) if fields else (line, "")
        lines.append(new)
        if told:
            changes.append(told)
    if more := meaning.missing(changes):
        lines = [*(lines if lines[-1] else lines[:-1]), *more, ""]
    if changes and lines[-1]:
        lines.append("")
    return NewFstab("\n".join(lines), tuple(changes))


class _Meaning:
    """What the lines of one fstab mean here: each swap is given once, an ESP is mounted once."""

    def __init__(self, facts: PcFacts, entries: Sequence[Entry]) -> None:
        self._facts = facts
        self._entries = entries
        self._roots = {one.device for one in entries if one.is_root}
        named = [self._named_swap(one.device) for one in entries if one.is_swap]
        self._free = [one for one in facts.swaps if one not in named]
        self._esp_points = [one for one in entries if one.is_esp] or [
            one for one in entries if one.point == _BOOT and one.kind in _FAT[:2]
        ]
        self._esp_device = self._which_is_esp()

    def line(self, line: str, fields: Sequence[str]) -> tuple[str, str]:
        """The line as it shall be, and what is told of it where that is another one."""
        entry = _entry(fields)
        if entry.is_swap and is_mapped(entry.device):
            return line, ""
        wanted = self._wanted(entry)
        told = shortened(entry.device)
        if wanted is not None:
            device = wanted.spec
            if not device or wanted.is_sure(entry.device, self._facts.present):
                return line, ""
            return f"{fields[0]}{device}" + "".join(fields[2:]), (
                f"{entry.what}: {told} is now {device}"
            )
        if entry.is_swap or entry.is_root or entry.device == self._esp_device:
            return _MARK + line.lstrip(" \t"), (
                f"{entry.what}: {told} is not on this PC, line commented out"
            )
        return _with_nofail(line, fields, entry)

    def missing(self, changes: list[str]) -> list[str]:
        """Lines for what is here and has none."""
        lines = []
        if self._free and not any(one.is_swap for one in self._entries):
            changes.append(f"swap: {self._free[0].spec} added")
            lines.append(_SWAP_LINE.format(device=self._free[0].spec))
        esp = self._facts.esp
        if esp and not self._esp_device and not self._esp_points:
            changes.append(f"/boot/efi: {esp.spec} added")
            lines.append(_ESP_LINE.format(device=esp.spec))
        return lines

    def _wanted(self, entry: Entry) -> Known | None:
        facts = self._facts
        if entry.is_swap:
            return self._named_swap(entry.device) or self._next_swap(entry.device)
        # what the line of the root names is the root's filesystem here too, whoever else has that
        # name by now: the other copy of an image on this disk
        if entry.is_root or entry.device in self._roots:
            return facts.root
        if entry.device == self._esp_device and facts.esp:
            return facts.esp
        named = next((one for one in facts.present if one.is_named(entry.device)), None)
        if named is None and self._is_of_root(entry):
            return facts.root
        others = [one for one in facts.present if one != facts.root]
        return named or named_by(entry.device, entry.kind, others)

    def _is_of_root(self, entry: Entry) -> bool:
        """Whether it is a subvolume of the filesystem that the root is on, however written.

        No tag of it is here, so it is not another filesystem; and the root's has that subvolume.
        """
        mine = entry.kind in (self._facts.root.kind, "auto")
        return mine and entry.subvolume in self._facts.subvolumes

    def _named_swap(self, device: str) -> Known | None:
        facts = self._facts
        known = (*facts.swaps, *(one for one in facts.others if one.kind == SWAP))
        return next((one for one in known if one.is_named(device)), None)

    def _next_swap(self, device: str) -> Known | None:
        """The one of the same number, else the next that no line has."""
        number = number_of(device)
        same = [one for one in self._free if one.number == number]
        entries = next(iter((*same, *self._free)), None)
        if entries is not None:
            self._free.remove(entries)
        return entries

    def _which_is_esp(self) -> str:
        """The device, as it is written, of the lines that mount this disk's ESP; empty: none do."""
        esp = self._facts.esp
        for one in self._entries:
            if esp and not one.is_swap and esp.is_named(one.device):
                return one.device
        # one that names another FAT of this PC is that one's
        others = [one for one in self._facts.present if one != esp]
        free = (
            one.device
            for one in self._esp_points
            if not any(other.is_named(one.device) for other in others)
        )
        return next(free, "")


def swap_uuids(text: str) -> list[str]:
    """The UUIDs that an fstab names as swap, in its order."""
    found = [fields for fields in map(_fields, text.split("\n")) if fields]
    return [
        one.device.partition("=")[2].strip("\"'")
        for one in map(_entry, found)
        if one.is_swap and one.device.startswith("UUID=")
    ]


def has_swap_file(text: str) -> bool:
    """Whether a file, and no partition, is all the swap that an fstab names."""
    found = [_FIELDS.fullmatch(line) for line in text.split("\n")]
    swaps = [one[2] for one in found if one and one[6] == SWAP and not one[2].startswith("#")]
    return bool(swaps) and all(one.startswith("/") and not one.startswith("/dev/") for one in swaps)


def entries(text: str) -> tuple[Entry, ...]:
    """What an fstab mounts from devices, in its order; swap is none of it."""
    found = [_entry(fields) for fields in map(_fields, text.split("\n")) if fields]
    return tuple(one for one in found if not one.is_swap)


def _entry(fields: Sequence[str]) -> Entry:
    return Entry(fields[1], fields[3].rstrip("/") or "/", fields[5], fields[6].strip())


def _fields(line: str) -> tuple[str, ...] | None:
    """The pieces of a line that mounts something from a device, blanks kept between them."""
    if line.lstrip(" \t").startswith("#"):
        return None
    found = _FIELDS.fullmatch(line)
    if found is None:
        return None
    device, kind = found.group(2), found.group(6)
    on_device = device.startswith("/dev/") or device.partition("=")[0] in TAGS
    if not on_device or device.startswith("/dev/zram") or kind in ("tmpfs", "none"):
        return None
    return found.groups()


def _with_nofail(line: str, fields: Sequence[str], entry: Entry) -> tuple[str, str]:
    """A filesystem that this PC has not: the boot must not wait for it for ever."""
    options = entry.options.split(",")
    if not {"noauto", "nofail"}.isdisjoint(options) or is_mapped(entry.device):
        return line, ""
    told = f"{entry.what}: {shortened(entry.device)} is not on this PC, option nofail added"
    given = fields[6].rstrip()
    return "".join(fields[:6]) + (given or "\tdefaults") + ",nofail" + fields[7], told
