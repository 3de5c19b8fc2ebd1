# SPDX-License-Identifier: GPL-3.0-or-later
"""fstab on another PC: pure text in, text out.

Owns which line names which filesystem after a restore. Of a line that changes, the device alone
does: columns, comments, line ends and all other lines stay as they are. Every changed line is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from oglib.osconfig.facts import Known
from oglib.texts import shortened

# Blanks and tabs alone part the fields, and a newline alone the lines: other blanks are characters.
_FIELDS = re.compile(
    r"([ \t]*)([^ \t\r]+)([ \t]+)([^ \t\r]+)([ \t]+)([^ \t\r]+)((?:[ \t]+[^ \t\r]+)?)"
    r"((?:[ \t]+.*|\r)?)",
    re.DOTALL,
)
_KERNEL_NAME = re.compile(
    r"/dev/(?:[hsv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+p|mmcblk\d+p)(\d{1,4})", re.ASCII
)
_TAGS = ("UUID", "LABEL", "PARTUUID", "PARTLABEL")
_MARK = "# ogLive: not on this PC: "
_ESP_POINTS = ("/boot/efi", "/efi")
_ESP_LINE = "{device}\t/boot/efi\tvfat\tumask=0077\t0\t1"
_SWAP_LINE = "{device}\tnone\tswap\tsw\t0\t0"


@dataclass(frozen=True, slots=True)
class Entry:
    """What an fstab mounts: its device as written there, where, as what, with which options."""

    device: str
    point: str
    kind: str
    options: str


@dataclass(frozen=True, slots=True)
class NewFstab:
    """The text to write and what changed in it, a sentence a line."""

    text: str
    changes: tuple[str, ...]


def adapt_fstab(
    text: str,
    *,
    root: Known,
    swaps: Sequence[Known],
    esp: Known | None,
    others: Sequence[Known] = (),
) -> NewFstab:
    """The fstab for this PC: ``/``, swap and ESP as given, the rest found among ``others``."""
    present = (root, *swaps, *((esp,) if esp else ()), *others)
    free_swaps = [one for one in swaps]
    lines: list[str] = []
    changes: list[str] = []
    seen_esp = False
    table = [(line, _fields(line)) for line in text.split("\n")]
    swap_lines = [fields for _, fields in table if fields and _is_swap(fields)]
    old_root = next((fields[1] for _, fields in table if fields and fields[3] == "/"), "")
    for named in swap_lines:
        free_swaps = [one for one in free_swaps if not one.is_named(named[1])]
    for line, fields in table:
        if fields is None:
            lines.append(line)
            continue
        device, point = fields[1], fields[3]
        wanted: Known | None
        if point == "/":
            wanted = root
        elif _is_swap(fields) and device_is_mapped(device):
            lines.append(line)
            continue
        elif _is_swap(fields):
            wanted = next((one for one in swaps if one.is_named(device)), None)
            wanted = wanted or (free_swaps.pop(0) if free_swaps else None)
        elif point in _ESP_POINTS:
            wanted, seen_esp = esp, True
        else:
            wanted = named_by(device, fields[5], present)
            if wanted is None and device == old_root:
                wanted = root  # a subvolume of the filesystem that the root is on
            if wanted is None:
                lines.append(_with_nofail(line, fields, changes))
                continue
        lines.append(_with_device(line, fields, wanted, changes))
    more = _missing(
        swap=free_swaps[0] if free_swaps and not swap_lines else None,
        esp=esp if not seen_esp else None,
        changes=changes,
    )
    if more:
        lines = [*(lines if lines[-1] else lines[:-1]), *more, ""]
    return NewFstab("\n".join(lines), tuple(changes))


def swap_uuids(text: str) -> list[str]:
    """The UUIDs that an fstab names as swap, in its order."""
    found = [fields for fields in map(_fields, text.split("\n")) if fields and _is_swap(fields)]
    return [
        fields[1].partition("=")[2].strip("\"'")
        for fields in found
        if fields[1].startswith("UUID=")
    ]


def entries(text: str) -> tuple[Entry, ...]:
    """What an fstab mounts from devices, in its order; swap is none of it."""
    found = [fields for fields in map(_fields, text.split("\n")) if fields]
    return tuple(
        Entry(fields[1], fields[3].rstrip("/") or "/", fields[5], fields[6].strip())
        for fields in found
        if not _is_swap(fields)
    )


def _fields(line: str) -> tuple[str, ...] | None:
    """The pieces of a line that mounts something from a device, blanks kept between them."""
    if line.lstrip(" \t").startswith("#"):
        return None
    found = _FIELDS.fullmatch(line)
    if found is None:
        return None
    device, kind = found.group(2), found.group(6)
    on_device = device.startswith("/dev/") or device.partition("=")[0] in _TAGS
    if not on_device or device.startswith("/dev/zram") or kind in ("tmpfs", "none"):
        return None
    return found.groups()


def _is_swap(fields: Sequence[str]) -> bool:
    return fields[5] == "swap"


def named_by(device: str, kind: str, present: Sequence[Known]) -> Known | None:
    """Which of the filesystems an fstab's device means; None where it is none, or not sure."""
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
    """The partition's number in a kernel's name such as ``/dev/sda3``; None where it is none."""
    found = _KERNEL_NAME.fullmatch(device)
    return int(found[1]) if found else None


def _with_device(line: str, fields: Sequence[str], wanted: Known | None, changes: list[str]) -> str:
    device, point = fields[1], fields[3]
    what, told = "swap" if _is_swap(fields) else shortened(point), shortened(device)
    if wanted is None:
        changes.append(f"{what}: {told} is not on this PC, line commented out")
        return _MARK + line.lstrip(" \t")
    if wanted.is_named(device):
        return line
    changes.append(f"{what}: {told} is now UUID={wanted.uuid}")
    return f"{fields[0]}UUID={wanted.uuid}" + "".join(fields[2:])


def _with_nofail(line: str, fields: Sequence[str], changes: list[str]) -> str:
    """A filesystem that this PC has not: the boot must not wait for it for ever."""
    options = fields[6].strip().split(",")
    if not {"noauto", "nofail"}.isdisjoint(options) or device_is_mapped(fields[1]):
        return line
    what, told = shortened(fields[3]), shortened(fields[1])
    changes.append(f"{what}: {told} is not on this PC, option nofail added")
    given = fields[6].rstrip()
    return "".join(fields[:6]) + (given or "\tdefaults") + ",nofail" + fields[7]


def device_is_mapped(device: str) -> bool:
    """LVM and LUKS names appear only when their volumes are opened, by the system itself."""
    return device.startswith(("/dev/mapper/", "/dev/disk/by-id/dm-", "/dev/md"))


def _missing(*, swap: Known | None, esp: Known | None, changes: list[str]) -> list[str]:
    lines = []
    if swap:
        changes.append(f"swap: UUID={swap.uuid} added")
        lines.append(_SWAP_LINE.format(device=f"UUID={swap.uuid}"))
    if esp:
        changes.append(f"/boot/efi: UUID={esp.uuid} added")
        lines.append(_ESP_LINE.format(device=f"UUID={esp.uuid}"))
    return lines
